import {
  enumShape,
  isKnownType,
  messageShape,
  typeRef,
  wireType,
  type FieldShape,
  type MessageShape,
  type Scalar,
  type TypeRef,
} from './descriptor.ts'
import { MAX_DEPTH, XdsError } from './error.ts'
import { parseDuration, parseTimestamp } from './well-known.ts'
import { BackwardWriter } from './writer.ts'

/** One at a time: nothing waits while it writes. */
const writer = new BackwardWriter()

/**
 * The bytes of a message from its JSON form (see index.ts). Deterministic: fields by number, keys of maps sorted.
 * @throws {XdsError} with the path of what is unknown, of the wrong type or out of range.
 */
export function encode(typeName: string, value: unknown): Uint8Array {
  try {
    writeBody(typeRef(typeName), value, 0)
    return writer.finish()
  } finally {
    writer.reset()
  }
}

type Record_ = Readonly<Record<string, unknown>>

function record(value: unknown, what: string): Record_ {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new XdsError(`${what} is an object, not ${shown(value)}`)
  return value as Record_
}

/** `ownType`: the key `@type` belongs to the Any around it. */
function writeMessage(shape: MessageShape, value: unknown, depth: number, ownType = false): void {
  if (depth > MAX_DEPTH) throw new XdsError(`is nested deeper than ${MAX_DEPTH} levels`)
  const object = record(value, shape.name)
  const fields: FieldShape[] = []
  for (const key of Object.keys(object)) {
    if (object[key] === undefined || object[key] === null || (ownType && key === '@type')) continue
    const field = shape.byName.get(key)
    if (!field) throw new XdsError(`${shape.name} has no such field`, key)
    let at = fields.push(field) - 1
    // into the order of numbers; a few fields at most
    for (; at > 0 && (fields[at - 1] as FieldShape).number > field.number; at -= 1) fields[at] = fields[at - 1] as FieldShape
    fields[at] = field
  }
  checkOneofs(shape, fields)
  let index = fields.length - 1
  try {
    for (; index >= 0; index -= 1) {
      const field = fields[index] as FieldShape
      writeField(field, object[field.name], depth)
    }
  } catch (error) {
    if (error instanceof XdsError) throw error.within((fields[index] as FieldShape).name)
    throw error
  }
}

function checkOneofs(shape: MessageShape, fields: readonly FieldShape[]): void {
  let seen = 0
  for (const { oneof, name } of fields) {
    if (oneof === -1) continue
    if (seen & (1 << oneof)) {
      const names = fields.filter((field) => field.oneof === oneof).map((field) => field.name)
      throw new XdsError(`${shape.name} may have only one of ${names.join(', ')}`, name)
    }
    seen |= 1 << oneof
  }
}

function writeField(field: FieldShape, value: unknown, depth: number): void {
  if (field.mapKey) writeMap(field, field.mapKey, record(value, 'a map'), depth)
  else if (field.repeated) writeList(field, value, depth)
  else if (field.presence || !isZero(field, value)) {
    writeValue(field, value, depth)
    writer.varint(field.tag)
  }
}

function writeList(field: FieldShape, value: unknown, depth: number): void {
  if (!Array.isArray(value)) throw new XdsError(`is a list, not ${shown(value)}`)
  if (value.length === 0) return
  const packed = wireType(field.kind) !== 2
  const before = writer.length
  let index = value.length - 1
  try {
    for (; index >= 0; index -= 1) {
      writeValue(field, value[index], depth)
      if (!packed) writer.varint(field.tag)
    }
  } catch (error) {
    if (error instanceof XdsError) throw error.within(`[${index}]`)
    throw error
  }
  if (!packed) return
  writer.varint(writer.length - before)
  writer.varint(field.number * 8 + 2)
}

function writeMap(field: FieldShape, keyKind: Scalar, entries: Record_, depth: number): void {
  for (const key of Object.keys(entries).toSorted().toReversed()) {
    const before = writer.length
    try {
      if (!isZero(field, entries[key])) writeTagged(field, 2, entries[key], depth)
    } catch (error) {
      if (error instanceof XdsError) throw error.within(`[${JSON.stringify(key)}]`)
      throw error
    }
    writeTagged({ kind: keyKind, typeName: '' }, 1, keyKind === 's' ? key : keyKind === 'b' ? key === 'true' : Number(key), depth)
    writer.varint(writer.length - before)
    writer.varint(field.number * 8 + 2)
  }
}

