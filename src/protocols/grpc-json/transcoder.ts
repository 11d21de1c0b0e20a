import { readFields } from '../protobuf/index.ts'
import { readDescriptorSet, type Field, type Method, type Schema } from './descriptor-set.ts'
import { at, GrpcJsonError } from './error.ts'
import { encodeJson } from './from-json.ts'
import type { HttpBinding } from './http-rule.ts'
import { objectOf, parseJson, type Json } from './json-values.ts'
import { parsePathTemplate, PathTable } from './path-template.ts'
import { decodeJson } from './to-json.ts'
import { hasOwnJson } from './well-known.ts'
import { WireWriter } from './wire.ts'

const HTTP_BODY = 'google.api.HttpBody'

interface Bound {
  readonly method: Method
  readonly binding: HttpBinding
}

/** One message of an answer, ready for the client. */
export interface AnswerPart {
  readonly contentType: string
  readonly bytes: Buffer
  /** Bytes as the application gave them: not to be put into a list. */
  readonly isRaw: boolean
}

/** A call over HTTP that is one of gRPC. */
export interface TranscodedCall {
  /** `/package.Service/Method` */
  readonly path: string
  readonly serverStreaming: boolean
  /** The request's message. @throws {GrpcJsonError} where path, query or body do not fit: the client's fault */
  encode(body: Uint8Array, contentType?: string): Buffer
  /** @throws {GrpcJsonError} where the bytes are not what the descriptors say */
  decode(message: Uint8Array): AnswerPart
}

/** Calls of services that a FileDescriptorSet describes, by their google.api.http rules. Methods whose clients stream are not called over HTTP. */
export class Transcoder {
  readonly schema: Schema
  readonly #paths = new PathTable<Bound>()

  /**
   * @param services full names; empty: all
   * @throws {GrpcJsonError} naming the method whose rule cannot be used, or the service that is not there
   */
  constructor(descriptors: Uint8Array, services: readonly string[] = []) {
    this.schema = readDescriptorSet(descriptors)
    for (const name of services) if (!this.schema.services.has(name)) throw new GrpcJsonError(`the descriptors have no service ${name}`)
    for (const method of this.schema.methods) {
      if ((services.length > 0 && !services.includes(method.service)) || method.clientStreaming) continue
      for (const binding of method.rule ?? []) {
        at(method.path, () => {
          this.#check(method, binding)
          this.#paths.add(binding.method, binding.template, { method, binding })
        })
      }
    }
  }

  /** @param path with its query; undefined: no rule has it */
  find(method: string, path: string): TranscodedCall | undefined {
    const mark = path.indexOf('?')
    const found = this.#paths.find(method, mark < 0 ? path : path.slice(0, mark))
    if (!found) return undefined
    const { schema } = this
    const { value: bound, variables } = found
    return {
      path: bound.method.path,
      serverStreaming: bound.method.serverStreaming,
      encode: (body, contentType = '') => encodeRequest(schema, bound, variables, mark < 0 ? '' : path.slice(mark + 1), body, contentType),
      decode: (message) => decodeAnswer(schema, bound, message),
    }
  }

  #check({ input, output }: Method, { template, body, responseBody }: HttpBinding): void {
    for (const { field } of parsePathTemplate(template).variables) {
      const { repeated, type, typeName } = fieldAt(this.schema, input, field)
      if (repeated || (type === 'message' && !hasOwnJson(typeName))) throw new GrpcJsonError(`a path gives no value to the field ${field}`)
    }
    if (body !== '' && body !== '*') fieldAt(this.schema, input, body)
    if (responseBody !== '') fieldAt(this.schema, output, responseBody)
  }
}

/** Of a path such as `book.id`, in either spelling. @throws {GrpcJsonError} */
function fieldAt(schema: Schema, typeName: string, path: string): Field {
  const [name = '', ...rest] = path.split('.')
  const field = schema.message(typeName).byName.get(name)
  if (!field) throw new GrpcJsonError(`${typeName} has no field ${JSON.stringify(name)}`)
  if (rest.length === 0) return field
  if (field.type !== 'message' || field.repeated) throw new GrpcJsonError(`the field ${name} of ${typeName} has no fields of its own`)
  return fieldAt(schema, field.typeName, rest.join('.'))
}

type Mutable = { [key: string]: Json }

function encodeRequest(
  schema: Schema,
  { method: { input }, binding }: Bound,
  variables: readonly (readonly [string, string])[],
  query: string,
  body: Uint8Array,
  contentType: string,
): Buffer {
  const { body: bodyField } = binding
  const raw = rawField(schema, input, bodyField)
  const message: Mutable = {}
  if (raw === undefined && bodyField !== '' && body.length > 0) {
    const json = parseJson(Buffer.from(body).toString())
    if (bodyField === '*') for (const [key, value] of Object.entries(objectOf(json))) put(message, key, value)
    else put(message, bodyField, json)
  }
  const parameters = new Map<string, string[]>()
  for (const [name, value] of new URLSearchParams(query)) parameters.set(name, [...(parameters.get(name) ?? []), value])
  for (const [name, values] of parameters) at(name, () => bind(schema, input, message, name, values))
  for (const [name, value] of variables) at(name, () => bind(schema, input, message, name, [value]))
  if (raw === undefined) return encodeJson(schema, input, message)
  const httpBody = new WireWriter().tag(1, 2).bytes(Buffer.from(contentType)).tag(2, 2).bytes(body).finish()
  if (raw === 0) return httpBody
  return Buffer.concat([encodeJson(schema, input, message), new WireWriter().tag(raw, 2).bytes(httpBody).finish()])
}

