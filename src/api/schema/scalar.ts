import { canonicalQuantity, QuantityError } from '../meta/quantity.ts'
import type { ScalarType } from './schema.ts'

/** A value that its scalar type refuses; `reason` says why as Go's decoder does. */
export class ScalarError {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

/**
 * The value in the form in which it is stored: quantities and times in canonical form, base64 without line breaks, all
 * else as it is. A ScalarError (returned, not thrown: this is the hot path) where the type refuses it.
 */
export function normalizeScalar(type: ScalarType, value: unknown): unknown {
  switch (type) {
    case 'string':
      return typeof value === 'string' ? value : mismatch(type, value)
    case 'boolean':
      return typeof value === 'boolean' ? value : mismatch('bool', value)
    case 'int32':
      return typeof value === 'number' && value === (value | 0) ? value : mismatch(type, value)
    case 'integer':
    case 'int64':
      return normalizeInt64(value)
    case 'double':
      if (typeof value === 'bigint') return Number(value)
      return typeof value === 'number' ? value : mismatch('float64', value)
    case 'byte':
      return normalizeBytes(value)
    case 'date-time':
      return normalizeTime(value, 0)
    case 'micro-time':
      return normalizeTime(value, 6)
    case 'quantity':
      return normalizeQuantity(value)
    case 'int-or-string':
      if (typeof value === 'string') return value
      return typeof value === 'number' && value === (value | 0) ? value : mismatch('int32', value)
    case 'any':
    case 'raw':
      return value
  }
}

/** What an absent element of a list or map is in Go: its zero value. */
export function zeroScalar(type: ScalarType): unknown {
  switch (type) {
    case 'string':
    case 'byte':
      return ''
    case 'boolean':
      return false
    case 'int32':
    case 'int64':
    case 'integer':
    case 'double':
    case 'int-or-string':
      return 0
    case 'quantity':
      return '0'
    default:
      return null
  }
}

/** How Go's decoder calls the JSON type of a value. */
export function jsonType(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  switch (typeof value) {
    case 'boolean':
      return 'bool'
    case 'bigint':
      return 'number'
    default:
      return typeof value
  }
}

function mismatch(goType: string, value: unknown): ScalarError {
  const shown = typeof value === 'number' || typeof value === 'bigint' ? `number ${value}` : jsonType(value)
  return new ScalarError(`cannot unmarshal ${shown} into a value of type ${goType}`)
}

const MAX_INT64 = 2n ** 63n - 1n

function normalizeInt64(value: unknown): unknown {
  if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) < 2 ** 63) return value
  if (typeof value === 'bigint' && value <= MAX_INT64 && value >= -MAX_INT64 - 1n) return value
  return mismatch('int64', value)
}

function normalizeBytes(value: unknown): unknown {
  if (typeof value !== 'string') return mismatch('[]uint8', value)
  const text = value.includes('\n') || value.includes('\r') ? value.replace(/[\r\n]/g, '') : value
  if (text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text)) return text
  const bad = /^[A-Za-z0-9+/]*/.exec(text)?.[0].length ?? 0
  return new ScalarError(`illegal base64 data at input byte ${bad}`)
}

const CANONICAL_QUANTITY = /^(?:0|[1-9]\d{0,2}(?:[numkMGTPE]|[KMGTPE]i)?)$/

function normalizeQuantity(value: unknown): unknown {
  const text = typeof value === 'number' || typeof value === 'bigint' ? String(value) : value
  if (typeof text !== 'string') return mismatch('Quantity', value)
  if (CANONICAL_QUANTITY.test(text)) return text
  try {
    return canonicalQuantity(text.trim())
  } catch (error) {
    if (error instanceof QuantityError) return new ScalarError(error.message)
    throw error
  }
}

const RFC3339 = /^(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)$/

// canonical: UTC, whole seconds (Time) or six digits (MicroTime); more digits than that are cut off as in Go
function normalizeTime(value: unknown, digits: 0 | 6): unknown {
  if (typeof value !== 'string') return mismatch(digits === 0 ? 'Time' : 'MicroTime', value)
  const match = RFC3339.exec(value)
  const millis = match ? Date.parse(`${match[1]}T${match[2]}${match[4]?.toUpperCase()}`) : Number.NaN
  if (!match || Number.isNaN(millis)) {
    const layout = digits === 0 ? '2006-01-02T15:04:05Z07:00' : '2006-01-02T15:04:05.000000Z07:00'
    return new ScalarError(`parsing time ${JSON.stringify(value.slice(0, 64))} as ${JSON.stringify(layout)}: cannot parse`)
  }
  const instant = new Date(millis)
  const seconds = instant.toISOString().slice(0, -5)
  if (!/^\d{4}-/.test(seconds)) return new ScalarError('year is outside of range [0,9999]')
  return digits === 0 ? `${seconds}Z` : `${seconds}.${(match[3] ?? '').padEnd(6, '0').slice(0, 6)}Z`
}
