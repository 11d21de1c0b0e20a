/**
 * Kubernetes quantities: `500m`, `1.5Gi`, `12e6`. Exact (bigint nano-units) inside, with the suffix family remembered, so
 * that what is written comes back in the canonical form that upstream prints. Source: apimachinery api/resource.
 */

/** Which suffixes a quantity is printed with: k M G, Ki Mi Gi, or e3 e6 e9. */
export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent'

export interface Quantity {
  /** The value in units of 10^-9. */
  readonly nanos: bigint
  readonly format: QuantityFormat
}

/** Thrown for text that is no quantity. `code` is `QuantityFormat` (no number at all) or `QuantitySuffix`. */
export class QuantityError extends Error {
  override readonly name = 'QuantityError'
  readonly code: 'QuantityFormat' | 'QuantitySuffix'
  constructor(code: 'QuantityFormat' | 'QuantitySuffix') {
    super(
      code === 'QuantitySuffix'
        ? "unable to parse quantity's suffix"
        : "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    )
    this.code = code
  }
}

const NANO = 1_000_000_000n
/** Values are capped at what a signed 64-bit integer holds. */
const MAX_NANOS = ((1n << 63n) - 1n) * NANO
/** Longer text is refused: no sensible quantity has that many digits. */
const MAX_LENGTH = 128

const DECIMAL = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'] as const
const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'] as const
const NUMBER = /^([+-]?)(\d*)(?:\.(\d*))?/
const EXPONENT = /^[eE]([+-]?\d{1,9})$/

/**
 * Reads a quantity. Parts below a nano are rounded away from zero; values beyond ±(2^63-1) become that.
 * @throws {QuantityError}
 */
export function parseQuantity(text: string): Quantity {
  if (text.length === 0 || text.length > MAX_LENGTH) throw new QuantityError('QuantityFormat')
  const match = NUMBER.exec(text) as RegExpExecArray
  const [number, sign, whole] = match as unknown as [string, string, string]
  const fraction = match[3] ?? ''
  if (whole === '' && fraction === '') throw new QuantityError('QuantityFormat')
  const { format, base, exponent } = readSuffix(text.slice(number.length))
  const digits = BigInt(whole + fraction)
  const magnitude = base === 2 ? scaleBinary(digits, exponent, fraction.length) : scaleDecimal(digits, exponent + 9 - fraction.length)
  const capped = magnitude > MAX_NANOS ? MAX_NANOS : magnitude
  return { nanos: sign === '-' ? -capped : capped, format }
}

/** The canonical text: no fraction, the largest suffix that keeps every digit. Source: Quantity.CanonicalizeBytes. */
export function formatQuantity(quantity: Quantity): string {
  const { nanos, format } = quantity
  if (nanos === 0n) return '0'
  if (format === 'BinarySI' && isBinaryPrintable(nanos)) return formatBinary(nanos / NANO)
  let value = nanos
  let exponent = -9
  while (exponent < 18 && value % 1000n === 0n) {
    value /= 1000n
    exponent += 3
  }
  if (format === 'DecimalExponent') return exponent === 0 ? `${value}` : `${value}e${exponent}`
  return `${value}${DECIMAL[exponent / 3 + 3]}`
}

/** The canonical form of `text`: `0.5` is `500m`, `1024Ki` is `1Mi`. @throws {QuantityError} */
export function canonicalQuantity(text: string): string {
  return formatQuantity(parseQuantity(text))
}

/** In thousandths, rounded up, away from zero (CPU): 1500 for `1.5`. Exact up to 2^53. @throws {QuantityError} */
export function quantityMillis(text: string): number {
  const simple = fastNumber(text)
  if (simple !== undefined) return simple * 1000
  if (text.endsWith('m')) {
    const millis = fastNumber(text.slice(0, -1))
    if (millis !== undefined) return millis
  }
  return Number(ceilDivide(parseQuantity(text).nanos, 1_000_000n))
}

/** In whole units, rounded up, away from zero (bytes, pods): 1073741824 for `1Gi`. Exact up to 2^53. @throws {QuantityError} */
export function quantityValue(text: string): number {
  const simple = fastNumber(text)
  if (simple !== undefined) return simple
  return Number(ceilDivide(parseQuantity(text).nanos, NANO))
}

/** Negative, zero or positive as `a` is less than, equal to or more than `b`. @throws {QuantityError} */
export function compareQuantities(a: string, b: string): number {
  const [left, right] = [parseQuantity(a).nanos, parseQuantity(b).nanos]
  return left < right ? -1 : left > right ? 1 : 0
}

/** The sum in canonical form, printed as `a` is (as `b` when `a` is zero). @throws {QuantityError} */
export function addQuantities(a: string, b: string): string {
  const [left, right] = [parseQuantity(a), parseQuantity(b)]
  return formatQuantity({ nanos: clamp(left.nanos + right.nanos), format: left.nanos === 0n ? right.format : left.format })
}

/** `a` less `b` in canonical form, printed as `a` is (as `b` when `a` is zero). @throws {QuantityError} */
export function subtractQuantities(a: string, b: string): string {
  const [left, right] = [parseQuantity(a), parseQuantity(b)]
  return formatQuantity({ nanos: clamp(left.nanos - right.nanos), format: left.nanos === 0n ? right.format : left.format })
}

/** A quantity of `count` bytes or pieces in canonical form: `formatBytes(1048576)` is `1Mi`. */
export function formatBytes(count: number): string {
  return formatQuantity({ nanos: clamp(BigInt(Math.ceil(count)) * NANO), format: 'BinarySI' })
}

/** A quantity of thousandths in canonical form: `formatMillis(1500)` is `1500m`, `formatMillis(2000)` is `2`. */
export function formatMillis(millis: number): string {
  return formatQuantity({ nanos: clamp(BigInt(Math.ceil(millis)) * 1_000_000n), format: 'DecimalSI' })
}

interface Suffix {
  readonly format: QuantityFormat
  readonly base: 2 | 10
  readonly exponent: number
}

function readSuffix(text: string): Suffix {
  const decimal = (DECIMAL as readonly string[]).indexOf(text)
  if (decimal >= 0) return { format: 'DecimalSI', base: 10, exponent: decimal * 3 - 9 }
  const binary = (BINARY as readonly string[]).indexOf(text)
  if (binary > 0) return { format: 'BinarySI', base: 2, exponent: binary * 10 }
  const exponent = EXPONENT.exec(text)
  if (exponent) return { format: 'DecimalExponent', base: 10, exponent: Number(exponent[1]) }
  throw new QuantityError(/^[eEinumkKMGTP]*[-+]?\d*$/.test(text) ? 'QuantitySuffix' : 'QuantityFormat')
}

function scaleBinary(digits: bigint, bits: number, fractionDigits: number): bigint {
  return ceilDivide((digits << BigInt(bits)) * NANO, 10n ** BigInt(fractionDigits))
}

function scaleDecimal(digits: bigint, exponent: number): bigint {
  if (digits === 0n) return 0n
  // beyond these bounds the answer is the cap or one nano; 10^(10^9) is never computed
  if (exponent > 40) return MAX_NANOS
  if (exponent < -MAX_LENGTH - 1) return 1n
  return exponent >= 0 ? digits * 10n ** BigInt(exponent) : ceilDivide(digits, 10n ** BigInt(-exponent))
}

/** Away from zero, as upstream rounds. */
function ceilDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by
  if (value % by === 0n) return quotient
  return value > 0n ? quotient + 1n : quotient - 1n
}

function clamp(nanos: bigint): bigint {
  return nanos > MAX_NANOS ? MAX_NANOS : nanos < -MAX_NANOS ? -MAX_NANOS : nanos
}

// small or fractional values are printed in decimal: nothing may be lost, and 0.5Ki is easier to read as 512
function isBinaryPrintable(nanos: bigint): boolean {
  return nanos % NANO === 0n && (nanos >= 1024n * NANO || nanos <= -1024n * NANO)
}

function formatBinary(value: bigint): string {
  let rest = value
  let power = 0
  while (power < BINARY.length - 1 && rest % 1024n === 0n) {
    rest /= 1024n
    power++
  }
  return `${rest}${BINARY[power]}`
}

function fastNumber(text: string): number | undefined {
  return text.length <= 12 && /^\d+$/.test(text) ? Number(text) : undefined
}
