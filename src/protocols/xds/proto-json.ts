import { messageShape, typeRef, isKnownType, type FieldShape, type TypeRef } from './descriptor.ts'
import { MAX_DEPTH, XdsError } from './error.ts'

/**
 * The JSON form of a message (see index.ts) from JSON as people write it for Envoy: names of fields in snake_case or lowerCamelCase, at any depth, inside of
 * Any too. Values are not judged; encoding does that. @throws {XdsError} with the path of a field that does not exist or comes in both spellings.
 */
export function fromProtoJson(typeName: string, value: unknown): unknown {
  return convert(typeRef(typeName), value, 0)
}

/** The name in the tables for either spelling; undefined: there is no such field. */
export function fieldName(typeName: string, spelling: string): FieldShape | undefined {
  const { byName } = messageShape(typeName)
  return byName.get(spelling) ?? byName.get(spelling.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`))
}

function convert(type: TypeRef, value: unknown, depth: number): unknown {
  if (depth > MAX_DEPTH) throw new XdsError(`is nested deeper than ${MAX_DEPTH} levels`)
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) return value
  if (type.kind === 'message') return convertFields(type.typeName, value, depth)
  if (type.kind !== 'any') return value
  const url = (value as Record<string, unknown>)['@type']
  const name = typeof url === 'string' ? url.slice(url.lastIndexOf('/') + 1) : ''
  return isKnownType(name) && !('@value' in value) ? convertFields(name, value, depth) : value
}

function convertFields(typeName: string, value: object, depth: number): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  for (const [key, member] of Object.entries(value)) {
    if (key === '@type') {
      out[key] = member
      continue
    }
    const field = fieldName(typeName, key)
    if (!field) throw new XdsError(`${typeName} has no such field`, key)
    if (field.name in out) throw new XdsError(`is given twice, also as ${field.name}`, key)
    out[field.name] = at(field.name, () => convertMember(field, member, depth + 1))
  }
  return out
}

function at(step: string, body: () => unknown): unknown {
  try {
    return body()
  } catch (error) {
    if (error instanceof XdsError) throw error.within(step)
    throw error
  }
}

function convertMember(field: FieldShape, value: unknown, depth: number): unknown {
  if (field.mapKey && typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, convert(field, entry, depth)]))
  }
  return field.repeated && Array.isArray(value)
    ? value.map((entry, index) => at(`[${index}]`, () => convert(field, entry, depth)))
    : convert(field, value, depth)
}
