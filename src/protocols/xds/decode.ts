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
import { Reader } from './reader.ts'
import { formatDuration, formatTimestamp } from './well-known.ts'

export type Message = { [field: string]: unknown }

/**
 * The JSON form of a message (see index.ts). Fields that are not in the tables are skipped, absent ones stay absent. Whole numbers of 64 bits are numbers
 * where those are exact, else bigint. Bounded by the size of the input and a depth of 100. @throws {XdsError}
 */
export function decode(typeName: string, bytes: Uint8Array): Message {
  return readBody(typeRef(typeName), bytes, 0) as Message
}

function readMessage(shape: MessageShape, bytes: Uint8Array, depth: number, into: Message): Message {
  const reader = new Reader(bytes)
  while (reader.more) {
    const tag = reader.varint()
    const wire = tag % 8
    const field = shape.byNumber.get(Math.floor(tag / 8))
    if (!field) {
      reader.skip(wire)
      continue
    }
    try {
      readField(field, wire, reader, into, depth)
    } catch (error) {
      if (error instanceof XdsError) throw error.within(field.name)
      throw error
    }
  }
  return into
}

function readField(field: FieldShape, wire: number, reader: Reader, into: Message, depth: number): void {
  const { name } = field
  if (field.mapKey) {
    readEntry(field, field.mapKey, reader.bytes(), own(into, name, () => ({})) as Message, depth)
  } else if (field.repeated) {
    const list = own(into, name, () => []) as unknown[]
    if (wire !== 2 || field.kind === 's' || field.kind === 'y' || !(field.kind.length === 1 || field.kind === 'enum')) {
      list.push(readValue(field, wire, reader, depth))
      return
    }
    const packed = new Reader(reader.bytes())
    while (packed.more) list.push(readValue(field, -1, packed, depth))
  } else if (field.kind === 'message' && into[name] !== undefined) {
    // a message that comes in parts is merged
    readMessage(messageShape(field.typeName), reader.bytes(), depth + 1, into[name] as Message)
  } else {
    if (field.oneof !== -1) forgetOthers(into, field)
    into[name] = readValue(field, wire, reader, depth)
  }
}

/** The last of a oneof wins; which others there are is looked up only where one was read before. */
function forgetOthers(into: Message, field: FieldShape): void {
  const seen = (into as { [ONEOFS]?: Map<number, string> })[ONEOFS] ?? new Map<number, string>()
  const other = seen.get(field.oneof)
  if (other !== undefined && other !== field.name) delete into[other]
  seen.set(field.oneof, field.name)
  Object.defineProperty(into, ONEOFS, { value: seen, enumerable: false, configurable: true })
}
const ONEOFS = Symbol('oneofs')

function own(into: Message, name: string, make: () => unknown): unknown {
  return (into[name] ??= make())
}

function readEntry(field: FieldShape, keyKind: Scalar, bytes: Uint8Array, into: Message, depth: number): void {
  const reader = new Reader(bytes)
  let key: unknown = keyKind === 's' ? '' : keyKind === 'b' ? false : 0
  let value: unknown
  while (reader.more) {
    const tag = reader.varint()
    if (tag >= 8 && tag < 16) key = readValue({ kind: keyKind, typeName: '' }, tag % 8, reader, depth)
    else if (tag >= 16 && tag < 24) value = readValue(field, tag % 8, reader, depth)
    else reader.skip(tag % 8)
  }
  define(into, String(key), value === undefined ? zeroOf(field) : value)
}

/** Also for the name `__proto__`. */
function define(into: Message, key: string, value: unknown): void {
  if (key === '__proto__') Object.defineProperty(into, key, { value, enumerable: true, configurable: true, writable: true })
  else into[key] = value
}

function zeroOf(type: TypeRef): unknown {
  switch (type.kind) {
    case 's':
      return ''
    case 'b':
      return false
    case 'y':
      return new Uint8Array(0)
    case 'enum':
      return enumShape(type.typeName).names.get(0) ?? 0
    default:
      return type.kind.length === 1 ? 0 : readBody(type, new Uint8Array(0), 0)
  }
}

/** `wire` -1: one of a packed list, known to fit. */
function readValue(type: TypeRef, wire: number, reader: Reader, depth: number): unknown {
  const expected = wireType(type.kind)
  if (wire !== -1 && wire !== expected) throw new XdsError(`has wire type ${wire} instead of ${expected}`)
  if (type.kind === 'enum') {
    const number = Number(BigInt.asIntN(32, reader.varint64()))
    return enumShape(type.typeName).names.get(number) ?? number
  }
  return type.kind.length === 1 ? readScalar(type.kind as Scalar, reader) : readBody(type, reader.bytes(), depth + 1)
}

