import type { LocalReply, RequestHead, ResponseHead } from '../contract.ts'
import { HeaderList } from './header-list.ts'

/** gRPC status of an HTTP status. Source: grpc/doc/http-grpc-status-mapping.md. */
const GRPC_STATUS: Readonly<Record<number, number>> = { 400: 13, 401: 16, 403: 7, 404: 12, 408: 4, 429: 14, 502: 14, 503: 14, 504: 14 }

/** Head and body of an answer made here; a gRPC client gets its status in the head (trailers-only), and no body. */
export function localResponse(reply: LocalReply, request: RequestHead): { readonly head: ResponseHead; readonly body: Buffer } {
  const { status, body = '', headers = [], grpcStatus } = reply
  const fields = HeaderList.of(headers)
  if (request.isGrpc) {
    fields.set('content-type', 'application/grpc')
    fields.set('grpc-status', String(grpcStatus ?? GRPC_STATUS[status] ?? 2))
    if (body !== '') fields.set('grpc-message', encodeURIComponent(body))
    return { head: { status: 200, headers: fields, endsWithHead: true }, body: EMPTY }
  }
  const bytes = Buffer.from(body)
  const isHead = request.method === 'HEAD'
  if (bytes.length > 0 && !fields.has('content-type')) fields.set('content-type', 'text/plain')
  if (status >= 200 && status !== 204 && status !== 304) fields.set('content-length', String(bytes.length))
  const sent = isHead ? EMPTY : bytes
  return { head: { status, headers: fields, endsWithHead: sent.length === 0 }, body: sent }
}

const EMPTY = Buffer.alloc(0)
