import type { Clock } from '../../../../base/clock.ts'
import type { RequestHead } from '../../contract.ts'
import type { Connection } from '../../transport/contract.ts'
import type { DownstreamEvents, DownstreamStream } from '../contract.ts'
import { ConnectionWatch, type ConnectionTimes, DEFAULT_TIMES } from './connection-watch.ts'
import { Http2DownstreamStream, Http2RequestHead } from './downstream-stream.ts'
import { DEFAULT_LIMITS, FieldBlock, Http2Session, type SessionLimits } from './protocol.ts'
import { Wire } from './wire.ts'

/** How a client's connection is served. */
export interface ServeHttp2Options {
  readonly clock: Clock
  readonly limits?: Partial<SessionLimits>
  readonly times?: Partial<ConnectionTimes>
  /** Called once the connection is gone. */
  readonly onClose?: () => void
}

/** A client's connection being served. */
export interface ServedHttp2 {
  /** GOAWAY in two steps; closes when the streams under way have ended or `drainTimeoutMs` is over. */
  drain(): void
  /** Ends it at once. */
  destroy(): void
  readonly activeStreams: number
}

/** Starts an exchange: gets the client's side, returns who hears of it. */
export type OpenExchange = (stream: DownstreamStream, head: RequestHead) => DownstreamEvents

/**
 * Serves HTTP/2 on a connection, by prior knowledge or after ALPN (`Upgrade: h2c` is not offered). Each request becomes an exchange. A peer that floods or breaks
 * the rules gets GOAWAY and is gone; see protocols/http2. Source: RFC 9113.
 */
export function serveHttp2(connection: Connection, options: ServeHttp2Options, openExchange: OpenExchange): ServedHttp2 {
  const { clock } = options
  const session: Http2Session = new Http2Session({
    isServer: true,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    nowMs: () => clock.monotonic(),
    events: {
      onRequest(stream, block, ended) {
        session.block = new FieldBlock()
        const head = new Http2RequestHead(session, block, ended)
        const downstream = new Http2DownstreamStream(session, stream, head.upgrade !== undefined)
        stream.handler = downstream
        downstream.events = openExchange(downstream, head)
      },
      onOutput: () => wire.schedule(),
      onCapacity: () => undefined,
      onGoAway: () => undefined,
      onEnd: () => watch.ended(),
      onPong: () => watch.pong(),
    },
  })
  const wire: Wire = new Wire(session, connection, () => {
    watch.stop()
    options.onClose?.()
  })
  const watch = new ConnectionWatch(session, wire, clock, { ...DEFAULT_TIMES, ...options.times })
  session.start()
  connection.handle(wire)
  return {
    drain: () => watch.drain(),
    destroy: () => wire.destroy('destroyed'),
    get activeStreams() {
      return session.streams.size
    },
  }
}
