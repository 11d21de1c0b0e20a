import type { Field, Schema, ScalarType } from './descriptor-set.ts'
import { at, GrpcJsonError, MAX_DEPTH } from './error.ts'
import { objectOf, scalarOf, shown, type Json } from './json-values.ts'
import { hasOwnJson, parseDuration, parseFieldMask, parseTimestamp, WRAPPERS, type Time } from './well-known.ts'
import { WireWriter, wireType, writeScalar, type ScalarValue } from './wire.ts'

export interface FromJsonOptions {
  /** Members that no field has are left out, as Envoy does. Default true. */
  readonly ignoreUnknown?: boolean
}

/** Bytes of a message from its JSON. Source: protobuf.dev/programming-guides/json. @throws {GrpcJsonError} with the path of what does not fit */
export function encodeJson(schema: Schema, typeName: string, value: Json, options: FromJsonOptions = {}): Buffer {
  return new Encoder(schema, options.ignoreUnknown ?? true).message(typeName, value, 0)
}

class Encoder {
  readonly #schema: Schema
  readonly #ignoreUnknown: boolean

  constructor(schema: Schema, ignoreUnknown: boolean) {
    this.#schema = schema
    this.#ignoreUnknown = ignoreUnknown
  }

  message(typeName: string, value: Json, depth: number): Buffer {
    if (depth > MAX_DEPTH) throw new GrpcJsonError(`is nested deeper than ${MAX_DEPTH} levels`)
    const wrapped = WRAPPERS.get(typeName)
    if (wrapped) return this.#wrapper(wrapped, value)
    switch (typeName) {
      case 'google.protobuf.Timestamp':
        return timeBytes(parseTimestamp(value))
      case 'google.protobuf.Duration':
        return timeBytes(parseDuration(value))
      case 'google.protobuf.FieldMask': {
        const writer = new WireWriter()
        for (const path of parseFieldMask(value)) writer.tag(1, 2).bytes(Buffer.from(path))
        return writer.finish()
      }
      case 'google.protobuf.Struct':
        return this.#struct(objectOf(value), depth)
      case 'google.protobuf.ListValue':
        if (!Array.isArray(value)) throw new GrpcJsonError(`is a list, not ${shown(value)}`)
        return this.#list(value as readonly Json[], depth)
      case 'google.protobuf.Value':
        return this.#value(value, depth)
      case 'google.protobuf.Any':
        return this.#any(objectOf(value), depth)
      case 'google.protobuf.Empty':
        objectOf(value)
        return Buffer.alloc(0)
      default:
        return this.#fields(typeName, objectOf(value), depth)
    }
  }

  #fields(typeName: string, value: { readonly [key: string]: Json }, depth: number): Buffer {
    const { byName } = this.#schema.message(typeName)
    const writer = new WireWriter()
    const seen = new Set<Field>()
    const oneofs = new Map<number, string>()
    for (const [key, member] of Object.entries(value)) {
      const field = byName.get(key)
      if (!field) {
        if (this.#ignoreUnknown || key === '@type') continue
        throw new GrpcJsonError(`${typeName} has no such field`, key)
      }
      at(key, () => {
        if (seen.has(field)) throw new GrpcJsonError('is given twice, in both spellings')
        seen.add(field)
        // null is absence, where it is not a value
        if (member === null && !isNullable(field)) return
        if (field.oneof >= 0) {
          const other = oneofs.get(field.oneof)
          if (other !== undefined) throw new GrpcJsonError(`excludes ${other}: only one of them may be given`)
          oneofs.set(field.oneof, key)
        }
        this.#field(writer, field, member, depth)
      })
    }
    return writer.finish()
  }

  #field(writer: WireWriter, field: Field, value: Json, depth: number): void {
    if (!field.repeated) {
      this.#single(writer, field, value, depth)
      return
    }
    if (field.type === 'message' && this.#schema.hasMessage(field.typeName) && this.#schema.message(field.typeName).isMapEntry) {
      for (const [key, entry] of Object.entries(objectOf(value))) at(key, () => this.#entry(writer, field, key, entry, depth))
      return
    }
    if (!Array.isArray(value)) throw new GrpcJsonError(`is a list, not ${shown(value)}`)
    const list = value as readonly Json[]
    if (!field.packed) {
      for (const [i, one] of list.entries()) at(`[${i}]`, () => this.#single(writer, { ...field, presence: true }, one, depth))
    } else if (list.length > 0) {
      const packed = new WireWriter()
      for (const [i, one] of list.entries()) at(`[${i}]`, () => this.#scalar(packed, field, one))
      writer.tag(field.number, 2).bytes(packed.finish())
    }
  }

  #single(writer: WireWriter, field: Field, value: Json, depth: number): void {
    if (field.type === 'message') {
      writer.tag(field.number, 2).bytes(this.message(field.typeName, value, depth + 1))
      return
    }
    const own = new WireWriter()
    const scalar = this.#scalar(own, field, value)
    // proto3 does not write zero where it means absence
    if (field.presence || !isZero(scalar)) writer.tag(field.number, wireType(field.type)).raw(own.finish())
  }

  /** Without its tag. */
  #scalar(writer: WireWriter, { type, typeName }: Field, value: Json): ScalarValue {
    if (type === 'enum') {
      const number = this.#enumNumber(typeName, value)
      writeScalar(writer, 'int32', number)
      return number
    }
    const scalar = scalarOf(type as ScalarType, value)
    writeScalar(writer, type as ScalarType, scalar)
    return scalar
  }

