/**
 * A bounded queue with one reader. When it is full the reader has fallen too far behind: what waits is dropped and the
 * queue ends, so that a reader that never reads holds no memory.
 */
export class EventQueue<T> implements AsyncIterableIterator<T> {
  readonly #limit: number
  #items: T[] = []
  #head = 0
  #ended = false
  #waiting: ((result: IteratorResult<T>) => void) | undefined

  constructor(limit: number) {
    this.#limit = limit
  }

  get ended(): boolean {
    return this.#ended
  }

  push(item: T): void {
    if (this.#ended) return
    const waiting = this.#waiting
    if (waiting) {
      this.#waiting = undefined
      waiting({ value: item, done: false })
    } else if (this.#items.length - this.#head >= this.#limit) this.abort()
    else this.#items.push(item)
  }

  /** Nothing more comes; what waits is still read. */
  end(): void {
    this.#ended = true
    this.#waiting?.({ value: undefined, done: true })
    this.#waiting = undefined
  }

  /** Ends and drops what waits. */
  abort(): void {
    this.#items = []
    this.#head = 0
    this.end()
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#head < this.#items.length) return Promise.resolve({ value: this.#take(), done: false })
    if (this.#ended) return Promise.resolve({ value: undefined, done: true })
    return new Promise((resolve) => {
      this.#waiting = resolve
    })
  }

  return(): Promise<IteratorResult<T>> {
    this.abort()
    return Promise.resolve({ value: undefined, done: true })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #take(): T {
    const item = this.#items[this.#head] as T
    this.#items[this.#head++] = undefined as T
    if (this.#head === this.#items.length) {
      this.#items = []
      this.#head = 0
    }
    return item
  }
}
