import { spawn } from 'node:child_process'
import { messageOf } from '../../base/errors.ts'
import type { StoredRecord, StoreMeta } from './backend.ts'
import { StoreError } from './contract.ts'
import { LmdbBackend } from './lmdb-backend.ts'

/** What a check found; revisions as decimal strings, because it travels as JSON. */
export interface StoreReport {
  readonly records: number
  readonly keys: number
  readonly revision: string
  readonly compactRevision: string
  readonly clusterId: string
}

/**
 * Reads every record of the store in `dir`, which nobody may have open, and checks checksums, order and the numbers that
 * must agree with each other. A badly damaged file makes LMDB end the process: use `verifyInChild` from a server.
 *
 * @throws StoreError `Corrupt`
 */
export async function verifyStore(dir: string): Promise<StoreReport> {
  const backend = new LmdbBackend({ dir, readOnly: true })
  if (!backend.exists) throw new StoreError('Corrupt', `${dir}: holds no store`)
  try {
    const { meta } = backend.open()
    if (!meta) throw new StoreError('Corrupt', `${dir}: the store has no meta record`)
    return checkRecords(backend.scan(), meta)
  } catch (error) {
    if (error instanceof StoreError) throw error
    throw new StoreError('Corrupt', `${dir}: ${messageOf(error)}`, { cause: error })
  } finally {
    await backend.close()
  }
}

/** Checks records in scan order against each other and against `meta`. @throws StoreError `Corrupt` */
export function checkRecords(records: Iterable<StoredRecord>, meta: StoreMeta): StoreReport {
  const newest = new Map<string, StoredRecord>()
  let count = 0
  let last: StoredRecord | undefined
  for (const record of records) {
    const problem = problemOf(record, { last, before: newest.get(record.key), meta })
    if (problem) throw new StoreError('Corrupt', `record ${record.modRevision}/${record.index} (${record.key}): ${problem}`)
    newest.set(record.key, record)
    last = record
    count++
  }
  let keys = 0
  for (const record of newest.values()) if (record.version > 0) keys++
  return {
    records: count,
    keys,
    revision: String(meta.lastRevision),
    compactRevision: String(meta.compactRevision),
    clusterId: meta.clusterId,
  }
}

/**
 * Runs the check in a child process. `argv` is the command and arguments to which the directory is appended; it prints
 * what `integrity-child` prints. A child that crashes means a damaged store as well.
 *
 * @throws StoreError `Corrupt`
 */
export async function verifyInChild(argv: readonly string[], dir: string): Promise<StoreReport> {
  const [command = '', ...args] = argv
  const child = spawn(command, [...args, dir], { stdio: ['ignore', 'pipe', 'pipe'] })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr = (output.stderr + text).slice(-4096)))
  const { code, signal } = await new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal }))
  })
  if (code === 0) return JSON.parse(output.stdout) as StoreReport
  const how = signal ? `the check was ended by ${signal}` : `the check ended with exit code ${code}`
  throw new StoreError(
    'Corrupt',
    `${dir}: ${how}: ${output.stderr.trim() || 'it printed nothing'}; restore the data directory from a backup`,
  )
}

interface Neighbours {
  readonly last: StoredRecord | undefined
  /** The record of the same key before, if it is still there. */
  readonly before: StoredRecord | undefined
  readonly meta: StoreMeta
}

function problemOf(record: StoredRecord, { last, before, meta }: Neighbours): string | undefined {
  const { modRevision, index, createRevision, version } = record
  if (last && (modRevision < last.modRevision || (modRevision === last.modRevision && index <= last.index))) return 'is out of order'
  if (modRevision > meta.lastRevision) return `is newer than the last revision ${meta.lastRevision}`
  if (!Number.isSafeInteger(modRevision) || modRevision < 2) return 'has no plausible revision'
  if (version === 0) return before?.version === 0 ? 'deletes a key twice' : undefined
  if (createRevision > modRevision) return 'was changed before it was created'
  if (version === 1 && createRevision !== modRevision) return 'is a first version but not a creation'
  if (before && before.version > 0 && (version !== before.version + 1 || createRevision !== before.createRevision))
    return `does not follow version ${before.version}`
  if (before?.version === 0 && version !== 1) return 'goes on after a deletion'
  return undefined
}
