import { readFields } from '../protobuf/index.ts'
import { fieldsOf, numberOf, textOf, type Values } from './descriptor-fields.ts'
import { GrpcJsonError } from './error.ts'
import { readHttpRule, type HttpRule } from './http-rule.ts'

/** Types of fields, by their number in FieldDescriptorProto.Type; groups are left out. */
const TYPES = [
  undefined,
  'double',
  'float',
  'int64',
  'uint64',
  'int32',
  'fixed64',
  'fixed32',
  'bool',
  'string',
  undefined,
  'message',
  'bytes',
  'uint32',
  'enum',
  'sfixed32',
  'sfixed64',
  'sint32',
  'sint64',
] as const

export type FieldType = NonNullable<(typeof TYPES)[number]>
export type ScalarType = Exclude<FieldType, 'message' | 'enum'>

export interface Field {
  readonly name: string
  readonly jsonName: string
  readonly number: number
  readonly type: FieldType
  /** Full name, of messages and enums. */
  readonly typeName: string
  readonly repeated: boolean
  /** How a list of numbers is written; either form is read. */
  readonly packed: boolean
  /** Which oneof it belongs to; -1: none. */
  readonly oneof: number
  /** Zero is not the same as absence. */
  readonly presence: boolean
}

export interface MessageType {
  readonly name: string
  readonly fields: readonly Field[]
  readonly byNumber: ReadonlyMap<number, Field>
  /** By either spelling. */
  readonly byName: ReadonlyMap<string, Field>
  /** An entry of a map: its fields are `key` and `value`. */
  readonly isMapEntry: boolean
}

export interface EnumType {
  readonly name: string
  readonly numbers: ReadonlyMap<string, number>
  /** The first name of each. */
  readonly names: ReadonlyMap<number, string>
}

export interface Method {
  /** `/package.Service/Method` */
  readonly path: string
  readonly service: string
  readonly input: string
  readonly output: string
  readonly clientStreaming: boolean
  readonly serverStreaming: boolean
  readonly rule?: HttpRule
}

/** What a FileDescriptorSet says about messages, enums and methods. */
export interface Schema {
  /** @throws {GrpcJsonError} where the set has no such message */
  message(name: string): MessageType
  hasMessage(name: string): boolean
  enum(name: string): EnumType
  readonly services: ReadonlySet<string>
  readonly methods: readonly Method[]
}

/** Reads a FileDescriptorSet (`protoc --include_imports -o`). Fields of type group are left out. Source: google/protobuf/descriptor.proto. @throws {GrpcJsonError} */
export function readDescriptorSet(bytes: Uint8Array): Schema {
  const messages = new Map<string, MessageType>()
  const enums = new Map<string, EnumType>()
  const services = new Set<string>()
  const methods: Method[] = []
  try {
    for (const { value } of readFields(bytes)) {
      const file = fieldsOf(value)
      const home = textOf(file, 2)
      const isProto2 = ['', 'proto2'].includes(textOf(file, 12))
      for (const one of file.get(4) ?? []) readMessage(one, home, isProto2, messages, enums)
      for (const one of file.get(5) ?? []) readEnum(one, home, enums)
      for (const one of file.get(6) ?? []) {
        const { name, methods: own } = readService(one, home)
        services.add(name)
        methods.push(...own)
      }
    }
  } catch (error) {
    if (error instanceof GrpcJsonError) throw error
    throw new GrpcJsonError(
      `the descriptors are no FileDescriptorSet: ${(error as Error).message}; make them with protoc --include_imports -o`,
    )
  }
  const found = <T>(map: ReadonlyMap<string, T>, name: string): T => {
    const one = map.get(name)
    if (!one) throw new GrpcJsonError(`the descriptors say nothing of ${name}; make them with protoc --include_imports`)
    return one
  }
  return {
    message: (name) => found(messages, name),
    hasMessage: (name) => messages.has(name),
    enum: (name) => found(enums, name),
    services,
    methods,
  }
}

