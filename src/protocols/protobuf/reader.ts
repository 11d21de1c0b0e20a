/** Thrown for bytes that are no protobuf message. `code` is `BadProtobuf`. */
export class ProtobufError extends Error {
  override readonly name = 'ProtobufError'
  readonly code = 'BadProtobuf'
}

/** One field as it lies on the wire: an integer (wire types 0, 1, 5) or bytes (wire type 2). */
export interface WireField {
  readonly number: number
  readonly value: bigint | Uint8Array
}

/**
 * The fields of a message in the order of the bytes. Groups (wire types 3 and 4) are refused.
 * Source: protobuf.dev/programming-guides/encoding. @throws {ProtobufError}
 */
export function* readFields(bytes: Uint8Array): Generator<WireField> {
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++]
      if (byte === undefined) throw new ProtobufError('the message ends inside a number')
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return BigInt.asUintN(64, value)
    }
    throw new ProtobufError('a number has more than ten bytes')
  }
  const take = (length: number): Uint8Array => {
    if (length > bytes.length - at) throw new ProtobufError('a field is longer than its message')
    at += length
    return bytes.subarray(at - length, at)
  }
  while (at < bytes.length) {
    const tag = varint()
    const number = Number(tag >> 3n)
    if (number === 0) throw new ProtobufError('a field has the number 0')
    switch (Number(tag & 7n)) {
      case 0:
        yield { number, value: varint() }
        break
      case 1:
        yield { number, value: littleEndian(take(8)) }
        break
      case 2: {
        const length = varint()
        if (length > BigInt(bytes.length)) throw new ProtobufError('a field is longer than its message')
        yield { number, value: take(Number(length)) }
        break
      }
      case 5:
        yield { number, value: littleEndian(take(4)) }
        break
      default:
        throw new ProtobufError(`field ${number} has wire type ${tag & 7n}, which is not used any more`)
    }
  }
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n)
}
