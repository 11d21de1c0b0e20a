import { systemClock } from '../../src/base/clock.ts'
import type { Downstream } from '../../src/data-plane/proxy/contract.ts'
import { HttpExchange } from '../../src/data-plane/proxy/engine/exchange.ts'
import { Http2Endpoint, serveHttp2, type ServedHttp2 } from '../../src/data-plane/proxy/engine/http2/index.ts'
import { TimerWheel } from '../../src/data-plane/proxy/engine/timer-wheel.ts'
import { chooseTransport } from '../../src/data-plane/proxy/transport/choose-transport.ts'

/** The engine as a proxy of one upstream: exchanges, no layers. Runs until it is killed. */
export async function runProxy(port: number, upstreamPort: number): Promise<void> {
  const transport = await chooseTransport()
  const endpoint = new Http2Endpoint({
    clock: systemClock,
    address: `127.0.0.1:${upstreamPort}`,
    dial(done, failed) {
      transport
        .dial({ address: { address: '127.0.0.1', port: upstreamPort }, timeoutMs: 5000 })
        .then(done, (error: Error) => failed('connect', error.message))
      return { cancel: () => undefined }
    },
    admit: {
      connectionOpening: () => true,
      connectionClosed: () => undefined,
      requestPending: () => true,
      requestNoLongerPending: () => undefined,
    },
  })
  const wheel = new TimerWheel(systemClock)
  await transport.listen({ host: '127.0.0.1', port }, (accepted) => {
    const connection = accepted.plain()
    const downstream: Downstream = {
      remote: connection.remote,
      local: connection.local,
      protocol: 'http2',
      drain: () => served.drain(),
      destroy: () => served.destroy(),
    }
    const served: ServedHttp2 = serveHttp2(connection, { clock: systemClock }, (stream, head) => {
      const exchange = new HttpExchange(stream, head, { connection: downstream, wheel })
      exchange.forward({
        endpoint,
        perTryTimeoutMs: 0,
        onHead: () => 'send',
        onFailure: ({ message }) => exchange.respond({ status: 503, details: message }),
        onDone: () => undefined,
      })
      return exchange
    })
  })
  console.log(`ready over ${transport.name}`)
}
