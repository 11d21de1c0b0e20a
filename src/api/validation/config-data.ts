import type { FieldErrors } from './field-errors.ts'
import { checkConfigKey } from './names.ts'
import { semanticEqual } from './semantic-equal.ts'

/** All values of a ConfigMap or Secret together, in bytes. */
export const MAX_DATA_BYTES: number = 1024 * 1024

type Data = Readonly<Record<string, string>> | undefined

const FIXED = 'field is immutable when `immutable` is set'

/** Keys of `data` or `binaryData`. */
export function checkDataKeys(errors: FieldErrors, field: string, data: Data): void {
  for (const key of Object.keys(data ?? {})) errors.invalidEach(`${field}[${key}]`, key, checkConfigKey(key))
}

/** Bytes of all values as UTF-8 text. */
export function textBytes(data: Data): number {
  return Object.values(data ?? {}).reduce((sum, text) => sum + Buffer.byteLength(text), 0)
}

/** Bytes that all values stand for in base64. */
export function decodedBytes(data: Data): number {
  return Object.values(data ?? {}).reduce((sum, text) => sum + Buffer.byteLength(text, 'base64'), 0)
}

interface Freezable {
  readonly immutable?: boolean | undefined
  readonly data?: Data
  readonly binaryData?: Data
}

/** Once `immutable` is set, neither it nor the data can change. */
export function checkFrozen(errors: FieldErrors, next: Freezable, previous: Freezable): void {
  if (!previous.immutable) return
  if (!next.immutable) errors.forbidden('immutable', FIXED)
  for (const key of ['data', 'binaryData'] as const) if (!semanticEqual(next[key], previous[key])) errors.forbidden(key, FIXED)
}
