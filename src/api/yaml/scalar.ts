/** What a scalar may become. Integers beyond 2^53 are bigint. */
export type Scalar = string | number | bigint | boolean | null

const WORDS: ReadonlyMap<string, Scalar> = new Map<string, Scalar>([
  ...entries(true, 'y Y yes Yes YES true True TRUE on On ON'),
  ...entries(false, 'n N no No NO false False FALSE off Off OFF'),
  ...entries(null, '~ null Null NULL'),
  ['', null],
])

const FLOAT = /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/
const INTEGER = /^([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[oO]?([0-7]+)|0[bB]([01]+)|(0|[1-9][0-9]*))$/
const INFINITE_OR_NAN = /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/
const TIMESTAMP = /^\d{4}-\d{1,2}-\d{1,2}(?:$|(?:[Tt]|[ \t]+)\d{1,2}:\d{2}:\d{2})/
const BASE_60 = /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/
const MIN_INT64 = -(1n << 63n)
const MAX_INT64 = (1n << 63n) - 1n
/** A longer word is text whatever it holds: parsing that many digits would take time and no field is that long. */
const MAX_NUMBER_LENGTH = 400

/**
 * The value of a plain word. YAML 1.1 with the exceptions of kubectl's parser: dates and base-60 numbers are text.
 * @returns NaN for `.inf` and `.nan`, which have no JSON form
 */
export function resolvePlain(text: string): Scalar {
  const word = WORDS.get(text)
  if (word !== undefined) return word
  const first = text.charCodeAt(0)
  // digits, sign or point: nothing else begins a number
  if (!((first >= 0x30 && first <= 0x39) || first === 0x2b || first === 0x2d || first === 0x2e)) return text
  if (INFINITE_OR_NAN.test(text)) return Number.NaN
  if (text.length > MAX_NUMBER_LENGTH) return text
  const plain = first === 0x2e ? text : text.replaceAll('_', '')
  return readInteger(plain) ?? readFloat(plain) ?? text
}

/** Whether a text written without quotes would be read as something else than this text. */
export function needsQuotes(text: string): boolean {
  return resolvePlain(text) !== text || text === '<<' || BASE_60.test(text) || TIMESTAMP.test(text)
}

function readInteger(text: string): number | bigint | undefined {
  const match = INTEGER.exec(text)
  if (!match) return undefined
  const [, sign, hex, octal, binary, decimal] = match
  const digits = hex === undefined ? (octal === undefined ? (binary === undefined ? decimal : `0b${binary}`) : `0o${octal}`) : `0x${hex}`
  const magnitude = BigInt(digits as string)
  const value = sign === '-' ? -magnitude : magnitude
  const number = Number(value)
  // as upstream: what int64 cannot hold becomes a float
  return Number.isSafeInteger(number) || value < MIN_INT64 || value > MAX_INT64 ? number : value
}

function readFloat(text: string): number | undefined {
  const value = FLOAT.test(text) ? Number(text) : Number.NaN
  return Number.isFinite(value) ? value : undefined
}

function entries(value: Scalar, words: string): [string, Scalar][] {
  return words.split(' ').map((word) => [word, value])
}
