import net from 'node:net'
import { systemClock } from '../../src/base/clock.ts'
import type { Headers, RequestHead } from '../../src/data-plane/proxy/contract.ts'
import type { DownstreamEvents, DownstreamStream, EngineEndpoint, UpstreamStream } from '../../src/data-plane/proxy/engine/contract.ts'
import {
  Http2Endpoint,
  type Http2EndpointOptions,
  type ServedHttp2,
  serveHttp2,
  type ServeHttp2Options,
} from '../../src/data-plane/proxy/engine/http2/index.ts'
import type { Connection } from '../../src/data-plane/proxy/transport/contract.ts'
import { netConnection } from './net-connection.ts'

/** The least an exchange does: one attempt, no layers. What comes of a body before the upstream is ready waits, and the client with it. */
export function joinStreams(down: DownstreamStream, head: RequestHead, endpoint: EngineEndpoint): DownstreamEvents {
  let isReady = false
  let isOver = false
  let hasHead = false
  let isEnded = head.endsWithHead
  let trailers: Headers | undefined
  let held: Buffer[] = []
  const up: UpstreamStream = endpoint.open(
    { head, hasBody: !head.endsWithHead, downstreamProtocol: 'http2' },
    {
      onReady() {
        if (isReady) return
        isReady = true
        for (const chunk of held) up.write(chunk, 0, chunk.length)
        held = []
        if (isEnded && !head.endsWithHead) up.end(trailers)
        else down.resume()
      },
      onInformational: (status, headers) => down.sendInformational(status, headers),
      onHead(response, end) {
        hasHead = true
        isOver ||= end
        down.sendHead(response, end)
      },
      onData(buffer, start, end) {
        if (!down.write(buffer, start, end)) up.pause()
      },
      onEnd(fields) {
        isOver = true
        down.end(fields)
      },
      onDrain: () => down.resume(),
      onFailure({ kind, unprocessed }) {
        if (isOver) return
        isOver = true
        if (hasHead || kind === 'reset') return down.reset('internal')
        const fields: [string, string][] = [['x-failure', `${kind}${unprocessed ? ' unprocessed' : ''}`]]
        down.sendHead({ status: 503, headers: plainHeaders(fields), endsWithHead: true }, true)
      },
    },
  )
  return {
    onData(buffer, start, end) {
      if (isReady) {
        if (!up.write(buffer, start, end)) down.pause()
        return
      }
      held.push(Buffer.from(buffer.subarray(start, end)))
      down.pause()
    },
    onTrailers: (fields) => (trailers = fields),
    onEnd() {
      isEnded = true
      if (isReady) up.end(trailers)
    },
    onDrain: () => up.resume(),
    onReset() {
      isOver = true
      up.cancel()
    },
  }
}

function plainHeaders(fields: [string, string][]): Headers {
  return {
    get: (name) => fields.find(([field]) => field === name)?.[1],
    getAll: (name) => fields.filter(([field]) => field === name).map(([, value]) => value),
    has: (name) => fields.some(([field]) => field === name),
    set: (name, value) => void fields.push([name, value]),
    append: (name, value) => void fields.push([name, value]),
    remove: () => undefined,
    forEach: (visit) => fields.forEach(([name, value]) => visit(name, value)),
    sizeBytes: 0,
  }
}

/** A proxy of one upstream, made of the engine and `node:net`. */
export interface MiniProxy {
  readonly port: number
  readonly endpoint: Http2Endpoint
  readonly served: ReadonlySet<ServedHttp2>
  /** Connections admitted and not given back. */
  readonly admitted: () => { readonly connections: number; readonly pending: number }
  close(): Promise<void>
}

/** Starts one in front of a port of this machine. */
export async function startMiniProxy(
  upstreamPort: number,
  options: { readonly serve?: Partial<ServeHttp2Options>; readonly upstream?: Partial<Http2EndpointOptions> } = {},
): Promise<MiniProxy> {
  const counts = { connections: 0, pending: 0 }
  const endpoint = new Http2Endpoint({
    clock: systemClock,
    address: `127.0.0.1:${upstreamPort}`,
    dial(done, failed) {
      const socket = net.connect(upstreamPort, '127.0.0.1')
      const fail = (error: Error): void => failed('connect', error.message)
      socket.once('error', fail)
      socket.once('connect', () => {
        socket.off('error', fail)
        done(netConnection(socket))
      })
      return { cancel: () => void socket.destroy() }
    },
    admit: {
      connectionOpening: () => ++counts.connections > 0,
      connectionClosed: () => void counts.connections--,
      requestPending: () => ++counts.pending > 0,
      requestNoLongerPending: () => void counts.pending--,
    },
    ...options.upstream,
  })
  const served = new Set<ServedHttp2>()
  const server = net.createServer((socket) => {
    const connection: Connection = netConnection(socket)
    const one: ServedHttp2 = serveHttp2(
      connection,
      { clock: systemClock, ...options.serve, onClose: () => served.delete(one) },
      (down, head) => joinStreams(down, head, endpoint),
    )
    served.add(one)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as net.AddressInfo).port,
    endpoint,
    served,
    admitted: () => counts,
    async close() {
      endpoint.destroy()
      for (const one of served) one.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
