import { StatusError } from '../../base/errors.ts'
import { encodeJson, getOwn, isJsonObject, setOwn } from '../../base/json.ts'
import { cloneJson } from './clone.ts'
import { deepEqual } from './equality.ts'

export interface JsonPatchOperation {
  readonly op: 'add' | 'remove' | 'replace' | 'move' | 'copy' | 'test'
  /** JSON pointer (RFC 6901). */
  readonly path: string
  readonly from?: string
  readonly value?: unknown
}

/** As upstream allows. */
const MAX_OPERATIONS = 10_000
/** Bytes of JSON that all `copy` operations of one patch may add together. */
const MAX_COPIED_BYTES = 3 * 1024 * 1024
const MAX_DEPTH = 500

/**
 * Applies a JSON patch (RFC 6902). `document` and `patch` are not changed; the answer shares nothing with them.
 * @param patch the decoded body
 * @throws {StatusError} BadRequest for what is no patch, RequestEntityTooLarge for more than 10,000 operations, Invalid for
 * an operation that does not apply, for copies of more than 3 MiB together and for a result nested deeper than 500
 */
export function applyJsonPatch<T>(document: T, patch: unknown): T {
  const operations = readPatch(patch)
  const root: Root = { value: cloneJson(document) as unknown, copiedBytes: 0 }
  try {
    for (const operation of operations) apply(root, operation)
  } catch (error) {
    // moves can nest what no decoder would accept; the native encoder and clone then run out of stack
    if (error instanceof RangeError) throw invalid('the patched document is nested too deeply')
    throw error
  }
  if (isDeeperThan(root.value, MAX_DEPTH)) throw invalid(`the patched document is nested deeper than ${MAX_DEPTH} levels`)
  return root.value as T
}

interface Root {
  value: unknown
  copiedBytes: number
}

const OPERATIONS: ReadonlySet<string> = new Set(['add', 'remove', 'replace', 'move', 'copy', 'test'])

function readPatch(patch: unknown): readonly JsonPatchOperation[] {
  if (!Array.isArray(patch)) throw new StatusError('BadRequest', 'error decoding patch: a JSON patch is a list of operations')
  if (patch.length > MAX_OPERATIONS) {
    throw new StatusError(
      'RequestEntityTooLarge',
      `The allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${patch.length}`,
    )
  }
  patch.forEach(checkOperation)
  return patch as JsonPatchOperation[]
}

function checkOperation(operation: unknown, i: number): void {
  const bad = (why: string): StatusError => new StatusError('BadRequest', `error decoding patch: operation ${i}: ${why}`)
  if (typeof operation !== 'object' || operation === null) throw bad('not an object')
  const { op, path, from } = operation as Partial<Record<string, unknown>>
  if (typeof op !== 'string' || !OPERATIONS.has(op)) throw bad(`unexpected kind ${JSON.stringify(op) ?? '(none)'}`)
  if (typeof path !== 'string') throw bad('path is missing')
  if ((op === 'move' || op === 'copy') && typeof from !== 'string') throw bad(`${op} needs from`)
  if ((op === 'add' || op === 'replace' || op === 'test') && !Object.hasOwn(operation, 'value')) throw bad(`${op} needs a value`)
}

function apply(root: Root, operation: JsonPatchOperation): void {
  const { op, path } = operation
  switch (op) {
    case 'add':
      return add(root, path, cloneJson(operation.value), op)
    case 'remove':
      return void remove(root, path, op)
    case 'replace':
      return replace(root, path, cloneJson(operation.value))
    case 'move':
      return move(root, operation.from as string, path)
    case 'copy':
      return copy(root, operation.from as string, path)
    case 'test': {
      // a missing value equals null, as upstream's library has it
      const found = lookup(root.value, readPointer(path, op)) ?? null
      if (!deepEqual(found, operation.value)) throw invalid(`testing value ${path} failed: test failed`)
    }
  }
}

function move(root: Root, from: string, path: string): void {
  if (path === from) {
    if (lookup(root.value, readPointer(from, 'move')) === undefined) throw missing('move', from)
    return
  }
  if (path.startsWith(`${from}/`)) throw invalid(`move operation does not apply: ${from} cannot be moved into itself`)
  add(root, path, remove(root, from, 'move'), 'move')
}

