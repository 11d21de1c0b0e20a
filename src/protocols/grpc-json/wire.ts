import type { Field, ScalarType } from './descriptor-set.ts'

/** Wire type of one value of a field. */
export function wireType(type: Field['type']): 0 | 1 | 2 | 5 {
  switch (type) {
    case 'double':
    case 'fixed64':
    case 'sfixed64':
      return 1
    case 'float':
    case 'fixed32':
    case 'sfixed32':
      return 5
    case 'string':
    case 'bytes':
    case 'message':
      return 2
    default:
      return 0
  }
}

/** Bytes of a message, put together part by part. */
export class WireWriter {
  #parts: Uint8Array[] = []

  varint(value: bigint | number): this {
    this.#parts.push(typeof value === 'number' && value >= 0 && value < 2 ** 31 ? smallVarint(value) : largeVarint(BigInt(value)))
    return this
  }

  tag(number: number, wire: 0 | 1 | 2 | 5): this {
    return this.varint(number * 8 + wire)
  }

  raw(bytes: Uint8Array): this {
    this.#parts.push(bytes)
    return this
  }

  /** With its length before it. */
  bytes(bytes: Uint8Array): this {
    return this.varint(bytes.length).raw(bytes)
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts)
  }
}

/** One byte each: most tags, lengths and numbers. */
const SINGLE: readonly Uint8Array[] = Array.from({ length: 128 }, (_, value) => Uint8Array.of(value))

function smallVarint(value: number): Uint8Array {
  if (value < 128) return SINGLE[value] as Uint8Array
  const bytes: number[] = []
  let rest = value
  for (; rest > 127; rest >>= 7) bytes.push((rest & 127) | 128)
  bytes.push(rest)
  return Uint8Array.from(bytes)
}

/** Negative ones in two's complement: ten bytes. */
function largeVarint(value: bigint): Uint8Array {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, value)
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  bytes.push(Number(rest))
  return Uint8Array.from(bytes)
}

/** A value that fits its type already: numbers for up to 32 bits and floats, bigints for 64 bits. */
export type ScalarValue = number | bigint | boolean | string | Uint8Array

/** One value without its tag. */
export function writeScalar(writer: WireWriter, type: ScalarType, value: ScalarValue): void {
  switch (type) {
    case 'double': {
      const bytes = Buffer.alloc(8)
      bytes.writeDoubleLE(value as number)
      writer.raw(bytes)
      return
    }
    case 'float': {
      const bytes = Buffer.alloc(4)
      bytes.writeFloatLE(value as number)
      writer.raw(bytes)
      return
    }
    case 'fixed32':
    case 'sfixed32': {
      const bytes = Buffer.alloc(4)
      bytes.writeUInt32LE((value as number) >>> 0)
      writer.raw(bytes)
      return
    }
    case 'fixed64':
    case 'sfixed64': {
      const bytes = Buffer.alloc(8)
      bytes.writeBigUInt64LE(BigInt.asUintN(64, value as bigint))
      writer.raw(bytes)
      return
    }
    case 'bool':
      writer.varint(value === true ? 1n : 0n)
      return
    case 'string':
      writer.bytes(Buffer.from(value as string))
      return
    case 'bytes':
      writer.bytes(value as Uint8Array)
      return
    case 'sint32':
    case 'sint64': {
      const whole = BigInt(value as number | bigint)
      writer.varint(whole < 0n ? -2n * whole - 1n : 2n * whole)
      return
    }
    default:
      // negative ones have ten bytes, also those of 32 bits
      writer.varint(value as number | bigint)
  }
}

/** The value of an integer as it lies on the wire, or of bytes. */
export function readScalar(type: ScalarType, value: bigint | Uint8Array): ScalarValue {
  if (value instanceof Uint8Array) return type === 'string' ? Buffer.from(value).toString() : value
  switch (type) {
    case 'double':
      return bits(8, value).readDoubleLE()
    case 'float':
      return bits(4, value).readFloatLE()
    case 'bool':
      return value !== 0n
    case 'int32':
    case 'sfixed32':
      return Number(BigInt.asIntN(32, value))
    case 'uint32':
    case 'fixed32':
      return Number(BigInt.asUintN(32, value))
    case 'sint32': {
      const low = BigInt.asUintN(32, value)
      return Number(BigInt.asIntN(32, (low >> 1n) ^ -(low & 1n)))
    }
    case 'sint64':
      return BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n))
    case 'int64':
    case 'sfixed64':
      return BigInt.asIntN(64, value)
    default:
      return value
  }
}

function bits(length: 4 | 8, value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(value)
  return bytes.subarray(0, length)
}
