import { XDS_TYPES } from './generated/index.ts'
import { XdsError } from './error.ts'

/** How the value of a field looks: a scalar by its letter (see generated/index.ts), an enum, a message, or a type with a JSON form of its own. */
export type Kind = Scalar | 'enum' | 'message' | WellKnown
export type Scalar = 'd' | 'f' | 'i' | 'l' | 'u' | 'q' | 'z' | 'x' | 'X' | 'b' | 's' | 'y'
export type WellKnown = 'any' | 'duration' | 'timestamp' | 'struct' | 'value' | 'list' | 'wrapper' | 'empty'

export interface TypeRef {
  readonly kind: Kind
  /** Full name, for enums and messages. */
  readonly typeName: string
  /** Of a wrapper such as UInt32Value. */
  readonly wrapped?: Scalar
}

export interface FieldShape extends TypeRef {
  readonly name: string
  readonly number: number
  /** How one value of it begins on the wire. */
  readonly tag: number
  readonly repeated: boolean
  /** Kind of the keys of a map. */
  readonly mapKey?: Scalar
  /** Zero is written too, because it means something else than absence (proto3 optional, oneof, messages). */
  readonly presence: boolean
  /** Which oneof it belongs to; -1: none. */
  readonly oneof: number
}

export interface MessageShape {
  readonly name: string
  readonly byName: ReadonlyMap<string, FieldShape>
  readonly byNumber: ReadonlyMap<number, FieldShape>
}

export interface EnumShape {
  readonly name: string
  readonly numbers: ReadonlyMap<string, number>
  readonly names: ReadonlyMap<number, string>
}

const WRAPPERS = new Map<string, Scalar>(
  Object.entries({
    DoubleValue: 'd',
    FloatValue: 'f',
    Int64Value: 'l',
    UInt64Value: 'q',
    Int32Value: 'i',
    UInt32Value: 'u',
    BoolValue: 'b',
    StringValue: 's',
    BytesValue: 'y',
  }),
)
const WELL_KNOWN = new Map<string, WellKnown>(
  Object.entries({
    Any: 'any',
    Duration: 'duration',
    Timestamp: 'timestamp',
    Struct: 'struct',
    Value: 'value',
    ListValue: 'list',
    Empty: 'empty',
  }),
)
const GOOGLE = 'google.protobuf.'

/** Lines of the tables by full name; parsed when a type is first asked for. */
const lines = new Map<string, string>()
const shapes = new Map<string, MessageShape>()
const enums = new Map<string, EnumShape>()

function readTables(): void {
  for (const table of XDS_TYPES) {
    let home = ''
    for (const line of table.split('\n')) {
      if (line.startsWith('@')) home = line.slice(1)
      else if (line !== '') {
        const end = line.indexOf(' ')
        const local = line.slice(line.startsWith('%') ? 1 : 0, end === -1 ? undefined : end)
        lines.set(`${home}.${local}`, `${home} ${end === -1 ? '' : line.slice(end + 1)}`)
      }
    }
  }
}

function lineOf(name: string): string | undefined {
  if (lines.size === 0) readTables()
  return lines.get(name)
}

/** Whether messages of this full name can be written and read. */
export const isKnownType = (name: string): boolean => shapes.has(name) || lineOf(name) !== undefined

/** @throws {XdsError} where the type is not in the tables. */
export function messageShape(name: string): MessageShape {
  const known = shapes.get(name)
  if (known) return known
  const line = lineOf(name)
  if (line === undefined) throw new XdsError(`nothing is known of the type ${name}`)
  const shape = parseMessage(name, line)
  shapes.set(name, shape)
  return shape
}

export function enumShape(name: string): EnumShape {
  const known = enums.get(name)
  if (known) return known
  const line = name === `${GOOGLE}NullValue` ? ' NULL_VALUE=0' : lineOf(name)
  if (line === undefined) throw new XdsError(`nothing is known of the enum ${name}`)
  const [, ...pairs] = line.split(' ')
  const values = pairs.filter((pair) => pair !== '').map((pair) => pair.split('=') as [string, string])
  const shape: EnumShape = {
    name,
    numbers: new Map(values.map(([value, number]) => [value, Number(number)])),
    // the first name of a number is the one that is shown
    names: new Map(values.toReversed().map(([value, number]) => [Number(number), value])),
  }
  enums.set(name, shape)
  return shape
}

/** How a type is written by its full name, also one with a JSON form of its own. */
export function typeRef(typeName: string): TypeRef {
  const local = typeName.startsWith(GOOGLE) ? typeName.slice(GOOGLE.length) : ''
  const wrapped = WRAPPERS.get(local)
  if (wrapped) return { kind: 'wrapper', typeName, wrapped }
  return { kind: WELL_KNOWN.get(local) ?? 'message', typeName }
}

function parseMessage(name: string, line: string): MessageShape {
  const [home = '', ...parts] = line.split(' ')
  const fields = parts.filter((part) => part !== '').map((part) => parseField(part, home))
  return {
    name,
    byName: new Map(fields.map((field) => [field.name, field])),
    byNumber: new Map(fields.map((field) => [field.number, field])),
  }
}

/** Wire type of a single value of a kind. */
export function wireType(kind: Kind): 0 | 1 | 2 | 5 {
  switch (kind) {
    case 'i':
    case 'l':
    case 'u':
    case 'q':
    case 'z':
    case 'b':
    case 'enum':
      return 0
    case 'd':
    case 'X':
      return 1
    case 'f':
    case 'x':
      return 5
    default:
      return 2
  }
}

const FIELD = /^(\w+)=(\d+):(?:(\w)~)?([.%]?)([\w./]+)(\*?)(\??)(?:@(\d+))?$/

function parseField(text: string, home: string): FieldShape {
  const [, name = '', number = '', mapKey, mark, type = '', repeated, optional, oneof] = FIELD.exec(text) ?? []
  if (name === '') throw new XdsError(`the table has a field that cannot be read: ${text}`)
  const at = type.indexOf('/')
  const folder = type.slice(0, Math.max(at, 0))
  const full = mark === '' ? '' : `${folder === 'google' ? 'google.protobuf' : folder || home}.${type.slice(at + 1)}`
  const ref: TypeRef =
    mark === '' ? { kind: type as Scalar, typeName: '' } : mark === '%' ? { kind: 'enum', typeName: full } : typeRef(full)
  return {
    ...ref,
    name,
    number: Number(number),
    tag: Number(number) * 8 + wireType(ref.kind),
    repeated: repeated === '*',
    ...(mapKey ? { mapKey: mapKey as Scalar } : {}),
    // an empty message is not an absent one
    presence: optional === '?' || oneof !== undefined || !(mark === '%' || mark === ''),
    oneof: oneof === undefined ? -1 : Number(oneof),
  }
}
