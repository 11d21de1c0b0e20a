import { readFields } from '../protobuf/index.ts'
import type { Field, ScalarType, Schema } from './descriptor-set.ts'
import { at, GrpcJsonError, MAX_DEPTH } from './error.ts'
import { scalarJson, type Json } from './json-values.ts'
import { formatDuration, formatFieldMask, formatTimestamp, hasOwnJson, WRAPPERS, type Time } from './well-known.ts'
import { readScalar } from './wire.ts'

/** The JSON of a message: names in lowerCamelCase, absent fields and implicit zeros left out. @throws {GrpcJsonError} where the bytes are no such message */
export function decodeJson(schema: Schema, typeName: string, bytes: Uint8Array): Json {
  try {
    return new Decoder(schema).message(typeName, bytes, 0)
  } catch (error) {
    if (error instanceof GrpcJsonError) throw error
    throw new GrpcJsonError(`the bytes are no ${typeName}: ${(error as Error).message}`)
  }
}

type Wire = bigint | Uint8Array
type Mutable = { [key: string]: Json }

class Decoder {
  readonly #schema: Schema

  constructor(schema: Schema) {
    this.#schema = schema
  }

  message(typeName: string, bytes: Uint8Array, depth: number): Json {
    if (depth > MAX_DEPTH) throw new GrpcJsonError(`is nested deeper than ${MAX_DEPTH} levels`)
    const wrapped = WRAPPERS.get(typeName)
    if (wrapped) return scalarJson(wrapped, lastScalar(bytes, 1, wrapped) ?? zeroOf(wrapped))
    switch (typeName) {
      case 'google.protobuf.Timestamp':
        return formatTimestamp(timeOf(bytes))
      case 'google.protobuf.Duration':
        return formatDuration(timeOf(bytes))
      case 'google.protobuf.FieldMask':
        return formatFieldMask(all(bytes, 1).map((path) => Buffer.from(asBytes(path)).toString()))
      case 'google.protobuf.Struct':
        return this.#struct(bytes, depth)
      case 'google.protobuf.ListValue':
        return all(bytes, 1).map((one) => this.#value(asBytes(one), depth + 1))
      case 'google.protobuf.Value':
        return this.#value(bytes, depth)
      case 'google.protobuf.Any':
        return this.#any(bytes, depth)
      case 'google.protobuf.Empty':
        return {}
      default:
        return this.#fields(typeName, bytes, depth)
    }
  }

  #fields(typeName: string, bytes: Uint8Array, depth: number): Json {
    const { byNumber, fields } = this.#schema.message(typeName)
    const values = new Map<Field, Wire[]>()
    const oneofs = new Map<number, Field>()
    for (const { number, value } of readFields(bytes)) {
      const field = byNumber.get(number)
      if (!field) continue
      if (field.oneof >= 0) {
        // the last one of them counts
        const other = oneofs.get(field.oneof)
        if (other && other !== field) values.delete(other)
        oneofs.set(field.oneof, field)
      }
      const known = values.get(field)
      if (known) known.push(value)
      else values.set(field, [value])
    }
    const out: Mutable = {}
    for (const field of fields) {
      const own = values.get(field)
      if (!own) continue
      const json = at(field.jsonName, () => this.#field(field, own, depth))
      if (json !== undefined) set(out, field.jsonName, json)
    }
    return out
  }

  #field(field: Field, values: readonly Wire[], depth: number): Json | undefined {
    if (!field.repeated) {
      // parts of a message that comes in pieces are one message
      if (field.type === 'message') return this.message(field.typeName, Buffer.concat(values.map(asBytes)), depth + 1)
      const value = values.at(-1) as Wire
      return !field.presence && isZero(value) ? undefined : this.#scalar(field, value)
    }
    if (field.type === 'message') {
      const isMap = this.#schema.hasMessage(field.typeName) && this.#schema.message(field.typeName).isMapEntry
      if (isMap) return this.#map(field, values, depth)
      return values.map((value, i) => at(`[${i}]`, () => this.message(field.typeName, asBytes(value), depth + 1)))
    }
    if (field.type === 'string' || field.type === 'bytes') return values.map((value) => this.#scalar(field, value))
    return values
      .flatMap((value) => (value instanceof Uint8Array ? [...unpack(field, value)] : [value]))
      .map((one) => this.#scalar(field, one))
  }

  #scalar({ type, typeName }: Field, value: Wire): Json {
    const isBytes = type === 'string' || type === 'bytes'
    if (value instanceof Uint8Array !== isBytes) throw new GrpcJsonError(`is no ${type} on the wire`)
    if (type !== 'enum') return scalarJson(type as ScalarType, readScalar(type as ScalarType, value))
    if (typeName === 'google.protobuf.NullValue') return null
    const number = Number(BigInt.asIntN(32, value as bigint))
    return this.#schema.enum(typeName).names.get(number) ?? number
  }

  #map({ typeName }: Field, entries: readonly Wire[], depth: number): Json {
    const { byNumber } = this.#schema.message(typeName)
    const [keyField, valueField] = [byNumber.get(1), byNumber.get(2)]
    if (!keyField || !valueField) throw new GrpcJsonError('is a map without key and value in the descriptors')
    const out: Mutable = {}
    for (const entry of entries) {
      const bytes = asBytes(entry)
      const [key, value] = [all(bytes, 1).at(-1), all(bytes, 2)]
      const name = keyText(key === undefined ? zeroJson(keyField) : this.#scalar(keyField, key))
      const present = { ...valueField, presence: true }
      const json = at(name, () => this.#field(present, value.length > 0 ? value : [absent(valueField)], depth + 1))
      set(out, name, json ?? null)
    }
    return out
  }

  #struct(bytes: Uint8Array, depth: number): Json {
    const out: Mutable = {}
    for (const entry of all(bytes, 1)) {
      const key = all(asBytes(entry), 1).at(-1)
      const value = all(asBytes(entry), 2).map(asBytes)
      set(out, key === undefined ? '' : Buffer.from(asBytes(key)).toString(), this.#value(Buffer.concat(value), depth + 1))
    }
    return out
  }

  #value(bytes: Uint8Array, depth: number): Json {
    if (depth > MAX_DEPTH) throw new GrpcJsonError(`is nested deeper than ${MAX_DEPTH} levels`)
    let json: Json = null
    for (const { number, value } of readFields(bytes)) {
      if (number === 2) json = finite(readScalar('double', value) as number)
      else if (number === 3) json = Buffer.from(asBytes(value)).toString()
      else if (number === 4) json = value !== 0n
      else if (number === 5) json = this.#struct(asBytes(value), depth + 1)
      else if (number === 6) json = all(asBytes(value), 1).map((one) => this.#value(asBytes(one), depth + 2))
      else if (number === 1) json = null
    }
    return json
  }

  #any(bytes: Uint8Array, depth: number): Json {
    const url = all(bytes, 1).at(-1)
    if (url === undefined) return {}
    const text = Buffer.from(asBytes(url)).toString()
    const typeName = text.slice(text.lastIndexOf('/') + 1)
    const value = this.message(typeName, asBytes(all(bytes, 2).at(-1) ?? Buffer.alloc(0)), depth + 1)
    return hasOwnJson(typeName) ? { '@type': text, value } : { '@type': text, ...(value as Mutable) }
  }
}

/** `__proto__` is a name as any other. */
function set(out: Mutable, name: string, value: Json): void {
  Object.defineProperty(out, name, { value, enumerable: true, configurable: true, writable: true })
}

const asBytes = (value: Wire): Uint8Array => {
  if (value instanceof Uint8Array) return value
  throw new GrpcJsonError('is a number on the wire, where bytes are expected')
}

const all = (bytes: Uint8Array, wanted: number): Wire[] =>
  [...readFields(bytes)].flatMap(({ number, value }) => (number === wanted ? [value] : []))

function lastScalar(bytes: Uint8Array, number: number, type: ScalarType) {
  const value = all(bytes, number).at(-1)
  return value === undefined ? undefined : readScalar(type, value)
}

function timeOf(bytes: Uint8Array): Time {
  const seconds = (lastScalar(bytes, 1, 'int64') as bigint | undefined) ?? 0n
  return { seconds, nanos: (lastScalar(bytes, 2, 'int32') as number | undefined) ?? 0 }
}

function zeroOf(type: ScalarType) {
  return type === 'string' || type === 'bytes' ? readScalar(type, Buffer.alloc(0)) : readScalar(type, 0n)
}

const zeroJson = ({ type }: Field): Json => scalarJson(type as ScalarType, zeroOf(type as ScalarType))
const keyText = (key: Json): string => (typeof key === 'string' ? key : JSON.stringify(key))
const absent = ({ type }: Field): Wire => (type === 'message' || type === 'string' || type === 'bytes' ? Buffer.alloc(0) : 0n)
const isZero = (value: Wire): boolean => (value instanceof Uint8Array ? value.length === 0 : value === 0n)

/** JSON has no others. */
function finite(value: number): number {
  if (!Number.isFinite(value)) throw new GrpcJsonError(`is ${value}, which JSON cannot tell`)
  return value
}

function* unpack({ type }: Field, bytes: Uint8Array): Generator<bigint> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const size = /^s?fixed32$|^float$/.test(type) ? 4 : /^s?fixed64$|^double$/.test(type) ? 8 : 0
  if (size > 0 && bytes.length % size !== 0) throw new GrpcJsonError('is a list that ends inside of a number')
  if (size > 0) {
    for (let i = 0; i < bytes.length; i += size) yield size === 4 ? BigInt(view.getUint32(i, true)) : view.getBigUint64(i, true)
    return
  }
  let value = 0n
  let shift = 0n
  for (const byte of bytes) {
    value |= BigInt(byte & 127) << shift
    shift += 7n
    if (shift > 70n) throw new GrpcJsonError('is a list with a number of more than ten bytes')
    if (byte > 127) continue
    yield BigInt.asUintN(64, value)
    value = shift = 0n
  }
  if (shift > 0n) throw new GrpcJsonError('is a list that ends inside of a number')
}
