import { Buffer } from 'node:buffer'
import { readFileSync, writeSync } from 'node:fs'
import { systemClock } from '../../src/base/clock.ts'
import { openLmdbStore } from '../../src/control-plane/store/index.ts'
import type { Ack } from './acks.ts'
import { findLosses } from './acks.ts'
import type { TraceEvent } from './parse-trace.ts'

/** Smallest piece of a write that a disk writes whole. */
const SECTOR_BYTES = 512

export interface CrashModel {
  /** Chance that a sector that was never flushed reached the disk all the same; 1: all did. */
  readonly keep: number
  readonly random: (below: number) => number
  /** Controls, which a check worth its name must find: a disk that lies about fdatasync, or about O_DSYNC. */
  readonly ignoreSync?: boolean
  readonly ignoreSyncWrites?: boolean
}

/** What a power cut after `count` events may leave of the directory: file name -> content. */
export function imageAfter(events: readonly TraceEvent[], count: number, model: CrashModel): Map<string, Buffer> {
  const disk = new CrashDisk(model)
  for (let i = 0; i < count; i++) disk.apply(events[i] as TraceEvent, i)
  return disk.cutPower()
}

type Unflushed = { readonly at: number; readonly event: TraceEvent & { type: 'write' | 'truncate' } }

class CrashFile {
  /** Grows ahead of `sizeBytes`. */
  #content = Buffer.alloc(1 << 16)
  #sizeBytes = 0
  unflushed: Unflushed[] = []

  get bytes(): Buffer {
    return this.#content.subarray(0, this.#sizeBytes)
  }

  put(offset: number, bytes: Buffer): void {
    this.#reserve(offset + bytes.length)
    bytes.copy(this.#content, offset)
    this.#sizeBytes = Math.max(this.#sizeBytes, offset + bytes.length)
  }

  truncate(sizeBytes: number): void {
    this.#reserve(sizeBytes)
    if (sizeBytes < this.#sizeBytes) this.#content.fill(0, sizeBytes, this.#sizeBytes)
    this.#sizeBytes = sizeBytes
  }

  flush(through: number): void {
    for (const { at, event } of this.unflushed) {
      if (at >= through) break
      if (event.type === 'write') this.put(event.offset, event.bytes)
      else this.truncate(event.sizeBytes)
    }
    this.unflushed = this.unflushed.filter(({ at }) => at >= through)
  }

  #reserve(sizeBytes: number): void {
    if (sizeBytes <= this.#content.length) return
    const larger = Buffer.alloc(sizeBytes * 2)
    this.#content.copy(larger)
    this.#content = larger
  }
}

class CrashDisk {
  readonly #model: CrashModel
  readonly #files = new Map<string, CrashFile>()
  #renames: { readonly from: string; readonly to: string }[] = []

  constructor(model: CrashModel) {
    this.#model = model
  }

  apply(event: TraceEvent, at: number): void {
    switch (event.type) {
      case 'write':
        if (event.isSync && !this.#model.ignoreSyncWrites) this.#file(event.file).put(event.offset, event.bytes)
        else this.#file(event.file).unflushed.push({ at, event })
        return
      case 'truncate':
        this.#file(event.file).unflushed.push({ at, event })
        return
      case 'sync':
        if (!this.#model.ignoreSync) this.#file(event.file).flush(event.through)
        return
      case 'rename':
        this.#renames.push(event)
        return
      case 'syncDirectory':
        if (!this.#model.ignoreSync) this.#rename()
        return
      case 'ack':
    }
  }

  cutPower(): Map<string, Buffer> {
    if (this.#chance()) this.#rename()
    for (const file of this.#files.values()) {
      for (const { event } of file.unflushed) {
        if (event.type === 'truncate') {
          if (this.#chance()) file.truncate(event.sizeBytes)
        } else this.#tear(file, event)
      }
    }
    return new Map([...this.#files].map(([name, file]) => [name, file.bytes]))
  }

  #tear(file: CrashFile, { offset, bytes }: TraceEvent & { type: 'write' }): void {
    for (let start = 0; start < bytes.length; start += SECTOR_BYTES) {
      if (this.#chance()) file.put(offset + start, bytes.subarray(start, start + SECTOR_BYTES))
    }
  }

  #chance(): boolean {
    return this.#model.random(1000) < this.#model.keep * 1000
  }

  /** A file that has been renamed goes by its new name in the trace even before the rename is durable. */
  #file(name: string): CrashFile {
    const current = this.#renames.find((rename) => rename.to === name)?.from ?? name
    let file = this.#files.get(current)
    if (!file) this.#files.set(current, (file = new CrashFile()))
    return file
  }

  #rename(): void {
    for (const { from, to } of this.#renames) {
      const file = this.#files.get(from)
      this.#files.delete(from)
      if (file) this.#files.set(to, file)
    }
    this.#renames = []
  }
}

export interface ImageList {
  readonly acks: readonly Ack[]
  /** The directory of each image and how many of `acks` had been told when the power went. */
  readonly images: readonly { readonly dir: string; readonly acked: number }[]
}

/** Opens and checks images from number `from` on, one line each: `IMAGE number problem...`. A damaged one may end the process. */
export async function checkImages(listFile: string, from: number): Promise<void> {
  const { acks, images } = JSON.parse(readFileSync(listFile, 'utf8')) as ImageList
  for (let number = from; number < images.length; number++) {
    const { dir, acked } = images[number] as ImageList['images'][number]
    const problems = await checkImage(dir, acks.slice(0, acked))
    writeSync(1, `IMAGE ${number} ${problems.slice(0, 3).join('; ').slice(0, 300)}\n`)
  }
}

async function checkImage(dir: string, acks: readonly Ack[]): Promise<string[]> {
  try {
    const store = await openLmdbStore({ dir, clock: systemClock, compaction: false })
    try {
      return await findLosses(store, acks, 1)
    } finally {
      await store.close()
    }
  } catch (error) {
    return [String(error)]
  }
}