/** Where bytes of any kind go: the number of the field, 0 for the message itself. */
function rawField(schema: Schema, typeName: string, bodyField: string): number | undefined {
  if (bodyField === '*') return typeName === HTTP_BODY ? 0 : undefined
  if (bodyField === '') return undefined
  const field = fieldAt(schema, typeName, bodyField)
  return field.typeName === HTTP_BODY ? field.number : undefined
}

/** Sets a field from texts of the path or the query; what was there before gives way. */
function bind(schema: Schema, typeName: string, message: Mutable, path: string, texts: readonly string[]): void {
  const [name = '', ...rest] = path.split('.')
  const field = schema.message(typeName).byName.get(name)
  if (!field) throw new GrpcJsonError(`${typeName} has no field ${JSON.stringify(name)}`)
  const key = Object.hasOwn(message, field.name) ? field.name : field.jsonName
  if (rest.length > 0) {
    if (field.type !== 'message' || field.repeated || hasOwnJson(field.typeName))
      throw new GrpcJsonError(`the field ${name} of ${typeName} has no fields of its own`)
    const known = Object.hasOwn(message, key) ? message[key] : undefined
    const inner: Mutable = known === undefined || known === null ? {} : { ...objectOf(known) }
    bind(schema, field.typeName, inner, rest.join('.'), texts)
    put(message, key, inner)
    return
  }
  if (field.repeated)
    put(
      message,
      key,
      texts.map((text) => fromText(field, text)),
    )
  else if (texts.length > 1) throw new GrpcJsonError('is given more than once')
  else put(message, key, fromText(field, texts[0] ?? ''))
}

/** As Envoy reads them. */
const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...['true', 't', 'yes', 'y', '1'].map((text) => [text, true] as const),
  ...['false', 'f', 'no', 'n', '0'].map((text) => [text, false] as const),
])

/** Numbers are texts too in JSON; booleans are not. */
function fromText({ type, typeName }: Field, text: string): Json {
  if (type === 'bool' || typeName === 'google.protobuf.BoolValue') {
    const value = BOOLEANS.get(text.toLowerCase())
    if (value === undefined) throw new GrpcJsonError(`is true or false, not ${JSON.stringify(text)}`)
    return value
  }
  if (type === 'message' && (!hasOwnJson(typeName) || /\.(Any|Struct|ListValue|Value)$/.test(typeName)))
    throw new GrpcJsonError('is a message, which no text is')
  return text
}

function put(message: Mutable, name: string, value: Json): void {
  Object.defineProperty(message, name, { value, enumerable: true, configurable: true, writable: true })
}

function decodeAnswer(schema: Schema, { method: { output }, binding: { responseBody } }: Bound, message: Uint8Array): AnswerPart {
  if (output === HTTP_BODY && responseBody === '') return rawAnswer(message)
  if (responseBody === '') return jsonAnswer(decodeJson(schema, output, message))
  const field = fieldAt(schema, output, responseBody)
  if (field.typeName === HTTP_BODY) {
    const parts = [...readFields(message)].flatMap(({ number, value }) =>
      number === field.number && value instanceof Uint8Array ? [value] : [],
    )
    return rawAnswer(Buffer.concat(parts))
  }
  const json = objectOf(decodeJson(schema, output, message))
  return jsonAnswer(Object.hasOwn(json, field.jsonName) ? (json[field.jsonName] as Json) : emptyOf(schema, field))
}

const jsonAnswer = (json: Json): AnswerPart => ({ contentType: 'application/json', bytes: Buffer.from(JSON.stringify(json)), isRaw: false })

function rawAnswer(httpBody: Uint8Array): AnswerPart {
  let contentType = 'application/octet-stream'
  let bytes = Buffer.alloc(0)
  for (const { number, value } of readFields(httpBody)) {
    if (!(value instanceof Uint8Array)) continue
    if (number === 1 && value.length > 0) contentType = Buffer.from(value).toString()
    else if (number === 2) bytes = Buffer.from(value)
  }
  return { contentType, bytes, isRaw: true }
}

/** What a field that is not there looks like on its own. */
function emptyOf(schema: Schema, { repeated, type, typeName }: Field): Json {
  if (repeated) return type === 'message' && schema.hasMessage(typeName) && schema.message(typeName).isMapEntry ? {} : []
  if (type === 'message') return hasOwnJson(typeName) ? null : {}
  if (type === 'enum') return schema.enum(typeName).names.get(0) ?? 0
  if (type === 'bool') return false
  if (type === 'string' || type === 'bytes') return ''
  return type.endsWith('64') ? '0' : 0
}
