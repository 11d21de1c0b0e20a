import { execFile } from 'node:child_process'
import { statSync } from 'node:fs'
import { copyFile, open, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { LogIndex, type LogIndexState } from '../log-index.ts'
import { isMissing, readJsonState, writeState } from './state-file.ts'

/** How much of a log is kept. */
export interface LogLimits {
  /** Size of one step in which old lines are thrown away. */
  readonly maxBytes: number
  /** Steps that are kept. */
  readonly maxFiles: number
}

/**
 * The log of one container. Its program appends to the file without us, so nothing is lost when the agent dies; what has become too
 * old is taken away from the front by punching a hole, which the writer does not notice. Where the file system has no holes the log is copied
 * to `log.1` and emptied: what is written between the two is lost.
 */
export class LogFile {
  readonly path: string
  readonly #dir: string
  readonly #index: LogIndex
  #rotating = false
  #noHoles = false

  constructor(dir: string) {
    this.#dir = dir
    this.path = join(dir, 'log')
    this.#index = new LogIndex(readJsonState<LogIndexState>(join(dir, 'log.index')))
  }

  /** Logical offset of the oldest line, and of the end. */
  get head(): number {
    return this.#index.state.head
  }
  get end(): number {
    return this.#index.state.end
  }

  /** Looks at the size. Cheap: one call for each running container and second. */
  observe(): void {
    const stats = statSync(this.path, { throwIfNoEntry: false })
    if (stats) this.#index.observe(stats.size, stats.mtimeMs)
  }

  timeAt(offset: number): number | undefined {
    return this.#index.timeAt(offset)
  }
  offsetAt(timeMs: number): number {
    return this.#index.offsetAt(timeMs)
  }

  /** Saves the times, if there are new ones. */
  save(): void {
    if (!this.#index.dirty) return
    this.#index.dirty = false
    try {
      writeState(join(this.#dir, 'log.index'), JSON.stringify(this.#index.state))
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }

  /** Bytes at a logical offset, at most `maxBytes`; nothing at the end. Bytes that are gone are skipped. */
  async read(offset: number, maxBytes: number): Promise<{ readonly offset: number; readonly bytes: Buffer }> {
    const { base, old } = this.#index.state
    let from = Math.max(offset, this.head)
    let file = this.path
    let start = base
    if (from < base) {
      if (old && from < old.end) [file, start] = [join(this.#dir, 'log.1'), old.start]
      from = Math.max(from, start)
    }
    const bytes = await readAt(file, { position: from - start, length: Math.max(0, Math.min(maxBytes, this.end - from)) })
    // the front may have been thrown away while it was read: what came back then is holes
    return from < this.head ? this.read(this.head, maxBytes) : { offset: from, bytes }
  }

  /** Throws old lines away when there are more than the limits allow. @param fallocate path of the tool; empty: not installed */
  async rotate(limits: LogLimits, fallocate: string): Promise<void> {
    if (this.#rotating) return
    this.#rotating = true
    try {
      const { maxBytes, maxFiles } = limits
      const holes = fallocate !== '' && !this.#noHoles
      if (holes && this.end - this.head > maxBytes * maxFiles) await this.#punch(this.end - maxBytes * (maxFiles - 1), fallocate)
      // two files of half the size each
      if (!holes && this.end - this.#index.state.base > (maxBytes * maxFiles) / 2) await this.#copyAndEmpty()
    } finally {
      this.#rotating = false
    }
  }

  async #punch(target: number, fallocate: string): Promise<void> {
    const head = await this.#lineAfter(target)
    // readers, of this agent and the next, must know before the bytes become zeros
    this.#index.cut(head)
    this.save()
    const length = String(head - this.#index.state.base)
    try {
      await promisify(execFile)(fallocate, ['--punch-hole', '--offset', '0', '--length', length, this.path], { timeout: 30_000 })
    } catch {
      this.#noHoles = true
    }
  }

  async #copyAndEmpty(): Promise<void> {
    const { state } = this.#index
    await copyFile(this.path, join(this.#dir, 'log.1'))
    const { size } = statSync(join(this.#dir, 'log.1'))
    await truncate(this.path, 0)
    state.old = { start: state.base, end: state.base + size }
    this.#index.observe(size, 0)
    state.base += size
    this.#index.cut(state.old.start)
    this.save()
  }

  /** The start of the first line at or after a logical offset. */
  async #lineAfter(offset: number): Promise<number> {
    const { bytes, offset: from } = await this.read(offset, 65_536)
    const newline = bytes.indexOf(10)
    return newline === -1 ? from : from + newline + 1
  }
}

async function readAt(path: string, range: { readonly position: number; readonly length: number }): Promise<Buffer> {
  if (range.length === 0) return Buffer.alloc(0)
  let file
  try {
    file = await open(path, 'r')
  } catch (error) {
    if (isMissing(error)) return Buffer.alloc(0)
    throw error
  }
  try {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(range.length), 0, range.length, range.position)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
