import type { FieldBlock } from '../hpack/index.ts'
import type { SessionLimits } from './settings.ts'
import type { Http2Stream } from './stream.ts'

/** What happens to a connection as a whole. */
export interface SessionEvents {
  /** A request; set `stream.handler`. The block may be kept by putting another one in `session.block`. `session.shape` tells where what is. */
  onRequest(stream: Http2Stream, block: FieldBlock, ended: boolean): void
  /** Something can be taken from `session.output`. */
  onOutput(): void
  /** A stream has ended, or settings have come: there may be room for another one. */
  onCapacity(): void
  /** The peer takes no new streams. */
  onGoAway(code: number, debug: string): void
  /** Nothing more goes on here: write what is in the output, then close. NO_ERROR: drained as asked. */
  onEnd(code: number, message: string): void
  /** Answer to `ping`. */
  onPong(): void
}

/** How a session is made. */
export interface SessionOptions {
  readonly isServer: boolean
  readonly limits: SessionLimits
  readonly events: SessionEvents
  /** Milliseconds that only go forward; asked once a read. */
  readonly nowMs: () => number
}
