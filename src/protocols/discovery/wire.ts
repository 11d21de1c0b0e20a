import { ProtobufError } from '../protobuf/index.ts'

/** Bytes of a varint. Values below 2^53. */
export function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  while (rest >= 128) {
    bytes.push((rest % 128) | 128)
    rest = Math.floor(rest / 128)
  }
  bytes.push(rest)
  return Buffer.from(bytes)
}

/** A length-delimited field. */
export function bytesField(number: number, value: Uint8Array): Buffer {
  return Buffer.concat([varint(number * 8 + 2), varint(value.length), value])
}

/** A string; empty ones are left out, as proto3 has it. */
export function textField(number: number, value: string): Buffer {
  return value === '' ? Buffer.alloc(0) : bytesField(number, Buffer.from(value))
}

/** Elements of a repeated string: empty ones stay. */
export function textFields(number: number, values: Iterable<string>): Buffer {
  return Buffer.concat([...values].map((value) => bytesField(number, Buffer.from(value))))
}

export function numberField(number: number, value: number): Buffer {
  return value === 0 ? Buffer.alloc(0) : Buffer.concat([varint(number * 8), varint(value)])
}

/** @throws {ProtobufError} */
export function text(value: bigint | Uint8Array, what: string): string {
  const bytes = asBytes(value, what)
  try {
    return DECODER.decode(bytes)
  } catch {
    throw new ProtobufError(`${what} is not UTF-8`)
  }
}

/** @throws {ProtobufError} */
export function asBytes(value: bigint | Uint8Array, what: string): Buffer {
  if (typeof value === 'bigint') throw new ProtobufError(`${what} is a number and should be bytes`)
  return Buffer.from(value.buffer, value.byteOffset, value.length)
}

const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
