/**
 * Strict JSON of API bodies.
 *
 * `decodeJson` takes bytes and gives a value, the paths of duplicate keys, and never surprises: integers beyond 2^53 come
 * as bigint, `__proto__` is an ordinary property, depth is bounded, text that cannot be written back is refused. The common
 * case costs one scan of the bytes, the native parser and a count of the keys; only what that scan finds doubtful (or the
 * native parser refuses) goes through the careful parser in json-parser.ts. `encodeJson` writes what `decodeJson` reads.
 */
import { isAscii, isUtf8 } from 'node:buffer'
import { JsonError, locate, parseCarefully } from './json-parser.ts'

export { getOwn, isJsonObject, type JsonObject, setOwn } from './json-object.ts'
export { JsonError, type JsonErrorCode } from './json-parser.ts'

export interface JsonDecodeOptions {
  /** Nesting of objects and lists that is still accepted. Default 500. At most 1000: code behind the decoder recurses. */
  readonly maxDepth?: number
}

export interface DecodedJson {
  readonly value: unknown
  /** Paths of keys given more than once (`spec.replicas`, `items[0].name`), at most 100. The last value wins. */
  readonly duplicates: readonly string[]
}

const DEFAULT_MAX_DEPTH = 500
const GREATEST_MAX_DEPTH = 1000
const NO_DUPLICATES: readonly string[] = []

/**
 * Decodes one JSON document. The size of `bytes` is the caller's to bound.
 * @throws {JsonError} `utf8`, `bom`, `syntax`, `depth`, `surrogate` or `number`
 */
export function decodeJson(bytes: Uint8Array, options: JsonDecodeOptions = {}): DecodedJson {
  const maxDepth = Math.min(options.maxDepth ?? DEFAULT_MAX_DEPTH, GREATEST_MAX_DEPTH)
  const text = decodeText(bytes)
  const colons = scan(bytes, maxDepth)
  if (colons >= 0) {
    const value = parseNatively(text)
    if (value !== REFUSED && countKeys(value) === colons) return { value, duplicates: NO_DUPLICATES }
  }
  return parseCarefully(text, maxDepth)
}

/**
 * JSON text of `value`, as JSON.stringify gives it, with bigint as integer.
 * @throws {TypeError} for what JSON cannot say (functions, cycles)
 */
export function encodeJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? 'null'
  } catch (error) {
    // the native encoder refuses bigint; it also refuses cycles, which would never end here
    if (error instanceof TypeError && /bigint/i.test(error.message)) return stringify(value) ?? 'null'
    throw error
  }
}

const REFUSED = Symbol('refused')

function parseNatively(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return REFUSED
  }
}

function decodeText(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (isAscii(buffer)) return buffer.toString('latin1')
  if (!isUtf8(buffer)) {
    const good = new TextDecoder('utf-8').decode(buffer)
    throw new JsonError('utf8', 'the body is not valid UTF-8', locate(good, Math.max(good.indexOf('\uFFFD'), 0)))
  }
  const text = buffer.toString('utf8')
  if (text.charCodeAt(0) === 0xfeff) throw new JsonError('bom', 'the body begins with a byte order mark: remove it', locate(text, 0))
  return text
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
/** Classes of bytes outside strings: 1 opens, 2 closes, 3 colon, 4 quote, 5 digit, 6 exponent, 0 of no interest. */
const CLASS = new Uint8Array(256)
for (const byte of Buffer.from('[{')) CLASS[byte] = 1
for (const byte of Buffer.from(']}')) CLASS[byte] = 2
CLASS[0x3a] = 3
CLASS[QUOTE] = 4
for (const byte of Buffer.from('0123456789')) CLASS[byte] = 5
/** Digits in a row that a double may not hold exactly. */
const LONG_NUMBER = 16

/**
 * Counts the colons outside strings, which is the number of keys in well-formed JSON.
 * @returns -1 when the text needs the careful parser: too deep, long numbers, exponents, escaped surrogates
 */
function scan(bytes: Uint8Array, maxDepth: number): number {
  let depth = 0
  let colons = 0
  let digits = 0
  const length = bytes.length
  for (let i = 0; i < length; i++) {
    const kind = CLASS[bytes[i] as number] as number
    if (kind === 5) {
      if (++digits >= LONG_NUMBER) return -1
      const next = (bytes[i + 1] as number) | 0x20
      if (next === 0x65) return -1
      continue
    }
    digits = 0
    if (kind === 0) continue
    if (kind === 4) {
      i = endOfString(bytes, i + 1)
      if (i < 0) return -1
    } else if (kind === 3) colons++
    else if (kind === 2) depth--
    else if (++depth > maxDepth) return -1
  }
  return colons
}

/** Index of the closing quote, or -1 when there is none or an escape may be half a character. */
function endOfString(bytes: Uint8Array, from: number): number {
  const length = bytes.length
  for (let i = from; i < length; i++) {
    const byte = bytes[i] as number
    if (byte === QUOTE) return i
    if (byte === BACKSLASH) {
      i++
      // \ud800 to \udfff
      if (bytes[i] === 0x75 && ((bytes[i + 1] as number) | 0x20) === 0x64) return -1
    }
  }
  return -1
}

function countKeys(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  let count = 0
  if (Array.isArray(value)) {
    for (const item of value as unknown[]) if (typeof item === 'object' && item !== null) count += countKeys(item)
    return count
  }
  const object = value as Record<string, unknown>
  const keys = Object.keys(object)
  for (const key of keys) {
    const item = object[key]
    if (typeof item === 'object' && item !== null) count += countKeys(item)
  }
  return count + keys.length
}

function stringify(value: unknown): string | undefined {
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map((item) => stringify(item) ?? 'null').join(',')}]`
  const object = value as Record<string, unknown>
  if (typeof object['toJSON'] === 'function') return JSON.stringify(value)
  let text = ''
  for (const key of Object.keys(object)) {
    const item = stringify(object[key])
    if (item !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${item}`
  }
  return `{${text}}`
}
