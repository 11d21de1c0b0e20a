import { LogIndex } from '../log-index.ts'
import type { LogSource } from '../log-reader.ts'

/** Bytes kept of one log. */
const MAX_BYTES = 65_536

/** The log of a container that prints only what it is told to. */
export class FakeLog implements LogSource {
  readonly #index = new LogIndex()
  #bytes = Buffer.alloc(0)
  #waiting = new Set<() => void>()

  get head(): number {
    return this.#index.state.head
  }
  get end(): number {
    return this.#index.state.end
  }

  write(text: string, nowMs: number): void {
    this.#bytes = Buffer.concat([this.#bytes, Buffer.from(text)])
    this.#index.observe(this.#bytes.length, nowMs)
    if (this.#bytes.length > MAX_BYTES) {
      const cut = this.#bytes.indexOf(10, this.#bytes.length - MAX_BYTES) + 1 || this.#bytes.length - MAX_BYTES
      this.#index.state.base += cut
      this.#index.cut(this.#index.state.base)
      this.#bytes = this.#bytes.subarray(cut)
    }
    this.wake()
  }

  /** Lets followers look again. */
  wake(): void {
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
  }

  /** Resolves when there is more than up to the offset `at`, or at the next `wake`. */
  changed(at: number): Promise<void> {
    if (this.end > at) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.add(resolve))
  }

  observe(): void {}

  async read(offset: number, maxBytes: number): Promise<{ readonly offset: number; readonly bytes: Buffer }> {
    const from = Math.max(offset, this.head)
    const start = from - this.#index.state.base
    return { offset: from, bytes: this.#bytes.subarray(start, start + maxBytes) }
  }

  timeAt(offset: number): number | undefined {
    return this.#index.timeAt(offset)
  }
  offsetAt(timeMs: number): number {
    return this.#index.offsetAt(timeMs)
  }
}