const joined = (home: string, name: string): string => (home === '' ? name : `${home}.${name}`)
const withoutDot = (name: string): string => (name.startsWith('.') ? name.slice(1) : name)

function readMessage(
  value: Values[number],
  home: string,
  isProto2: boolean,
  messages: Map<string, MessageType>,
  enums: Map<string, EnumType>,
): void {
  const descriptor = fieldsOf(value)
  const name = joined(home, textOf(descriptor, 1))
  for (const one of descriptor.get(3) ?? []) readMessage(one, name, isProto2, messages, enums)
  for (const one of descriptor.get(4) ?? []) readEnum(one, name, enums)
  const fields = (descriptor.get(2) ?? []).flatMap((one) => readField(one, isProto2) ?? [])
  const options = descriptor.get(7)?.at(-1)
  messages.set(name, {
    name,
    fields,
    byNumber: new Map(fields.map((field) => [field.number, field])),
    byName: new Map([...fields.map((field) => [field.name, field] as const), ...fields.map((field) => [field.jsonName, field] as const)]),
    isMapEntry: options !== undefined && numberOf(fieldsOf(options), 7) === 1,
  })
}

const LABEL_REPEATED = 3
const UNPACKED: ReadonlySet<string> = new Set(['string', 'bytes', 'message'])

function readField(value: Values[number], isProto2: boolean): Field | undefined {
  const descriptor = fieldsOf(value)
  const type = TYPES[numberOf(descriptor, 5) ?? 0]
  if (!type) return undefined
  const name = textOf(descriptor, 1)
  const repeated = numberOf(descriptor, 4) === LABEL_REPEATED
  const isOptional = numberOf(descriptor, 17) === 1
  const oneof = isOptional ? -1 : (numberOf(descriptor, 9) ?? -1)
  const options = descriptor.get(8)?.at(-1)
  const packed = options === undefined ? undefined : numberOf(fieldsOf(options), 2)
  return {
    name,
    jsonName: textOf(descriptor, 10) || name.replaceAll(/_+(.)?/g, (_, letter: string | undefined) => letter?.toUpperCase() ?? ''),
    number: numberOf(descriptor, 3) ?? 0,
    type,
    typeName: withoutDot(textOf(descriptor, 6)),
    repeated,
    packed: repeated && !UNPACKED.has(type) && (packed === undefined ? !isProto2 : packed === 1),
    oneof,
    presence: isProto2 || isOptional || oneof >= 0 || type === 'message',
  }
}

function readEnum(value: Values[number], home: string, enums: Map<string, EnumType>): void {
  const descriptor = fieldsOf(value)
  const name = joined(home, textOf(descriptor, 1))
  const values = (descriptor.get(2) ?? []).map((one) => {
    const fields = fieldsOf(one)
    return [textOf(fields, 1), numberOf(fields, 2) ?? 0] as const
  })
  enums.set(name, { name, numbers: new Map(values), names: new Map(values.toReversed().map(([text, number]) => [number, text])) })
}

/** Of google.api.http in MethodOptions. */
const HTTP_EXTENSION = 72_295_728

function readService(value: Values[number], home: string): { readonly name: string; readonly methods: readonly Method[] } {
  const descriptor = fieldsOf(value)
  const name = joined(home, textOf(descriptor, 1))
  const methods = (descriptor.get(2) ?? []).map((one): Method => {
    const fields = fieldsOf(one)
    const options = fields.get(4)?.at(-1)
    const rule = options === undefined ? undefined : fieldsOf(options).get(HTTP_EXTENSION)?.at(-1)
    return {
      path: `/${name}/${textOf(fields, 1)}`,
      service: name,
      input: withoutDot(textOf(fields, 2)),
      output: withoutDot(textOf(fields, 3)),
      clientStreaming: numberOf(fields, 5) === 1,
      serverStreaming: numberOf(fields, 6) === 1,
      ...(rule === undefined ? {} : { rule: readHttpRule(fieldsOf(rule)) }),
    }
  })
  return { name, methods }
}
