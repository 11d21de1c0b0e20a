import { GrpcJsonError } from './error.ts'
import { shown, type Json } from './json-values.ts'
import type { ScalarType } from './descriptor-set.ts'

/** Types whose JSON is not that of a message: https://protobuf.dev/programming-guides/json. */
export const WRAPPERS: ReadonlyMap<string, ScalarType> = new Map(
  Object.entries({
    'google.protobuf.DoubleValue': 'double',
    'google.protobuf.FloatValue': 'float',
    'google.protobuf.Int64Value': 'int64',
    'google.protobuf.UInt64Value': 'uint64',
    'google.protobuf.Int32Value': 'int32',
    'google.protobuf.UInt32Value': 'uint32',
    'google.protobuf.BoolValue': 'bool',
    'google.protobuf.StringValue': 'string',
    'google.protobuf.BytesValue': 'bytes',
  } as const),
)

const OTHERS = new Set(
  ['Any', 'Duration', 'FieldMask', 'ListValue', 'Struct', 'Timestamp', 'Value'].map((name) => `google.protobuf.${name}`),
)

/** Whether an Any of this type has its JSON in `value`. */
export const hasOwnJson = (typeName: string): boolean => WRAPPERS.has(typeName) || OTHERS.has(typeName)

export interface Time {
  readonly seconds: bigint
  readonly nanos: number
}

const LONGEST = 315_576_000_000n
const EARLIEST = -62_135_596_800n
const LATEST = 253_402_300_799n

/** `1.5s` @throws {GrpcJsonError} */
export function parseDuration(value: Json): Time {
  const found = typeof value === 'string' ? /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/.exec(value) : undefined
  const seconds = BigInt(found?.[2] ?? 0)
  if (!found || seconds > LONGEST) throw new GrpcJsonError(`is a duration such as "1.5s", not ${shown(value)}`)
  const nanos = Number((found[3] ?? '').padEnd(9, '0'))
  return found[1] === '-' ? { seconds: -seconds, nanos: 0 - nanos } : { seconds, nanos }
}

/** @throws {GrpcJsonError} where it is none */
export function formatDuration({ seconds, nanos }: Time): string {
  const isMixed = (seconds > 0n && nanos < 0) || (seconds < 0n && nanos > 0)
  if (isMixed || seconds > LONGEST || seconds < -LONGEST || Math.abs(nanos) > 999_999_999)
    throw new GrpcJsonError(`has ${seconds} seconds and ${nanos} nanoseconds, which is no duration`)
  const sign = seconds < 0n || nanos < 0 ? '-' : ''
  return `${sign}${seconds < 0n ? -seconds : seconds}${fraction(Math.abs(nanos))}s`
}

/** RFC 3339 @throws {GrpcJsonError} */
export function parseTimestamp(value: Json): Time {
  const found = typeof value === 'string' ? /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(value) : undefined
  const ms = found ? Date.parse(`${found[1]}${found[3]}`) : Number.NaN
  if (!found || Number.isNaN(ms)) throw new GrpcJsonError(`is a time such as "2030-01-31T12:00:00Z", not ${shown(value)}`)
  const seconds = BigInt(ms / 1000)
  if (seconds < EARLIEST || seconds > LATEST) throw new GrpcJsonError(`is a time of the years 1 to 9999, not ${shown(value)}`)
  return { seconds, nanos: Number((found[2] ?? '').padEnd(9, '0')) }
}

/** @throws {GrpcJsonError} where it is none */
export function formatTimestamp({ seconds, nanos }: Time): string {
  if (seconds < EARLIEST || seconds > LATEST || nanos < 0 || nanos > 999_999_999)
    throw new GrpcJsonError(`has ${seconds} seconds and ${nanos} nanoseconds, which is no time of the years 1 to 9999`)
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}${fraction(nanos)}Z`
}

/** None, three, six or nine digits. */
function fraction(nanos: number): string {
  if (nanos === 0) return ''
  const digits = String(nanos).padStart(9, '0')
  return `.${digits.replace(/(000){1,2}$/, '')}`
}

/** `a.bC,d` gives `a.b_c` and `d`. @throws {GrpcJsonError} */
export function parseFieldMask(value: Json): readonly string[] {
  if (typeof value !== 'string' || value.includes('_')) throw new GrpcJsonError(`is a mask such as "name,book.isOpen", not ${shown(value)}`)
  return value === '' ? [] : value.split(',').map((path) => path.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`))
}

/** @throws {GrpcJsonError} where a path would not come back as it was */
export function formatFieldMask(paths: readonly string[]): string {
  return paths
    .map((path) => {
      if (/[A-Z]|_(?![a-z])/.test(path)) throw new GrpcJsonError(`has the path ${JSON.stringify(path)}, which JSON cannot tell`)
      return path.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
    })
    .join(',')
}
