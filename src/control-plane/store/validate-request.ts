import { Buffer } from 'node:buffer'
import type { Compare, Op } from './contract.ts'
import { StoreError } from './contract.ts'

/** etcd's own limits: --max-request-bytes and --max-txn-ops; the key limit is ours. */
export const MAX_KEY_BYTES = 4096
export const MAX_VALUE_BYTES: number = 1.5 * 1024 * 1024
export const MAX_TXN_OPS = 128

/** @throws StoreError `InvalidArgument` */
export function checkTxn(compares: readonly Compare[], onSuccess: readonly Op[], onFailure: readonly Op[]): void {
  for (const [name, list] of Object.entries({ compares, onSuccess, onFailure })) {
    if (list.length > MAX_TXN_OPS)
      throw invalid(`${name}: ${list.length} operations in one transaction, at most ${MAX_TXN_OPS} are allowed`)
  }
  for (const compare of compares) checkKey(compare.key)
  checkBranch(onSuccess)
  checkBranch(onFailure)
}

/** @throws StoreError `InvalidArgument` */
export function checkKey(key: string): void {
  if (key.length === 0) throw invalid('a key must not be empty')
  // at most 3 bytes a code unit: most keys need no closer look
  if (key.length * 3 <= MAX_KEY_BYTES && isAscii(key)) return
  const bytes = Buffer.byteLength(key)
  if (bytes > MAX_KEY_BYTES) throw invalid(`key ${key.slice(0, 64)}...: ${bytes} bytes, at most ${MAX_KEY_BYTES} are allowed`)
  if (/\p{Surrogate}/u.test(key)) throw invalid(`key ${JSON.stringify(key)}: has half a surrogate pair, which UTF-8 cannot carry`)
}

/** A revision from outside as a plain number; above the exact range it stays above every real revision. @throws StoreError `InvalidArgument` */
export function checkRevision(revision: bigint, name: string): number {
  if (revision < 1n) throw invalid(`${name} ${revision}: revisions start at 1`)
  return Number(revision)
}

function checkBranch(ops: readonly Op[]): void {
  const written = new Set<string>()
  for (const op of ops) {
    checkKey(op.key)
    if (op.type === 'get') continue
    if (written.has(op.key)) throw invalid(`key ${op.key}: written twice in one transaction`)
    written.add(op.key)
    if (op.type === 'put' && op.value.length > MAX_VALUE_BYTES)
      throw invalid(`key ${op.key}: value of ${op.value.length} bytes, at most ${MAX_VALUE_BYTES} are allowed`)
  }
}

// oxlint-disable-next-line no-control-regex -- the whole ASCII range is meant
const isAscii = (text: string): boolean => /^[\0-\x7f]*$/.test(text)

function invalid(message: string): StoreError {
  return new StoreError('InvalidArgument', message)
}