function writeTagged(type: TypeRef, number: number, value: unknown, depth: number): void {
  writeValue(type, value, depth)
  writer.varint(number * 8 + wireType(type.kind))
}

/** What proto3 does not write where absence means the same. */
function isZero({ kind, typeName }: TypeRef, value: unknown): boolean {
  if (value === 0 || value === false || value === '' || value === 0n) return kind.length === 1 || kind === 'enum'
  return kind === 'enum' ? enumShape(typeName).numbers.get(value as string) === 0 : kind === 'y' && (value as Uint8Array).length === 0
}

/** The value with its length, where it has one. */
function writeValue(type: TypeRef, value: unknown, depth: number): void {
  if (type.kind === 'enum') return writeEnum(type.typeName, value)
  if (type.kind.length === 1) return writeScalar(type.kind as Scalar, value)
  const before = writer.length
  writeBody(type, value, depth + 1)
  writer.varint(writer.length - before)
}

/** A message without its length. */
function writeBody(type: TypeRef, value: unknown, depth: number): void {
  if (depth > MAX_DEPTH) throw new XdsError(`is nested deeper than ${MAX_DEPTH} levels`)
  switch (type.kind) {
    case 'any':
      return writeAny(record(value, 'google.protobuf.Any'), depth)
    case 'duration':
      return writeTime(parseDuration(value))
    case 'timestamp':
      return writeTime(parseTimestamp(value))
    case 'wrapper':
      return writeWrapped(type.wrapped ?? 's', value)
    case 'empty':
      record(value, 'google.protobuf.Empty')
      return
    case 'struct':
      return writeMap(STRUCT_FIELDS, 's', record(value, 'google.protobuf.Struct'), depth)
    case 'value':
      return writeJson(value, depth)
    case 'list':
      return writeList(LIST_VALUES, value, depth)
    default:
      writeMessage(messageShape(type.typeName), value, depth)
  }
}

function writeWrapped(kind: Scalar, value: unknown): void {
  if (value === 0 || value === false || value === '' || value === 0n) return
  writeScalar(kind, value)
  writer.varint(8 + wireType(kind))
}

const VALUE: TypeRef = { kind: 'value', typeName: 'google.protobuf.Value' }
const STRUCT_FIELDS: FieldShape = { ...VALUE, name: 'fields', number: 1, tag: 10, repeated: false, mapKey: 's', presence: true, oneof: -1 }
const LIST_VALUES: FieldShape = { ...VALUE, name: 'values', number: 1, tag: 10, repeated: true, presence: true, oneof: -1 }

function writeJson(value: unknown, depth: number): void {
  if (value === null) writeTagged({ kind: 'u', typeName: '' }, 1, 0, depth)
  else if (typeof value === 'number') writeTagged({ kind: 'd', typeName: '' }, 2, value, depth)
  else if (typeof value === 'string') writeTagged({ kind: 's', typeName: '' }, 3, value, depth)
  else if (typeof value === 'boolean') writeTagged({ kind: 'b', typeName: '' }, 4, value, depth)
  else if (Array.isArray(value)) writeTagged({ kind: 'list', typeName: '' }, 6, value, depth)
  else if (typeof value === 'object') writeTagged({ kind: 'struct', typeName: '' }, 5, value, depth)
  else throw new XdsError(`is a JSON value, not ${shown(value)}`)
}

function writeTime({ seconds, nanos }: { readonly seconds: number; readonly nanos: number }): void {
  if (nanos !== 0) writeTagged({ kind: 'i', typeName: '' }, 2, nanos, 0)
  if (seconds !== 0) writeTagged({ kind: 'l', typeName: '' }, 1, seconds, 0)
}

