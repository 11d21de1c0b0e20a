import type { ScalarType } from './descriptor-set.ts'
import { GrpcJsonError } from './error.ts'
import type { ScalarValue } from './wire.ts'

/** What JSON.parse gives, and bigints for whole numbers that a number does not hold exactly (see parseJson). */
export type Json = null | boolean | number | bigint | string | readonly Json[] | { readonly [key: string]: Json }

/** JSON with all digits of whole numbers: those beyond 2^53 become bigints. @throws {GrpcJsonError} */
export function parseJson(text: string): Json {
  let value: Json
  try {
    value = JSON.parse(text) as Json
  } catch (error) {
    throw new GrpcJsonError(`this is no JSON: ${(error as Error).message}`)
  }
  // rare, and read twice: JSON.parse itself says nothing of the digits
  if (!/\d{16}/.test(text) || text.includes(ESCAPED_MARK)) return value
  const marked = text.replaceAll(STRING_OR_NUMBER, (token) =>
    /^-?\d{16,40}$/.test(token) && !Number.isSafeInteger(Number(token)) ? `"${ESCAPED_MARK}${token}"` : token,
  )
  return JSON.parse(marked, (_, one: unknown) =>
    typeof one === 'string' && one.startsWith(MARK) ? BigInt(one.slice(MARK.length)) : one,
  ) as Json
}

/** Of a number that stands as text for a moment. */
const MARK = '\u0000#'
const ESCAPED_MARK = String.raw`\u0000#`
/** Of JSON that is known to be good. */
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

const RANGES: Partial<Record<ScalarType, readonly [min: bigint, max: bigint]>> = {
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  sint32: [-(2n ** 31n), 2n ** 31n - 1n],
  sfixed32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  fixed32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  sint64: [-(2n ** 63n), 2n ** 63n - 1n],
  sfixed64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
  fixed64: [0n, 2n ** 64n - 1n],
}

const is64 = (type: ScalarType): boolean => type.endsWith('64')

/** A value of a scalar field. Text is taken for numbers too. Source: protobuf.dev/programming-guides/json. @throws {GrpcJsonError} */
export function scalarOf(type: ScalarType, value: Json): ScalarValue {
  const range = RANGES[type]
  if (range) {
    const whole = wholeOf(value)
    if (whole === undefined || whole < range[0] || whole > range[1])
      throw new GrpcJsonError(`is a whole number from ${range[0]} to ${range[1]}, not ${shown(value)}`)
    return is64(type) ? whole : Number(whole)
  }
  switch (type) {
    case 'bool':
      if (typeof value !== 'boolean') throw new GrpcJsonError(`is true or false, not ${shown(value)}`)
      return value
    case 'string':
      if (typeof value !== 'string') throw new GrpcJsonError(`is text, not ${shown(value)}`)
      return value
    case 'bytes':
      return bytesOf(value)
    default:
      return floatOf(type, value)
  }
}

/** `1`, `"1"`, `1e2` and `1.0` are whole; more digits than any type has are not looked at. */
function wholeOf(value: Json): bigint | undefined {
  if (typeof value === 'bigint') return value
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : Number.isInteger(value) ? BigInt(value) : undefined
  if (typeof value !== 'string' || value.length > 40) return undefined
  if (/^-?(0|[1-9]\d*)$/.test(value)) return BigInt(value)
  return /^-?\d+(\.\d+)?([eE][+-]?\d{1,3})?$/.test(value) && Number.isSafeInteger(Number(value)) ? BigInt(Number(value)) : undefined
}

function floatOf(type: ScalarType, value: Json): number {
  const isText = typeof value === 'string' && (/^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(value) || /^(NaN|-?Infinity)$/.test(value))
  const number = typeof value === 'number' || typeof value === 'bigint' || isText ? Number(value) : undefined
  const isNamed = isText && !/\d/.test(value)
  if (number === undefined || (!isNamed && !Number.isFinite(type === 'float' ? Math.fround(number) : number)))
    throw new GrpcJsonError(`is a ${type}, not ${shown(value)}`)
  return number
}

function bytesOf(value: Json): Uint8Array {
  if (typeof value !== 'string' || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(value) || value.replace(/=+$/, '').length % 4 === 1)
    throw new GrpcJsonError(`is bytes in base64, not ${shown(value)}`)
  return Buffer.from(value, 'base64')
}

/** A scalar value in JSON. */
export function scalarJson(type: ScalarType, value: ScalarValue): Json {
  if (typeof value === 'bigint') return String(value)
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (typeof value !== 'number') return value
  if (!Number.isFinite(value)) return String(value)
  // -0 is a value of its own, which JSON.stringify would lose
  if (Object.is(value, -0)) return type === 'double' || type === 'float' ? '-0' : 0
  return type === 'float' ? shortFloat(value) : value
}

/** The shortest decimal that gives the same 32 bits: 0.1 and not 0.10000000149011612. */
function shortFloat(value: number): number {
  for (let digits = 6; digits <= 9; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return short
  }
  return value
}

/** A value in an error's text, cut short. */
export function shown(value: Json): string {
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object'
  const text = JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}

/** @throws {GrpcJsonError} */
export function objectOf(value: Json): { readonly [key: string]: Json } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new GrpcJsonError(`is an object, not ${shown(value)}`)
  return value as { readonly [key: string]: Json }
}
