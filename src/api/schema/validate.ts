import type { FieldError } from '../kind.ts'
import { isStructured, type JsonObject } from './defaults.ts'
import { renderPath, type PathStack } from './json-path.ts'
import type { ObjectSchema, Property, Schema } from './schema.ts'

/**
 * What an admitted object lacks: required fields and values outside of an enum, with upstream's texts, at most 100. The
 * status of the object is not looked at: upstream takes what components report. Never throws.
 */
export function validateSchema(schema: Schema, value: unknown): readonly FieldError[] {
  const errors: FieldError[] = []
  if (schema.type === 'object' && isObject(value)) checkObject({ errors, path: [] }, schema, value)
  return errors
}

interface Check {
  readonly errors: FieldError[]
  readonly path: PathStack
}

const MAX_ERRORS = 100

function checkValue(check: Check, schema: Schema, value: unknown): void {
  if (schema.type === 'object') {
    if (isObject(value)) checkObject(check, schema, value)
  } else if (schema.type === 'array') {
    if (!Array.isArray(value) || !isStructured(schema.items)) return
    for (let index = 0; index < value.length; index++) descend(check, index, schema.items, value[index])
  } else if (schema.type === 'map') {
    if (!isObject(value) || !isStructured(schema.values)) return
    for (const key of Object.keys(value)) descend(check, key, schema.values, value[key])
  }
}

function checkObject(check: Check, schema: ObjectSchema, value: JsonObject): void {
  for (const name of schema.required) {
    if (value[name] === undefined || value[name] === null) report(check, name, 'FieldValueRequired', 'Required value')
  }
  for (const key of Object.keys(value)) {
    const property = schema.properties.get(key)
    if (property === undefined || (key === 'status' && check.path.length === 0)) continue
    if (property.enum) checkEnum(check, property, value[key])
    else if (isStructured(property.schema)) descend(check, key, property.schema, value[key])
  }
}

function checkEnum(check: Check, property: Property, value: unknown): void {
  const allowed = property.enum as readonly string[]
  if (Array.isArray(value)) {
    check.path.push(property.name)
    value.forEach((item, index) => {
      if (typeof item === 'string' && !allowed.includes(item)) unsupported(check, index, item, allowed)
    })
    check.path.pop()
  } else if (typeof value === 'string' && value !== '' && !allowed.includes(value)) unsupported(check, property.name, value, allowed)
}

function descend(check: Check, step: string | number, schema: Schema, value: unknown): void {
  if (check.errors.length >= MAX_ERRORS || check.path.length > 1000) return
  check.path.push(step)
  checkValue(check, schema, value)
  check.path.pop()
}

function unsupported(check: Check, step: string | number, value: string, allowed: readonly string[]): void {
  const supported = [...allowed].sort().map((one) => JSON.stringify(one))
  report(check, step, 'FieldValueNotSupported', `Unsupported value: ${JSON.stringify(value)}: supported values: ${supported.join(', ')}`)
}

function report(check: Check, step: string | number, type: FieldError['type'], message: string): void {
  if (check.errors.length < MAX_ERRORS) check.errors.push({ type, field: renderPath([...check.path, step]), message })
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