function writeAny(value: Record_, depth: number): void {
  const url = value['@type']
  if (url === undefined && Object.keys(value).length === 0) return
  if (typeof url !== 'string' || !url.includes('/'))
    throw new XdsError('an Any has the URL of its type in "@type", such as "type.googleapis.com/package.Message"')
  const before = writer.length
  const name = url.slice(url.lastIndexOf('/') + 1)
  const type = typeRef(name)
  if ('@value' in value) writeTagged({ kind: 'y', typeName: '' }, 2, value['@value'], depth)
  else {
    if (type.kind !== 'message') writeBody(type, value['value'] ?? (type.kind === 'empty' ? {} : undefined), depth)
    else if (isKnownType(name)) writeMessage(messageShape(name), value, depth, true)
    else throw new XdsError(`nothing is known of the type ${name}; give its bytes in "@value"`)
    const length = writer.length - before
    if (length > 0) {
      writer.varint(length)
      writer.varint(2 * 8 + 2)
    }
  }
  writeTagged({ kind: 's', typeName: '' }, 1, url, depth)
}

function writeEnum(typeName: string, value: unknown): void {
  const number = typeof value === 'string' ? enumShape(typeName).numbers.get(value) : value
  if (!Number.isInteger(number))
    throw new XdsError(`${shown(value)} is none of ${typeName}: ${[...enumShape(typeName).numbers.keys()].join(', ')}`)
  writeInteger(number as number, -2_147_483_648, 2_147_483_647)
}

function writeScalar(kind: Scalar, value: unknown): void {
  switch (kind) {
    case 's':
      if (typeof value !== 'string') throw new XdsError(`is text, not ${shown(value)}`)
      return writer.string(value)
    case 'b':
      if (typeof value !== 'boolean') throw new XdsError(`is true or false, not ${shown(value)}`)
      return writer.varint(value ? 1 : 0)
    case 'y':
      return writer.bytes(bytesOf(value))
    case 'd':
      return writer.double(numberOf(value))
    case 'f':
      return writer.float(numberOf(value))
    case 'u':
      return writeInteger(value, 0, 4_294_967_295)
    case 'i':
      return writeInteger(value, -2_147_483_648, 2_147_483_647)
    case 'z': {
      const number = integerOf(value, -2_147_483_648, 2_147_483_647)
      return writer.varint(number < 0 ? -2 * number - 1 : 2 * number)
    }
    case 'x':
      return writer.fixed32(integerOf(value, 0, 4_294_967_295))
    case 'l':
      return writeLong(value, -(2n ** 63n), 2n ** 63n - 1n)
    case 'q':
      return writeLong(value, 0n, 2n ** 64n - 1n)
    case 'X':
      return writer.fixed64(longOf(value, 0n, 2n ** 64n - 1n))
  }
}

function writeInteger(value: unknown, min: number, max: number): void {
  const number = integerOf(value, min, max)
  if (number < 0) writer.varint64(BigInt(number))
  else writer.varint(number)
}

function writeLong(value: unknown, min: bigint, max: bigint): void {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) writer.varint(value)
  else writer.varint64(longOf(value, min, max))
}

function integerOf(value: unknown, min: number, max: number): number {
  if (!Number.isInteger(value) || (value as number) < min || (value as number) > max) {
    throw new XdsError(`is a whole number from ${min} to ${max}, not ${shown(value)}`)
  }
  return value as number
}

function longOf(value: unknown, min: bigint, max: bigint): bigint {
  const whole =
    typeof value === 'bigint'
      ? value
      : Number.isSafeInteger(value) || (typeof value === 'string' && /^-?\d{1,20}$/.test(value))
        ? BigInt(value as number | string)
        : undefined
  if (whole === undefined || whole < min || whole > max) throw new XdsError(`is a whole number from ${min} to ${max}, not ${shown(value)}`)
  return whole
}

function numberOf(value: unknown): number {
  if (typeof value === 'number') return value
  if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return Number(value)
  throw new XdsError(`is a number, not ${shown(value)}`)
}

function bytesOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value
  if (typeof value === 'string' && /^[A-Za-z0-9+/_-]*={0,2}$/.test(value)) return Buffer.from(value, 'base64')
  throw new XdsError(`is bytes or base64, not ${shown(value)}`)
}

function shown(value: unknown): string {
  if (typeof value === 'bigint') return String(value)
  const text = JSON.stringify(value) ?? typeof value
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}
