import { StatusError } from '../../../base/errors.ts'
import type { DecodedJson } from '../../../base/json.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import { admit, decodeErrorText, fieldWarnings, resolveSchema, strictDecodingText, type DecodedAs } from '../../../api/schema/index.ts'
import { badRequest, type Resource } from '../registry/index.ts'
import type { FieldValidation } from './query-options.ts'

export interface DecodeOptions {
  readonly fieldValidation: FieldValidation
  readonly warn: (text: string) => void
}

/**
 * Makes decoded JSON an object of its kind: apiVersion and kind checked (or filled in), types checked, unknown fields
 * dropped and reported as the request wants, defaults set. Uses up `decoded.value`.
 * @throws {StatusError} `BadRequest`
 */
export function decodeObjectOf(resource: Resource, decoded: DecodedJson, options: DecodeOptions): KubeObject {
  const { kind } = resource
  const as: DecodedAs = { kind: kind.kind, version: kind.version }
  const object = checkedType(resource, decoded.value)
  const schema = resource.schema()
  let unknown: readonly string[] = []
  if (schema) {
    const unknownFields = options.fieldValidation === 'Ignore' ? 'drop' : options.fieldValidation === 'Strict' ? 'strict' : 'warn'
    const admitted = admit<KubeObject>(schema, object, { unknownFields })
    if (admitted.errors.length > 0) throw badRequest(decodeErrorText(as, admitted.errors))
    unknown = admitted.unknown
  } else checkMetadata(as, object)
  report(as, unknown, decoded.duplicates, options)
  kind.strategy?.setDefaults?.(object)
  return object
}

/** A kind without schema may hold anything, but its metadata is what the server works with. */
function checkMetadata(as: DecodedAs, object: KubeObject): void {
  const schema = resolveSchema('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta')
  const errors = schema ? admit(schema, object.metadata).errors : []
  if (errors.length > 0) throw badRequest(decodeErrorText(as, errors))
}

function report(as: DecodedAs, unknown: readonly string[], duplicates: readonly string[], options: DecodeOptions): void {
  if (options.fieldValidation === 'Ignore' || unknown.length + duplicates.length === 0) return
  if (options.fieldValidation === 'Strict') throw badRequest(strictDecodingText(as, unknown, duplicates))
  for (const text of fieldWarnings(unknown, duplicates)) options.warn(text)
}

function checkedType(resource: Resource, value: unknown): KubeObject {
  const object = asRecord(value, resource.kind.kind)
  const apiVersion = object['apiVersion'] || resource.apiVersion
  const kind = object['kind'] || resource.kind.kind
  if (apiVersion !== resource.apiVersion) {
    const text = `the API version in the data (${textOf(apiVersion)}) does not match the expected API version (${resource.apiVersion})`
    throw badRequest(text)
  }
  if (kind !== resource.kind.kind) {
    const { version } = resource.kind
    throw badRequest(`${textOf(kind)} in version ${JSON.stringify(version)} cannot be handled as a ${resource.kind.kind}`)
  }
  object['apiVersion'] = apiVersion
  object['kind'] = kind
  object['metadata'] = asRecord(object['metadata'] ?? {}, 'ObjectMeta')
  return object as unknown as KubeObject
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** @throws {StatusError} `BadRequest` for anything but a JSON object */
export function asRecord(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  const is = Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value
  throw new StatusError('BadRequest', `the body must be a JSON object of type ${what}, not ${is}`)
}
