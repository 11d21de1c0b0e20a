import { systemClock } from '../../src/base/clock.ts'
import { openEndpoint, serveHttp, TimerWheel } from '../../src/data-plane/proxy/engine/index.ts'
import { transport, type TransportName } from '../../src/data-plane/proxy/transport/choose-transport.ts'

/** The engine with one upstream and no layers, until the process is ended. */
export async function runProxy(port: number, upstreamPort: number, name: TransportName): Promise<void> {
  const parts = { clock: systemClock, wheel: new TimerWheel(systemClock), transport: transport(name) }
  const endpoint = openEndpoint(
    {
      address: { address: '127.0.0.1', port: upstreamPort },
      protocol: 'http1',
      connectTimeoutMs: 5_000,
      idleTimeoutMs: 60_000,
      admit: {
        connectionOpening: () => true,
        connectionClosed() {},
        requestPending: () => true,
        requestNoLongerPending() {},
      },
    },
    parts,
  )
  await parts.transport.listen({ host: '127.0.0.1', port }, (accepted) => {
    serveHttp(accepted.plain(), { protocol: 'http1', clock: parts.clock, wheel: parts.wheel }, (exchange) =>
      exchange.forward({
        endpoint,
        perTryTimeoutMs: 0,
        onHead: () => 'send',
        onFailure: ({ kind, message }) => exchange.respond({ status: 503, details: kind, body: message }),
        onDone() {},
      }),
    )
  })
}
