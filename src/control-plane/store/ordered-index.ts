import type { KeyEntry } from './version.ts'
import { live, versionAt } from './version.ts'

/** Entries of one chunk before it is split; measured: insert and scan cost are flat between 256 and 1024. */
const CHUNK_LIMIT = 512

interface Chunk {
  entries: KeyEntry[]
  /** Entries whose newest version is not a tombstone. */
  live: number
  /** The last revision that created or deleted a key here: readers at or above it may use `live`. */
  changedAt: number
}

/**
 * All keys in order (UTF-16 code units), as an array of sorted chunks: two binary searches to find, one short
 * splice to insert, and counts of a range that look at chunks instead of keys. A B+tree of depth two.
 */
export class OrderedIndex {
  #chunks: Chunk[] = []
  #live = 0

  /** Keys that exist now. */
  get liveKeys(): number {
    return this.#live
  }

  /** Replaces everything by `entries`, which must be in key order. */
  bulkLoad(entries: readonly KeyEntry[], revision: number): void {
    this.#chunks = []
    // three quarters full, so that the first inserts do not split
    const size = (CHUNK_LIMIT * 3) / 4
    for (let start = 0; start < entries.length; start += size) this.#chunks.push(makeChunk(entries.slice(start, start + size), revision))
    this.#live = this.#chunks.reduce((sum, chunk) => sum + chunk.live, 0)
  }

  /** Adds an entry that has no version yet; `noteLive` counts it once it has. */
  insert(entry: KeyEntry): void {
    if (this.#chunks.length === 0) this.#chunks.push({ entries: [], live: 0, changedAt: 0 })
    const at = this.#chunkOf(entry.key)
    const chunk = this.#chunks[at] as Chunk
    chunk.entries.splice(lowerBound(chunk.entries, entry.key), 0, entry)
    if (chunk.entries.length > CHUNK_LIMIT) this.#split(at)
  }

  /** Takes out an entry that is dead at every revision still readable. */
  remove(entry: KeyEntry): void {
    const at = this.#chunkOf(entry.key)
    const chunk = this.#chunks[at]
    const position = chunk ? lowerBound(chunk.entries, entry.key) : 0
    if (chunk?.entries[position] !== entry) return
    chunk.entries.splice(position, 1)
    if (chunk.entries.length < CHUNK_LIMIT / 8) this.#mergeWithNext(at)
  }

  /** Records that `key` came into being (+1) or was deleted (-1) at `revision`. */
  noteLive(key: string, by: 1 | -1, revision: number): void {
    const chunk = this.#chunks[this.#chunkOf(key)] as Chunk
    chunk.live += by
    chunk.changedAt = revision
    this.#live += by
  }

  /** Calls `visit` for each entry from `from` on, in order, until it returns false. The index must not change meanwhile. */
  scan(from: string, visit: (entry: KeyEntry) => boolean): void {
    let position = -1
    for (let at = this.#chunkOf(from); at < this.#chunks.length; at++) {
      const { entries } = this.#chunks[at] as Chunk
      position = position < 0 ? lowerBound(entries, from) : 0
      for (; position < entries.length; position++) if (!visit(entries[position] as KeyEntry)) return
    }
  }

  /** How many keys in [from, end) exist at `revision`; `end` undefined: to the last key. */
  count(from: string, end: string | undefined, revision: number): number {
    let total = 0
    const first = this.#chunkOf(from)
    for (let at = first; at < this.#chunks.length; at++) {
      const chunk = this.#chunks[at] as Chunk
      const last = chunk.entries.at(-1)
      // only the chunks at both ends have to be searched
      const start = at === first ? lowerBound(chunk.entries, from) : 0
      const isInside = end === undefined || (last !== undefined && last.key < end)
      const stop = isInside ? chunk.entries.length : lowerBound(chunk.entries, end)
      const whole = start === 0 && stop === chunk.entries.length
      if (whole && revision >= chunk.changedAt) total += chunk.live
      else for (let i = start; i < stop; i++) if (versionAt(chunk.entries[i] as KeyEntry, revision)) total++
      if (stop < chunk.entries.length) break
    }
    return total
  }

  /** The chunk that holds `key` or would. */
  #chunkOf(key: string): number {
    let low = 0
    let high = this.#chunks.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (((this.#chunks[middle] as Chunk).entries[0] as KeyEntry).key <= key) low = middle
      else high = middle - 1
    }
    return low
  }

  #split(at: number): void {
    const chunk = this.#chunks[at] as Chunk
    // keys often arrive in order: then the new key is the last one and the left part stays nearly full
    const isAppend = at === this.#chunks.length - 1
    const cut = isAppend ? CHUNK_LIMIT - CHUNK_LIMIT / 8 : CHUNK_LIMIT / 2
    const right = makeChunk(chunk.entries.slice(cut), chunk.changedAt)
    chunk.entries.length = cut
    chunk.live -= right.live
    this.#chunks.splice(at + 1, 0, right)
  }

  #mergeWithNext(at: number): void {
    const chunk = this.#chunks[at] as Chunk
    const next = this.#chunks[at + 1]
    if (next && chunk.entries.length + next.entries.length <= CHUNK_LIMIT / 2) {
      chunk.entries = [...chunk.entries, ...next.entries]
      chunk.live += next.live
      chunk.changedAt = Math.max(chunk.changedAt, next.changedAt)
      this.#chunks.splice(at + 1, 1)
    } else if (chunk.entries.length === 0) this.#chunks.splice(at, 1)
  }
}

function makeChunk(entries: KeyEntry[], changedAt: number): Chunk {
  let alive = 0
  for (const entry of entries) if (live(entry.newest)) alive++
  return { entries, live: alive, changedAt }
}

/** First position whose key is not below `key`. */
function lowerBound(entries: readonly KeyEntry[], key: string): number {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((entries[middle] as KeyEntry).key < key) low = middle + 1
    else high = middle
  }
  return low
}

/** The first string above every string that starts with `prefix`; undefined: there is none. */
export function prefixEnd(prefix: string): string | undefined {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const unit = prefix.charCodeAt(i)
    if (unit < 0xffff) return prefix.slice(0, i) + String.fromCharCode(unit + 1)
  }
  return undefined
}
