import { systemClock } from '../../../base/clock.ts'
import type { Attempt, Exchange, Layer, Service, UpstreamAdmission, UpstreamOptions } from '../contract.ts'
import { listen, type Acceptor } from '../transport/accept.ts'
import { openEndpoint, serveHttp, TimerWheel, type EngineEndpoint, type ServedHttp, type ServeHttpOptions } from './index.ts'

/** A proxy of nothing but the engine: one upstream, no layers. For tests and benchmarks. */
export interface MiniProxy {
  readonly port: number
  readonly endpoint: EngineEndpoint
  readonly served: ReadonlySet<ServedHttp>
  close(): Promise<void>
}

export interface MiniProxyOptions {
  readonly upstreamPort: number
  readonly downstream?: 'http1' | 'http2'
  readonly upstream?: UpstreamOptions['protocol']
  readonly tls?: UpstreamOptions['tls']
  readonly layer?: Layer
  readonly attempt?: (exchange: Exchange, plain: Attempt) => Attempt
  readonly serve?: Partial<ServeHttpOptions>
  readonly admit?: UpstreamAdmission
}

export const ADMIT_ALL: UpstreamAdmission = {
  connectionOpening: () => true,
  connectionClosed() {},
  requestPending: () => true,
  requestNoLongerPending() {},
}

export async function miniProxy(options: MiniProxyOptions): Promise<MiniProxy> {
  const clock = systemClock
  const wheel = new TimerWheel(clock)
  const endpoint = openEndpoint(
    {
      address: { address: '127.0.0.1', port: options.upstreamPort },
      protocol: options.upstream ?? 'http1',
      connectTimeoutMs: 2000,
      idleTimeoutMs: 60_000,
      admit: options.admit ?? ADMIT_ALL,
      ...(options.tls ? { tls: options.tls } : {}),
    },
    { clock, wheel },
  )
  const forward: Service = (exchange) => {
    const plain: Attempt = {
      endpoint,
      perTryTimeoutMs: 0,
      onHead: () => 'send',
      onFailure: ({ kind, message }) =>
        exchange.respond({ status: 503, details: kind, body: message, flag: kind === 'connect' ? 'UF' : 'UC' }),
      onDone() {},
    }
    exchange.forward(options.attempt?.(exchange, plain) ?? plain)
  }
  const service = options.layer?.(forward) ?? forward
  const served = new Set<ServedHttp>()
  const acceptor: Acceptor = await listen({ host: '127.0.0.1', port: 0 }, (accepted) => {
    const one: ServedHttp = serveHttp(
      accepted.plain(),
      { protocol: options.downstream ?? 'http1', clock, wheel, ...options.serve, onClose: () => served.delete(one) },
      service,
    )
    served.add(one)
  })
  return {
    port: acceptor.port,
    endpoint,
    served,
    async close() {
      for (const one of served) one.destroy()
      endpoint.destroy()
      await acceptor.close()
    },
  }
}
