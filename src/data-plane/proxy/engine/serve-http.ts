import type { Clock } from '../../../base/clock.ts'
import type { Http1Error } from '../../../protocols/http1/index.ts'
import type { Downstream, DownstreamTlsInfo, RequestHead, Service } from '../contract.ts'
import type { Connection } from '../transport/contract.ts'
import type { DownstreamEvents, DownstreamStream } from './contract.ts'
import { HttpExchange } from './exchange.ts'
import { serveHttp1 } from './http1/serve-http1.ts'
import { serveHttp2 } from './http2/serve-http2.ts'
import type { TimerWheel } from './timer-wheel.ts'

export interface ServeHttpOptions {
  readonly protocol: 'http1' | 'http2'
  readonly clock: Clock
  readonly wheel: TimerWheel
  readonly original?: Downstream['original']
  readonly tls?: DownstreamTlsInfo
  readonly maxHeadBytes?: number
  readonly headTimeoutMs?: number
  readonly idleTimeoutMs?: number
  readonly maxConnectionDurationMs?: number
  readonly drainTimeoutMs?: number
  readonly onClose?: () => void
  /** HTTP/1.1: a message that was refused before it became an exchange. */
  readonly onBadRequest?: (error: Http1Error) => void
}

/** A client's connection on which requests are served. */
export interface ServedHttp {
  /**
   * Closes when the requests that run have ended.
   * @param idleMs what a client of HTTP/1.1 that asks for nothing has for one more; see serveHttp1; 0: nobody may ask any more
   */
  drain(idleMs?: number): void
  destroy(): void
  readonly activeStreams: number
}

/** Serves HTTP on a connection: every request becomes an exchange that the service is called with. */
export function serveHttp(connection: Connection, options: ServeHttpOptions, service: Service): ServedHttp {
  const { protocol, clock, wheel, original, tls, maxHeadBytes, headTimeoutMs, idleTimeoutMs, maxConnectionDurationMs, drainTimeoutMs } =
    options
  const downstream: Downstream = {
    remote: connection.remote,
    local: connection.local,
    protocol,
    ...(original ? { original } : {}),
    ...(tls ? { tls } : {}),
    drain: () => served.drain(),
    destroy: () => served.destroy(),
  }
  const open = (stream: DownstreamStream, head: RequestHead): DownstreamEvents => {
    const exchange = new HttpExchange(stream, head, { connection: downstream, wheel })
    service(exchange)
    return exchange
  }
  const closed = options.onClose ? { onClose: options.onClose } : {}
  const served: ServedHttp =
    protocol === 'http2'
      ? serveHttp2(
          connection,
          {
            clock,
            ...closed,
            ...(maxHeadBytes === undefined ? {} : { limits: { maxHeaderListBytes: maxHeadBytes } }),
            times: {
              ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }),
              ...(maxConnectionDurationMs === undefined ? {} : { maxConnectionDurationMs }),
              ...(drainTimeoutMs === undefined ? {} : { drainTimeoutMs }),
            },
          },
          open,
        )
      : serveHttp1(
          connection,
          {
            clock,
            wheel,
            scheme: tls ? 'https' : 'http',
            ...closed,
            ...(options.onBadRequest ? { onBadRequest: options.onBadRequest } : {}),
            ...(maxHeadBytes === undefined ? {} : { maxHeadBytes }),
            ...(headTimeoutMs === undefined ? {} : { headTimeoutMs }),
            ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }),
            ...(maxConnectionDurationMs === undefined ? {} : { maxConnectionDurationMs }),
          },
          open,
        )
  return served
}
