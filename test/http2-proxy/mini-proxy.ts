import net from 'node:net'
import { systemClock } from '../../src/base/clock.ts'
import type { Downstream, Service } from '../../src/data-plane/proxy/contract.ts'
import { HttpExchange } from '../../src/data-plane/proxy/engine/exchange.ts'
import {
  Http2Endpoint,
  type Http2EndpointOptions,
  type ServedHttp2,
  serveHttp2,
  type ServeHttp2Options,
} from '../../src/data-plane/proxy/engine/http2/index.ts'
import { TimerWheel } from '../../src/data-plane/proxy/engine/timer-wheel.ts'
import type { Connection } from '../../src/data-plane/proxy/transport/contract.ts'
import { netConnection } from './net-connection.ts'

/** One attempt, no layers; a failure is told in `x-failure`. */
function forwardTo(endpoint: Http2Endpoint): Service {
  return (exchange) =>
    exchange.forward({
      endpoint,
      perTryTimeoutMs: 0,
      onHead: () => 'send',
      onFailure({ kind, unprocessed }) {
        if (kind === 'reset') return exchange.abort('UR', 'reset')
        const value = `${kind}${unprocessed ? ' unprocessed' : ''}`
        exchange.respond({ status: 503, details: kind, headers: [{ name: 'x-failure', value }] })
      },
      onDone: () => undefined,
    })
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
  const wheel = new TimerWheel(systemClock)
  const service = forwardTo(endpoint)
  const server = net.createServer((socket) => {
    const connection: Connection = netConnection(socket)
    const downstream: Downstream = {
      remote: connection.remote,
      local: connection.local,
      protocol: 'http2',
      drain: () => one.drain(),
      destroy: () => one.destroy(),
    }
    const serve = { clock: systemClock, ...options.serve, onClose: () => served.delete(one) }
    const one: ServedHttp2 = serveHttp2(connection, serve, (stream, head) => {
      const exchange = new HttpExchange(stream, head, { connection: downstream, wheel })
      service(exchange)
      return exchange
    })
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
