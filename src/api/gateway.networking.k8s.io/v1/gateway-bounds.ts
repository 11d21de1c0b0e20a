import type { FieldErrors } from '../../validation/field-errors.ts'
import { resolveSchema, type Schema } from '../../schema/index.ts'
import { BOUNDS, type Bound } from './gateway-bounds-table.ts'

/**
 * Lengths, ranges and patterns of everything below `value`, by the table of bounds. What is absent or of the wrong type is left to the schema.
 */
export function checkBounds(errors: FieldErrors, schemaName: string, field: string, value: unknown): void {
  const schema = resolveSchema(schemaName)
  if (schema) walk(errors, schema, field, value)
}

function walk(errors: FieldErrors, schema: Schema, field: string, value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  if (schema.type === 'array' && Array.isArray(value)) value.forEach((item, i) => walk(errors, schema.items, `${field}[${i}]`, item))
  if (schema.type !== 'object' || Array.isArray(value)) return
  const bounds = BOUNDS[schema.name.slice(schema.name.lastIndexOf('.') + 1)]
  for (const [name, child] of Object.entries(value)) {
    const at = field === '' ? name : `${field}.${name}`
    const bound = bounds?.[name]
    if (bound) checkBound(errors, bound, at, child)
    const property = schema.properties.get(name)
    if (!property) continue
    if (property.listType === 'set' && Array.isArray(child)) checkSet(errors, at, child)
    walk(errors, property.schema, at, child)
  }
}

function checkSet(errors: FieldErrors, field: string, list: readonly unknown[]): void {
  const seen = new Set<unknown>()
  list.forEach((one, i) => {
    if (seen.has(one)) errors.duplicate(`${field}[${i}]`, one)
    seen.add(one)
  })
}

function checkBound(errors: FieldErrors, bound: Bound, field: string, value: unknown): void {
  if (Array.isArray(value)) return checkList(errors, bound, field, value)
  if (typeof value === 'number') return checkNumber(errors, bound, field, value)
  if (typeof value === 'string') return checkText(errors, bound, field, value)
  if (typeof value !== 'object' || value === null) return
  const entries = Object.entries(value)
  if (bound.max !== undefined && entries.length > bound.max) errors.tooMany(field, entries.length, bound.max)
  for (const [key, child] of entries) {
    if (bound.key) checkText(errors, bound.key, field, key)
    if (bound.each) checkBound(errors, bound.each, `${field}[${key}]`, child)
  }
}

function checkList(errors: FieldErrors, bound: Bound, field: string, value: readonly unknown[]): void {
  if (bound.max !== undefined && value.length > bound.max) return errors.tooMany(field, value.length, bound.max)
  if (value.length < (bound.min ?? 0)) errors.required(field, 'must have at least 1 item')
  if (bound.each) for (const [i, item] of value.entries()) checkBound(errors, bound.each, `${field}[${i}]`, item)
}

function checkNumber(errors: FieldErrors, { min = 0, max }: Bound, field: string, value: number): void {
  if (max === undefined && value < min) errors.invalid(field, value, `must be greater than or equal to ${min}`)
  if (max !== undefined && (value < min || value > max)) errors.invalid(field, value, `must be between ${min} and ${max}, inclusive`)
}

function checkText(errors: FieldErrors, { min = 0, max, pattern, hint }: Bound, field: string, value: string): void {
  const length = Array.from(value).length
  if (max !== undefined && length > max) return errors.invalid(field, value, `must be no more than ${max} characters`)
  if (length < min) return errors.invalid(field, value, 'must not be empty')
  if (pattern && !pattern.test(value)) errors.invalid(field, value, `must be ${hint ?? `of the form ${pattern.source}`}`)
}
