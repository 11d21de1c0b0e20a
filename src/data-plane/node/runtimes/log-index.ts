/** What is kept beside a log: times of offsets, and where its bytes are. Offsets are logical: they only grow, whatever is thrown away. */
export interface LogIndexState {
  /** Logical offset of the first byte of the file `log`. */
  base: number
  /** Logical offset of the oldest line that is kept. */
  head: number
  /** Logical end when last looked at. */
  end: number
  /** What `log.1` holds. */
  old?: { start: number; end: number } | undefined
  /** [logical end, when it was seen, ms since 1970], rising. */
  marks: [number, number][]
}

/** Bounds the memory of a log's times; beyond, every second one is forgotten. */
const MAX_MARKS = 1024

/**
 * Times of a log, which its writer does not give: the size is looked at now and then, and all bytes up to it were written no later than the file's
 * modification time then. A line's time is therefore exact for the last line of each look and late by at most the time between two looks.
 */
export class LogIndex {
  readonly state: LogIndexState
  /** Changed since last asked to be saved. */
  dirty = false

  constructor(state: LogIndexState = { base: 0, head: 0, end: 0, marks: [] }) {
    this.state = state
  }

  /** Takes note of the file's size in bytes and modification time. @returns whether it grew */
  observe(sizeBytes: number, modifiedMs: number): boolean {
    const { state } = this
    if (state.base + sizeBytes < state.end) {
      // the container itself emptied its log, such as by `> /dev/stdout`
      state.base = state.end
      state.head = state.end
      state.old = undefined
    }
    const end = state.base + sizeBytes
    if (end === state.end) return false
    state.end = end
    const last = state.marks.at(-1)
    state.marks.push([end, Math.max(Math.floor(modifiedMs), last?.[1] ?? 0)])
    if (state.marks.length > MAX_MARKS) state.marks = state.marks.filter((_mark, index, all) => index % 2 === 1 || index === all.length - 1)
    this.dirty = true
    return true
  }

  /** When the byte at a logical offset was written; undefined when it was never looked at. */
  timeAt(offset: number): number | undefined {
    return this.state.marks[this.#firstAfter((mark) => mark[0] > offset)]?.[1]
  }

  /** The logical offset before which everything was written before `timeMs`. */
  offsetAt(timeMs: number): number {
    const index = this.#firstAfter((mark) => mark[1] >= timeMs)
    return Math.max(this.state.head, this.state.marks[index - 1]?.[0] ?? 0)
  }

  /** Forgets everything before a logical offset. */
  cut(head: number): void {
    const { state } = this
    state.head = Math.max(state.head, head)
    state.marks = state.marks.filter((mark) => mark[0] > state.head)
    this.dirty = true
  }

  /** Binary search: the first mark for which `test` holds, as it does for all later ones. */
  #firstAfter(test: (mark: readonly [number, number]) => boolean): number {
    let low = 0
    let high = this.state.marks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (test(this.state.marks[middle] as [number, number])) high = middle
      else low = middle + 1
    }
    return low
  }
}