function readScalar(kind: Scalar, reader: Reader): unknown {
  switch (kind) {
    case 's':
      return reader.string()
    case 'b':
      return reader.varint64() !== 0n
    case 'y':
      return Uint8Array.from(reader.bytes())
    case 'd':
      return shownFloat(reader.double())
    case 'f':
      return shownFloat(reader.float())
    case 'u':
      return Number(BigInt.asUintN(32, reader.varint64()))
    case 'i':
      return Number(BigInt.asIntN(32, reader.varint64()))
    case 'z': {
      const raw = Number(BigInt.asUintN(32, reader.varint64()))
      return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2
    }
    case 'x':
      return reader.fixed32()
    case 'l':
      return exact(BigInt.asIntN(64, reader.varint64()))
    case 'q':
      return exact(reader.varint64())
    case 'X':
      return exact(reader.fixed64())
  }
}

/** JSON has no names for these. */
const shownFloat = (value: number): number | string => (Number.isFinite(value) ? value : String(value))
const exact = (value: bigint): number | bigint => (Number.isSafeInteger(Number(value)) ? Number(value) : value)

function readBody(type: TypeRef, bytes: Uint8Array, depth: number): unknown {
  if (depth > MAX_DEPTH) throw new XdsError(`is nested deeper than ${MAX_DEPTH} levels`)
  switch (type.kind) {
    case 'any':
      return readAny(bytes, depth)
    case 'duration':
    case 'timestamp': {
      const { seconds = 0, nanos = 0 } = fieldsOf(bytes, { 1: ['seconds', 'l'], 2: ['nanos', 'i'] }) as { seconds?: number; nanos?: number }
      return type.kind === 'duration' ? formatDuration(seconds, nanos) : formatTimestamp(seconds, nanos)
    }
    case 'wrapper': {
      const kind = type.wrapped ?? 's'
      const { value } = fieldsOf(bytes, { 1: ['value', kind] })
      return value === undefined ? zeroOf({ kind, typeName: '' }) : value
    }
    case 'empty':
      return {}
    case 'struct':
      return readStruct(bytes, depth)
    case 'list':
      return readElements(bytes, depth)
    case 'value':
      return readJson(bytes, depth)
    default:
      return readMessage(messageShape(type.typeName), bytes, depth, {})
  }
}

/** Scalars of a small message by number. */
function fieldsOf(bytes: Uint8Array, known: Readonly<Record<number, readonly [string, Scalar]>>): Message {
  const reader = new Reader(bytes)
  const out: Message = {}
  while (reader.more) {
    const tag = reader.varint()
    const field = known[Math.floor(tag / 8)]
    if (field) out[field[0]] = readValue({ kind: field[1], typeName: '' }, tag % 8, reader, 0)
    else reader.skip(tag % 8)
  }
  return out
}

function readAny(bytes: Uint8Array, depth: number): Message {
  const { url = '', value = new Uint8Array(0) } = fieldsOf(bytes, { 1: ['url', 's'], 2: ['value', 'y'] }) as {
    url?: string
    value?: Uint8Array
  }
  if (url === '' && value.length === 0) return {}
  const name = url.slice(url.lastIndexOf('/') + 1)
  const type = typeRef(name)
  if (type.kind !== 'message') return { '@type': url, value: readBody(type, value, depth + 1) }
  if (!isKnownType(name)) return { '@type': url, '@value': value }
  return readMessage(messageShape(name), value, depth + 1, { '@type': url })
}

const VALUE: FieldShape = {
  kind: 'value',
  typeName: 'google.protobuf.Value',
  name: '',
  number: 1,
  tag: 10,
  repeated: false,
  mapKey: 's',
  presence: true,
  oneof: -1,
}

function readStruct(bytes: Uint8Array, depth: number): Message {
  const reader = new Reader(bytes)
  const out: Message = {}
  while (reader.more) {
    const tag = reader.varint()
    if (tag === 10) readEntry(VALUE, 's', reader.bytes(), out, depth + 1)
    else reader.skip(tag % 8)
  }
  return out
}

function readElements(bytes: Uint8Array, depth: number): unknown[] {
  const reader = new Reader(bytes)
  const out: unknown[] = []
  while (reader.more) {
    const tag = reader.varint()
    if (tag === 10) out.push(readBody(VALUE, reader.bytes(), depth + 1))
    else reader.skip(tag % 8)
  }
  return out
}

function readJson(bytes: Uint8Array, depth: number): unknown {
  const reader = new Reader(bytes)
  let out: unknown = null
  while (reader.more) {
    const tag = reader.varint()
    switch (tag) {
      case 8:
        reader.varint64()
        out = null
        break
      case 17:
        out = shownFloat(reader.double())
        break
      case 26:
        out = reader.string()
        break
      case 32:
        out = reader.varint64() !== 0n
        break
      case 42:
        out = readBody({ kind: 'struct', typeName: '' }, reader.bytes(), depth + 1)
        break
      case 50:
        out = readBody({ kind: 'list', typeName: '' }, reader.bytes(), depth + 1)
        break
      default:
        reader.skip(tag % 8)
    }
  }
  return out
}
