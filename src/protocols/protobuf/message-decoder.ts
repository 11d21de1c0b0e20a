import { isUtf8 } from 'node:buffer'
import { ProtobufError, readFields } from './reader.ts'

/** How one field of a message becomes a JSON property. */
export interface FieldShape {
  readonly number: number
  readonly name: string
  /** `string`, `bytes`, `int`, `bool`, `double`, or the name of a message. */
  readonly type: string
  /** A map with string keys; `type` is that of its values. */
  readonly map: boolean
  readonly repeated: boolean
  /** A zero on the wire means that the field was not set. */
  readonly zeroIsAbsent: boolean
  /** The properties of the inner message belong to the outer one. */
  readonly inline: boolean
}

export interface MessageDecoderOptions {
  /** Fields by message name; undefined for a message that is not known. */
  readonly shapes: (message: string) => readonly FieldShape[] | undefined
  /** Messages with a JSON form of their own, such as times. Undefined as a result: not set. */
  readonly special: Readonly<Record<string, (bytes: Uint8Array) => unknown>>
  /** Default 100. */
  readonly maxDepth?: number
}

/** Decodes messages into JSON values: bytes as base64, integers beyond 2^53 as bigint. Unknown fields are passed over, as protobuf has it. */
export class MessageDecoder {
  readonly #options: MessageDecoderOptions
  readonly #maxDepth: number

  constructor(options: MessageDecoderOptions) {
    this.#options = options
    this.#maxDepth = options.maxDepth ?? 100
  }

  /** @throws {ProtobufError} */
  decode(message: string, bytes: Uint8Array): Record<string, unknown> {
    const object: Record<string, unknown> = {}
    this.#into(object, message, { bytes, depth: 0 })
    return object
  }

  #into(object: Record<string, unknown>, message: string, { bytes, depth }: { readonly bytes: Uint8Array; readonly depth: number }): void {
    if (depth > this.#maxDepth) throw new ProtobufError(`the message is nested deeper than ${this.#maxDepth}`)
    const shapes = this.#options.shapes(message)
    if (!shapes) throw new ProtobufError(`message ${message} is not known`)
    for (const { number, value } of readFields(bytes)) {
      const field = shapes.find((shape) => shape.number === number)
      if (!field) continue
      if (field.inline) this.#into(object, field.type, { bytes: asBytes(value, field), depth: depth + 1 })
      else if (field.map) this.#addEntry(object, field, { bytes: asBytes(value, field), depth })
      else if (field.repeated) this.#append(object, field, { value, depth })
      else this.#set(object, field, { value, depth })
    }
  }

  #set(
    object: Record<string, unknown>,
    field: FieldShape,
    { value, depth }: { readonly value: bigint | Uint8Array; readonly depth: number },
  ): void {
    const decoded = this.#value(field, value, depth)
    if (decoded === undefined || (field.zeroIsAbsent && isZero(decoded))) return
    define(object, field.name, decoded)
  }

  #append(
    object: Record<string, unknown>,
    field: FieldShape,
    { value, depth }: { readonly value: bigint | Uint8Array; readonly depth: number },
  ): void {
    const list = (Object.hasOwn(object, field.name) ? object[field.name] : []) as unknown[]
    // numbers may come packed: one run of bytes for the whole list
    if (field.type === 'int' && typeof value !== 'bigint') for (const number of packed(value)) list.push(number)
    else list.push(this.#value(field, value, depth))
    define(object, field.name, list)
  }

  #addEntry(
    object: Record<string, unknown>,
    field: FieldShape,
    { bytes, depth }: { readonly bytes: Uint8Array; readonly depth: number },
  ): void {
    let key = ''
    let entry: unknown
    for (const { number, value } of readFields(bytes)) {
      if (number === 1) key = asText(asBytes(value, field))
      else if (number === 2) entry = this.#value(field, value, depth)
    }
    const map = (Object.hasOwn(object, field.name) ? object[field.name] : {}) as Record<string, unknown>
    define(map, key, entry ?? emptyOf(field.type))
    define(object, field.name, map)
  }

  #value(field: FieldShape, value: bigint | Uint8Array, depth: number): unknown {
    switch (field.type) {
      case 'string':
        return asText(asBytes(value, field))
      case 'bytes':
        return Buffer.from(asBytes(value, field)).toString('base64')
      case 'int':
        return asInteger(value, field)
      case 'bool':
        return asInteger(value, field) !== 0
      case 'double': {
        const view = new DataView(new ArrayBuffer(8))
        view.setBigUint64(0, typeof value === 'bigint' ? value : 0n)
        return view.getFloat64(0)
      }
      default: {
        const special = this.#options.special[field.type]
        if (special) return special(asBytes(value, field))
        const inner: Record<string, unknown> = {}
        this.#into(inner, field.type, { bytes: asBytes(value, field), depth: depth + 1 })
        return inner
      }
    }
  }
}

/** Names come from the client: `__proto__` is a property like any other. */
function define(object: Record<string, unknown>, name: string, value: unknown): void {
  if (name !== '__proto__') object[name] = value
  else Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true })
}

function asBytes(value: bigint | Uint8Array, field: FieldShape): Uint8Array {
  if (typeof value === 'bigint') throw new ProtobufError(`field ${field.name} is a number and should be bytes`)
  return value
}

function asText(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw new ProtobufError('a string is not UTF-8')
  return Buffer.from(bytes).toString()
}

function asInteger(value: bigint | Uint8Array, field: FieldShape): number | bigint {
  if (typeof value !== 'bigint') throw new ProtobufError(`field ${field.name} is bytes and should be a number`)
  const signed = BigInt.asIntN(64, value)
  return signed >= BigInt(Number.MIN_SAFE_INTEGER) && signed <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(signed) : signed
}

function* packed(bytes: Uint8Array): Generator<number | bigint> {
  // a length-delimited run of varints reads like fields without tags: give each the tag of field 1
  let start = 0
  for (let at = 0; at < bytes.length; at++) {
    if ((bytes[at] as number) >= 128) continue
    const one = Buffer.concat([Buffer.from([0x08]), bytes.subarray(start, at + 1)])
    for (const { value } of readFields(one)) yield asInteger(value, { name: 'packed' } as FieldShape)
    start = at + 1
  }
  if (start < bytes.length) throw new ProtobufError('the message ends inside a number')
}

function isZero(value: unknown): boolean {
  return value === '' || value === 0 || value === false || value === 0n
}

function emptyOf(type: string): unknown {
  return type === 'int' || type === 'double' ? 0 : type === 'bool' ? false : type === 'string' || type === 'bytes' ? '' : {}
}
