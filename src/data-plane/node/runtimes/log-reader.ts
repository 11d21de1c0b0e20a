import type { LogOptions } from '../runtime.ts'

/** The log that is read, in logical offsets. */
export interface LogSource {
  readonly head: number
  readonly end: number
  observe(): void
  read(offset: number, maxBytes: number): Promise<{ readonly offset: number; readonly bytes: Buffer }>
  timeAt(offset: number): number | undefined
  offsetAt(timeMs: number): number
}

/** Follows a log until `ended` says that nobody writes any more. */
export interface LogFollower {
  ended(): boolean
  /** Resolves when the log may have grown beyond the logical offset `at`, the container has ended, or the signal aborts. */
  changed(at: number): Promise<void>
  now(): number
}

const CHUNK = 65_536
const NEWLINE = 10

/** The bytes of a log as `options` ask for them. Holds one chunk of 64 KiB, however long the log or its lines are. */
export async function* readLog(
  source: LogSource,
  options: LogOptions & { readonly follower: LogFollower; readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array, void> {
  const { follower, signal } = options
  let budget = options.limitBytes ?? Number.POSITIVE_INFINITY
  source.observe()
  let at = await startOf(source, options)
  let lineStart = true
  while (!signal.aborted && budget > 0) {
    // asked before reading: what is written before the end is then certainly read
    const last = !options.follow || follower.ended()
    source.observe()
    const { offset, bytes } = await source.read(at, CHUNK)
    if (bytes.length === 0) {
      if (last) return
      await follower.changed(at)
      continue
    }
    if (offset !== at) lineStart = true
    const text = options.timestamps
      ? withTimes(bytes, { offset, lineStart, timeAt: (place) => source.timeAt(place) ?? follower.now() })
      : bytes
    yield text.length > budget ? text.subarray(0, budget) : text
    budget -= text.length
    lineStart = bytes.at(-1) === NEWLINE
    at = offset + bytes.length
  }
}

async function startOf(source: LogSource, options: LogOptions): Promise<number> {
  let start = source.head
  if (options.sinceMs !== undefined) start = await lineStartAt(source, source.offsetAt(options.sinceMs))
  if (options.tailLines !== undefined) start = await tailStart(source, { lines: options.tailLines, from: start })
  return start
}

/** The first line start at or after `offset`: a line that began earlier is older. */
async function lineStartAt(source: LogSource, offset: number): Promise<number> {
  if (offset <= source.head) return source.head
  let at = offset - 1
  for (;;) {
    const { offset: from, bytes } = await source.read(at, CHUNK)
    if (bytes.length === 0) return source.end
    const newline = bytes.indexOf(NEWLINE)
    if (newline !== -1) return from + newline + 1
    at = from + bytes.length
  }
}

/** Where the last `lines` lines begin, not before `from`: reads backwards, chunk by chunk. */
async function tailStart(source: LogSource, options: { readonly lines: number; readonly from: number }): Promise<number> {
  const end = source.end
  if (options.lines <= 0) return end
  let wanted = options.lines
  let at = end
  while (at > options.from) {
    const start = Math.max(options.from, at - CHUNK)
    const { offset, bytes } = await source.read(start, at - start)
    if (offset > start) return offset
    for (let index = bytes.lastIndexOf(NEWLINE); index !== -1; index = index === 0 ? -1 : bytes.lastIndexOf(NEWLINE, index - 1)) {
      // the newline that ends the log begins no line
      if (start + index + 1 === end) continue
      wanted--
      if (wanted === 0) return start + index + 1
    }
    at = start
  }
  return options.from
}

interface Timing {
  readonly offset: number
  readonly lineStart: boolean
  readonly timeAt: (offset: number) => number
}

/** Puts its time before each line that begins in `bytes`. */
function withTimes(bytes: Buffer, timing: Timing): Uint8Array {
  let begin = 0
  let lineStart = timing.lineStart
  const parts: Uint8Array[] = []
  while (begin < bytes.length) {
    if (lineStart) parts.push(Buffer.from(`${new Date(timing.timeAt(timing.offset + begin)).toISOString()} `))
    const newline = bytes.indexOf(NEWLINE, begin)
    const end = newline === -1 ? bytes.length : newline + 1
    parts.push(bytes.subarray(begin, end))
    lineStart = newline !== -1
    begin = end
  }
  return Buffer.concat(parts)
}
