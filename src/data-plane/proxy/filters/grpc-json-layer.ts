import type { GrpcJsonFilter } from '../../../policy/traffic/model/index.ts'
import { grpcFrame } from '../../../protocols/grpc-frames/index.ts'
import { GrpcJsonError, statusJson, Transcoder, type TranscodedCall } from '../../../protocols/grpc-json/index.ts'
import type { Exchange, Layer, RequestHead } from '../contract.ts'
import { HeaderList } from '../engine/index.ts'
import { TranscodedExchange } from './transcoded-exchange.ts'

/** gRPC takes no more in one message by default. */
const MAX_BODY = 4 * 1024 * 1024

/** Of bodies: the message that goes out has others. */
const GONE = ['content-length', 'content-encoding', 'content-type', 'accept-encoding', 'expect']

/**
 * Requests that a google.api.http rule maps become calls of gRPC, their answers JSON: one message, or a list of those of a stream. gRPC's status becomes HTTP's,
 * with a google.rpc.Status in JSON as the body. What does not fit the request's message is refused (400). Requests that are gRPC already go on as they are.
 * Source: Envoy, gRPC-JSON transcoder filter. @throws {GrpcJsonError} where descriptors or rules cannot be used
 */
export function createGrpcJsonLayer(filter: GrpcJsonFilter): Layer {
  const { descriptors, services, passUnknown = true } = filter
  const transcoder = new Transcoder(Buffer.from(descriptors, 'base64'), services)
  return (inner) => (exchange) => {
    const { request } = exchange
    const type = request.headers.get('content-type') ?? ''
    if (request.isGrpc || request.upgrade !== undefined || type.startsWith('application/grpc')) return inner(exchange)
    const call = transcoder.find(request.method, request.path)
    if (!call) {
      if (passUnknown) return inner(exchange)
      return exchange.respond({ status: 404, details: 'grpc_json_transcode_failure{no_method}' })
    }
    let isEnded = false
    exchange.onEnd(() => (isEnded = true))
    const transcode = (body: Uint8Array | undefined): void => {
      if (isEnded) return
      if (!body) return exchange.respond({ status: 413, details: 'grpc_json_transcode_failure{request_too_large}' })
      const message = encode(transcoder, exchange, call, body, type)
      if (!message) return
      const head = grpcHead(request, call)
      inner(new TranscodedExchange(exchange, head, { call, schema: transcoder.schema, frame: grpcFrame(message) }))
    }
    if (request.endsWithHead) transcode(new Uint8Array(0))
    else exchange.bufferRequestBody(MAX_BODY, transcode)
  }
}

/** Undefined: the request has been refused. */
function encode(transcoder: Transcoder, exchange: Exchange, call: TranscodedCall, body: Uint8Array, type: string): Buffer | undefined {
  try {
    return call.encode(body, type)
  } catch (error) {
    if (!(error instanceof GrpcJsonError)) throw error
    exchange.respond({
      status: 400,
      body: JSON.stringify(statusJson(transcoder.schema, 3, error.message)),
      headers: [{ name: 'content-type', value: 'application/json' }],
      details: 'grpc_json_transcode_failure{bad_request}',
    })
    return undefined
  }
}

function grpcHead(request: RequestHead, call: TranscodedCall): RequestHead {
  const headers = HeaderList.copy(request.headers)
  for (const name of GONE) headers.remove(name)
  headers.set('content-type', 'application/grpc')
  headers.set('te', 'trailers')
  headers.set('x-envoy-original-path', request.path)
  headers.set('x-envoy-original-method', request.method)
  const { authority, scheme } = request
  return { method: 'POST', path: call.path, authority, scheme, headers, isGrpc: true, endsWithHead: false }
}