  #enumNumber(typeName: string, value: Json): number {
    if (typeName === 'google.protobuf.NullValue') return 0
    const { numbers } = this.#schema.enum(typeName)
    const number = typeof value === 'string' ? numbers.get(value) : undefined
    if (number !== undefined) return number
    // of a newer version, perhaps
    if (typeof value === 'number' || (typeof value === 'string' && /^-?\d+$/.test(value))) return scalarOf('int32', value) as number
    throw new GrpcJsonError(`is one of ${[...numbers.keys()].slice(0, 20).join(', ')}, not ${shown(value)}`)
  }

  #entry(writer: WireWriter, { number, typeName }: Field, key: string, value: Json, depth: number): void {
    const { byNumber } = this.#schema.message(typeName)
    const [keyField, valueField] = [byNumber.get(1), byNumber.get(2)]
    if (!keyField || !valueField) throw new GrpcJsonError('is a map without key and value in the descriptors')
    if (value === null && !isNullable(valueField)) throw new GrpcJsonError('is null, which no map holds')
    const entry = new WireWriter()
    const keyJson = keyField.type === 'bool' && /^(true|false)$/.test(key) ? key === 'true' : key
    this.#single(entry, { ...keyField, presence: true }, keyJson, depth)
    this.#single(entry, { ...valueField, presence: true }, value, depth + 1)
    writer.tag(number, 2).bytes(entry.finish())
  }

  #wrapper(type: ScalarType, value: Json): Buffer {
    const own = new WireWriter()
    const scalar = scalarOf(type, value)
    writeScalar(own, type, scalar)
    return isZero(scalar) ? Buffer.alloc(0) : new WireWriter().tag(1, wireType(type)).raw(own.finish()).finish()
  }

  #struct(value: { readonly [key: string]: Json }, depth: number): Buffer {
    const writer = new WireWriter()
    for (const [key, member] of Object.entries(value)) {
      const bytes = at(key, () => this.#value(member, depth + 1))
      writer.tag(1, 2).bytes(new WireWriter().tag(1, 2).bytes(Buffer.from(key)).tag(2, 2).bytes(bytes).finish())
    }
    return writer.finish()
  }

  #list(value: readonly Json[], depth: number): Buffer {
    const writer = new WireWriter()
    for (const [i, one] of value.entries()) writer.tag(1, 2).bytes(at(`[${i}]`, () => this.#value(one, depth + 1)))
    return writer.finish()
  }

  #value(value: Json, depth: number): Buffer {
    if (depth > MAX_DEPTH) throw new GrpcJsonError(`is nested deeper than ${MAX_DEPTH} levels`)
    const writer = new WireWriter()
    const scalar = (number: number, type: ScalarType, one: ScalarValue): void => writeScalar(writer.tag(number, wireType(type)), type, one)
    if (value === null) scalar(1, 'int32', 0)
    else if (typeof value === 'number' || typeof value === 'bigint') scalar(2, 'double', Number(value))
    else if (typeof value === 'string') scalar(3, 'string', value)
    else if (typeof value === 'boolean') scalar(4, 'bool', value)
    else if (Array.isArray(value)) writer.tag(6, 2).bytes(this.#list(value as readonly Json[], depth + 1))
    else writer.tag(5, 2).bytes(this.#struct(value as { readonly [key: string]: Json }, depth + 1))
    return writer.finish()
  }

  #any(value: { readonly [key: string]: Json }, depth: number): Buffer {
    const url = value['@type']
    if (Object.keys(value).length === 0) return Buffer.alloc(0)
    if (typeof url !== 'string' || !url.includes('/'))
      throw new GrpcJsonError('has the URL of its type in "@type", such as "type.googleapis.com/package.Message"')
    const typeName = url.slice(url.lastIndexOf('/') + 1)
    const bytes = hasOwnJson(typeName)
      ? this.message(typeName, value['value'] ?? null, depth + 1)
      : this.message(typeName, value, depth + 1)
    const writer = new WireWriter().tag(1, 2).bytes(Buffer.from(url))
    if (bytes.length > 0) writer.tag(2, 2).bytes(bytes)
    return writer.finish()
  }
}

const isNullable = ({ typeName, repeated }: Field): boolean =>
  !repeated && (typeName === 'google.protobuf.Value' || typeName === 'google.protobuf.NullValue')

const isZero = (value: ScalarValue): boolean =>
  value instanceof Uint8Array ? value.length === 0 : value === 0n || value === false || value === '' || Object.is(value, 0)

function timeBytes({ seconds, nanos }: Time): Buffer {
  const writer = new WireWriter()
  if (seconds !== 0n) writeScalar(writer.tag(1, 0), 'int64', seconds)
  if (nanos !== 0) writeScalar(writer.tag(2, 0), 'int32', nanos)
  return writer.finish()
}