function copy(root: Root, from: string, path: string): void {
  const value = lookup(root.value, readPointer(from, 'copy'))
  if (value === undefined) throw missing('copy', from)
  root.copiedBytes += encodeJson(value).length
  if (root.copiedBytes > MAX_COPIED_BYTES) {
    throw invalid(
      `Unable to complete the copy, the accumulated size increase of copy is ${root.copiedBytes}, exceeding the limit ${MAX_COPIED_BYTES}`,
    )
  }
  add(root, path, cloneJson(value), 'copy')
}

function add(root: Root, path: string, value: unknown, op: string): void {
  const pointer = readPointer(path, op)
  const last = pointer.pop()
  if (last === undefined) {
    root.value = value
    return
  }
  const parent = lookup(root.value, pointer)
  if (Array.isArray(parent)) parent.splice(last === '-' ? parent.length : indexIn(parent, last, { op, path, extra: 1 }), 0, value)
  else if (isJsonObject(parent)) setOwn(parent, last, value)
  else throw missing(op, path)
}

function replace(root: Root, path: string, value: unknown): void {
  const pointer = readPointer(path, 'replace')
  const last = pointer.pop()
  if (last === undefined) {
    root.value = value
    return
  }
  const parent = lookup(root.value, pointer)
  if (Array.isArray(parent)) parent[indexIn(parent, last, { op: 'replace', path, extra: 0 })] = value
  else if (isJsonObject(parent) && Object.hasOwn(parent, last)) setOwn(parent, last, value)
  else throw invalid(`replace operation does not apply: doc is missing ${isJsonObject(parent) ? 'key' : 'path'}: ${path}: missing value`)
}

function remove(root: Root, path: string, op: string): unknown {
  const pointer = readPointer(path, op)
  const last = pointer.pop()
  if (last === undefined) throw invalid(`${op} operation does not apply: the whole document cannot be removed`)
  const parent = lookup(root.value, pointer)
  if (Array.isArray(parent)) return parent.splice(indexIn(parent, last, { op, path, extra: 0 }), 1)[0] as unknown
  if (!isJsonObject(parent) || !Object.hasOwn(parent, last)) throw missing(op, path)
  const value = parent[last]
  delete parent[last]
  return value
}

/** The unescaped steps of a JSON pointer (RFC 6901). */
function readPointer(path: string, op: string): string[] {
  if (path === '') return []
  if (!path.startsWith('/')) throw missing(op, path)
  const steps = path.slice(1).split('/')
  return path.includes('~') ? steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~')) : steps
}

function lookup(document: unknown, pointer: readonly string[]): unknown {
  let value = document
  for (const step of pointer) {
    if (Array.isArray(value)) value = ARRAY_INDEX.test(step) ? (value[Number(step)] as unknown) : undefined
    else if (isJsonObject(value)) value = getOwn(value, step)
    else return undefined
  }
  return value
}

const ARRAY_INDEX = /^(0|[1-9]\d{0,8})$/

/** @param place `extra` is 1 where the index may stand just behind the last element */
function indexIn(
  array: readonly unknown[],
  step: string,
  place: { readonly op: string; readonly path: string; readonly extra: 0 | 1 },
): number {
  const index = ARRAY_INDEX.test(step) ? Number(step) : -1
  if (index < 0 || index >= array.length + place.extra) {
    throw invalid(
      `${place.op} operation does not apply: doc is missing path: ${place.path}: Unable to access invalid index: ${step}: invalid index referenced`,
    )
  }
  return index
}

function isDeeperThan(value: unknown, limit: number): boolean {
  let level: unknown[] = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > limit) return true
    const next: unknown[] = []
    for (const item of level) {
      if (typeof item !== 'object' || item === null) continue
      for (const child of Object.values(item)) if (typeof child === 'object' && child !== null) next.push(child)
    }
    level = next
  }
  return false
}

function missing(op: string, path: string): StatusError {
  return invalid(`${op} operation does not apply: doc is missing path: ${path}: missing value`)
}

function invalid(why: string): StatusError {
  return new StatusError('Invalid', `the server rejected our request due to an error in our request: ${why}`)
}
