import { DEFAULT_WINDOW, FrameType } from './constants.ts'
import type { FrameOutput } from './frame-output.ts'
import type { SessionLimits } from './settings.ts'
import type { Http2Stream } from './stream.ts'

/** The windows that the peer sends within. They open again by half of their size at a time. */
export class ReceiveSide {
  readonly #output: FrameOutput
  readonly #streamBytes: number
  readonly #connectionBytes: number
  #window: number
  #unacknowledged = 0

  constructor(output: FrameOutput, limits: SessionLimits) {
    this.#output = output
    this.#streamBytes = limits.streamWindowBytes
    this.#connectionBytes = Math.max(DEFAULT_WINDOW, limits.connectionWindowBytes)
    this.#window = this.#connectionBytes
  }

  /** Opens the window of the connection, which settings cannot. */
  start(): void {
    if (this.#connectionBytes > DEFAULT_WINDOW) this.#update(0, this.#connectionBytes - DEFAULT_WINDOW)
  }

  /** DATA has come; false: more than the connection's window. */
  take(flowBytes: number): boolean {
    this.#window -= flowBytes
    return this.#window >= 0
  }

  /** What came on a stream was handed on. */
  consume(stream: Http2Stream, count: number): void {
    this.consumeConnection(count)
    stream.unacknowledged += count
    if (stream.unacknowledged < this.#streamBytes >> 1 || stream.isClosed || stream.remoteEnded) return
    this.#update(stream.id, stream.unacknowledged)
    stream.receiveWindow += stream.unacknowledged
    stream.unacknowledged = 0
  }

  /** What came is of no use to any stream, or was handed on. */
  consumeConnection(count: number): void {
    this.#unacknowledged += count
    if (this.#unacknowledged < this.#connectionBytes >> 1) return
    this.#update(0, this.#unacknowledged)
    this.#window += this.#unacknowledged
    this.#unacknowledged = 0
  }

  #update(id: number, more: number): void {
    this.#output.header(4, FrameType.windowUpdate, 0, id)
    this.#output.uint32(more)
  }
}
