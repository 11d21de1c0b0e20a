import { StatusError, type StatusBody } from '../../../base/errors.ts'
import type { KubeObject, WatchEvent } from '../../../api/meta/object.ts'
import type { ApiRequest, ApiResponse, Transport } from '../../../client/transport.ts'
import type { Handler, Payload, ServerResponse, ServerWatchEvent, UserInfo } from '../contract.ts'

/**
 * A Transport that calls the API server's handler in this process as `user`: same paths, checks, authorization and errors as over HTTPS, without
 * sockets and without limits on requests in flight. Every object it gives is fresh and belongs to who asked.
 */
export function inProcessTransport(handler: Handler, user: UserInfo): Transport {
  let closed = false
  return {
    async send(request: ApiRequest): Promise<ApiResponse> {
      if (closed) throw new Error('the in-process transport is closed')
      request.signal?.throwIfAborted()
      const { method, path, query, headers, body, signal } = request
      const answer = await handler({
        method,
        path,
        user,
        ...(query === undefined ? {} : { query }),
        headers: { accept: 'application/json', ...headers },
        ...(body === undefined ? {} : { body }),
        ...(signal === undefined ? {} : { signal }),
      })
      if (answer.status >= 400) throw StatusError.fromBody(valueOf(answer.body) as Partial<StatusBody>, answer.status)
      return responseOf(answer)
    },
    close() {
      closed = true
      return Promise.resolve()
    },
  }
}

function responseOf(answer: ServerResponse): ApiResponse {
  const headers: Record<string, string> = { 'content-type': 'application/json' }
  for (const [name, value] of Object.entries(answer.headers ?? {})) headers[name] = typeof value === 'string' ? value : value.join(', ')
  return {
    status: answer.status,
    headers,
    object: () => Promise.resolve(valueOf(answer.body)),
    events: () => eventsOf(answer.body),
    stream: () => streamOf(answer.body),
  }
}

function valueOf(body: Payload): unknown {
  if (body.type === 'json') return body.parse()
  // as over the wire: a copy without undefined members
  return body.type === 'object' ? JSON.parse(JSON.stringify(body.value)) : undefined
}

async function* eventsOf(body: Payload): AsyncGenerator<WatchEvent<KubeObject>> {
  if (body.type !== 'events') throw new Error('the answer is not a watch')
  for await (const event of body.events) yield ownEvent(event)
}

/** Parsed for this consumer alone, and only if it looks. */
function ownEvent(event: ServerWatchEvent): WatchEvent<KubeObject> {
  let object: KubeObject | undefined
  return {
    type: event.type,
    get object() {
      return (object ??= event.fresh ? event.fresh() : parseLine(event.line))
    },
  }
}

function parseLine(line: Uint8Array): KubeObject {
  return (JSON.parse(Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString()) as WatchEvent<KubeObject>).object
}

async function* streamOf(body: Payload): AsyncGenerator<Uint8Array> {
  if (body.type === 'stream') yield* body.chunks
  else if (body.type === 'json') yield* body.chunks
  else if (body.type === 'object') yield Buffer.from(JSON.stringify(body.value))
  else if (body.type === 'events') for await (const event of body.events) yield event.line
}
