import { chmodSync, closeSync, existsSync, fsyncSync, openSync, readSync, renameSync, rmSync, statfsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { RootDatabase } from 'lmdb'
import { open as openLmdb } from 'lmdb'
import { messageOf } from '../../base/errors.ts'
import type { Backend, Commit, RecordId, SavedState, StoredRecord, StoreMeta } from './backend.ts'
import { StoreError } from './contract.ts'
import {
  corrupt,
  decodeLease,
  decodeMeta,
  decodeRecord,
  decodeValue,
  encodeLease,
  encodeLeaseKey,
  encodeMeta,
  encodeRecord,
  encodeRecordKey,
  END_KEY,
  FIRST_LEASE_KEY,
  FIRST_RECORD_KEY,
  META_KEY,
} from './record-codec.ts'

/** Name of the database inside the data directory. */
const DATABASE_FILE = 'store.mdb'

/** Address space, not memory or disk; the largest the database can become. */
const MAP_SIZE_BYTES = 64 * 1024 ** 3

/** With less than this, a failed write is blamed on lack of space. */
const LEAST_FREE_BYTES = 1024 * 1024

/** Where LMDB writes its magic number into the first page, and the number. */
const MAGIC_OFFSET = 24
const MAGIC = 0xbeefc0de

export interface LmdbBackendOptions {
  readonly dir: string
  /** For checks of a directory that nobody else has open. */
  readonly readOnly?: boolean
}

/** LMDB with one flush per commit. A damaged file may end the process: see verify-store. */
export class LmdbBackend implements Backend {
  readonly readsValues = true
  readonly #file: string
  readonly #readOnly: boolean
  #opened: RootDatabase<Uint8Array, Uint8Array> | undefined

  constructor(options: LmdbBackendOptions) {
    this.#file = join(options.dir, DATABASE_FILE)
    this.#readOnly = options.readOnly ?? false
  }

  get exists(): boolean {
    return existsSync(this.#file)
  }

  /**
   * Makes the database: complete and durable under its name, or not there at all.
   *
   * @throws StoreError `ReadOnly` when the disk refuses it
   */
  async create(meta: StoreMeta): Promise<void> {
    const temporary = `${this.#file}.new`
    for (const leftOver of [temporary, `${temporary}-lock`]) rmSync(leftOver, { force: true })
    try {
      this.#opened = connect(temporary, false)
      // it holds every Secret of the cluster
      chmodSync(temporary, 0o600)
      await this.commit({ records: [], removed: [], leases: [], meta })
      await this.close()
      renameSync(temporary, this.#file)
      rmSync(`${temporary}-lock`, { force: true })
      // the flush of a file does not flush its name
      syncDirectory(dirname(this.#file))
      syncDirectory(dirname(dirname(this.#file)))
    } catch (error) {
      throw new StoreError('ReadOnly', `${this.#file}: cannot be made: ${messageOf(error)}`, { cause: error })
    }
  }

  open(): SavedState {
    checkMagic(this.#file)
    try {
      const db = connect(this.#file, this.#readOnly)
      this.#opened = db
      const meta = db.getBinary(META_KEY)
      if (!meta) throw damaged(this.#file, 'has no meta record')
      const leases = [...db.getRange({ start: FIRST_LEASE_KEY, end: FIRST_RECORD_KEY })].map(({ key, value }) => decodeLease(value, key))
      return { meta: decodeMeta(meta), leases }
    } catch (error) {
      throw this.#diagnose(error)
    }
  }

  *scan(): Iterable<StoredRecord> {
    try {
      for (const { key, value } of this.#db.getRange({ start: FIRST_RECORD_KEY, end: END_KEY })) yield decodeRecord(value, key)
    } catch (error) {
      throw this.#diagnose(error)
    }
  }

  async commit({ records, removed, leases, meta }: Commit): Promise<void> {
    const db = this.#db
    const appended: Promise<boolean>[] = []
    const written = db.batch(() => {
      for (const record of records) {
        const key = encodeRecordKey(record)
        appended.push((db as Appendable).put(key, encodeRecord(record, key), APPEND))
      }
      for (const id of removed) void db.remove(encodeRecordKey(id))
      for (const change of leases) {
        const key = encodeLeaseKey(change.id)
        if (change.type === 'grant') void db.put(key, encodeLease(change.ttlSeconds, key))
        else void db.remove(key)
      }
      void db.put(META_KEY, encodeMeta(meta))
    })
    const [, ...done] = await Promise.all([written, ...appended]).catch(async (error: unknown) => {
      throw this.#explain(await causeOf(error))
    })
    // the append flag refuses a key that is not above all others: a second writer, or a bug
    if (!done.every(Boolean)) throw new StoreError('Corrupt', `${this.#file}: holds records above revision ${meta.lastRevision}`)
  }

  read(id: RecordId): Uint8Array {
    const key = encodeRecordKey(id)
    const bytes = this.#db.getBinaryFast(key)
    if (!bytes) throw corrupt(key, 'it is missing')
    // lmdb lends its own buffer, whose length property says how much of it is meant
    return decodeValue(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), key)
  }

  sizeBytes(): number {
    return statSync(this.#file).size
  }

  async close(): Promise<void> {
    await this.#opened?.close()
    this.#opened = undefined
  }

  /** A write cut short by a full disk reaches us as an input/output error. */
  #explain(cause: Error): Error {
    const { bavail, bsize } = statfsSync(dirname(this.#file))
    if (bavail * bsize >= LEAST_FREE_BYTES) return cause
    return new Error(`no space left on device, ${bavail * bsize} bytes are free (${cause.message})`, { cause })
  }

  /** LMDB's own error numbers, which are negative, tell of a damaged file; the system's do not. */
  #diagnose(error: unknown): unknown {
    const { code } = error as { code?: unknown }
    return typeof code === 'number' && code < 0 ? damaged(this.#file, messageOf(error)) : error
  }

  get #db(): RootDatabase<Uint8Array, Uint8Array> {
    if (!this.#opened) throw new StoreError('Closed', `${this.#file}: is not open`)
    return this.#opened
  }
}

function connect(file: string, readOnly: boolean): RootDatabase<Uint8Array, Uint8Array> {
  return openLmdb<Uint8Array, Uint8Array>(file, {
    // with overlapping sync, a commit is told before it is flushed, and after a copy or a VM restore the file may not open
    overlappingSync: false,
    // 4 KiB pages spend a page of their own on every value above 2 KB
    pageSize: 16_384,
    mapSize: MAP_SIZE_BYTES,
    encoding: 'binary',
    keyEncoding: 'binary',
    readOnly,
  })
}

/** Tells the plainest damage apart: handed a file that is none of its own, LMDB ends the process. */
function checkMagic(file: string): void {
  const head = Buffer.alloc(MAGIC_OFFSET + 4)
  const handle = openSync(file, 'r')
  try {
    readSync(handle, head, 0, head.length, 0)
  } finally {
    closeSync(handle)
  }
  if (head.readUInt32LE(MAGIC_OFFSET) !== MAGIC) throw damaged(file, 'is not a store')
}

function damaged(file: string, why: string): StoreError {
  return new StoreError('Corrupt', `${file}: ${why}; restore the data directory from a backup`)
}

function syncDirectory(dir: string): void {
  const handle = openSync(dir, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

/** An option of `put` that lmdb's own types leave out. */
interface Appendable {
  put(key: Uint8Array, value: Uint8Array, options: { readonly append: true }): Promise<boolean>
}
const APPEND = { append: true } as const

/** lmdb rejects with a general error and gives the reason through a second promise, which is rejected in the same turn. */
async function causeOf(error: unknown): Promise<Error> {
  const detail = (error as { commitError?: Promise<never> }).commitError
  if (!detail) return error instanceof Error ? error : new Error(messageOf(error))
  const turn = new Promise<undefined>((resolve) => setImmediate(() => resolve(undefined)))
  const reason = await Promise.race([detail, turn]).catch((reason: unknown) => reason)
  return new Error(reason === undefined ? messageOf(error) : messageOf(reason), { cause: error })
}
