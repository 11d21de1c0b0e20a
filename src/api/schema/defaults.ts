import type { Default, ObjectSchema, Schema } from './schema.ts'

/** Sets every default of the schema in `value`, in place; values of the wrong type are left alone. Does it twice, changes nothing. */
export function applyDefaults(schema: Schema, value: unknown): void {
  if (typeof value !== 'object' || value === null || schema.type === 'any' || schema.type === 'raw') return
  if (Array.isArray(value)) {
    if (schema.type === 'array' && isStructured(schema.items)) for (const item of value) applyDefaults(schema.items, item)
  } else if (schema.type === 'map') {
    if (isStructured(schema.values)) for (const key of Object.keys(value)) applyDefaults(schema.values, (value as JsonObject)[key])
  } else if (schema.type === 'object') {
    defaultFields(schema, value as JsonObject)
    for (const key of Object.keys(value)) {
      const property = schema.properties.get(key)
      if (property && isStructured(property.schema)) applyDefaults(property.schema, (value as JsonObject)[key])
    }
  }
}

export type JsonObject = Record<string, unknown>

/** The defaults of one object, not of what is below it. */
export function defaultFields(schema: ObjectSchema, value: JsonObject): void {
  const defaults = schema.defaults
  for (let index = 0; index < defaults.length; index++) setDefault(value, defaults[index] as Default)
}

export function isStructured(schema: Schema): boolean {
  return schema.type === 'object' || schema.type === 'array' || schema.type === 'map'
}

function setDefault(value: JsonObject, rule: Default): void {
  let target = value
  const last = rule.path.length - 1
  for (let depth = 0; depth < last; depth++) {
    const next = target[rule.path[depth] as string]
    if (typeof next !== 'object' || next === null || Array.isArray(next)) return
    target = next as JsonObject
  }
  const name = rule.path[last] as string
  const current = target[name]
  if (!isUnset(current) && !(rule.zero && current === 0)) return
  if (rule.when) {
    const sibling = target[rule.when.field]
    if (!rule.when.values.includes(isUnset(sibling) ? null : (sibling as string))) return
  }
  target[name] = copy(rule.value)
}

function isUnset(value: unknown): boolean {
  return value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0)
}

function copy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(copy)
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, copy(child)]))
}
