import type { FieldError } from '../kind.ts'
import { defaultFields, type JsonObject } from './defaults.ts'
import { renderPath, type PathStack } from './json-path.ts'
import { jsonType, normalizeScalar, ScalarError, zeroScalar } from './scalar.ts'
import type { ArraySchema, MapSchema, ObjectSchema, ScalarSchema, Schema } from './schema.ts'

export interface AdmitOptions {
  /** `strict` and `warn` report unknown fields in `unknown`; `drop` does not. All three remove them. Default `drop`. */
  readonly unknownFields?: 'strict' | 'warn' | 'drop'
  /** Sets schema defaults in the same pass. Default true. */
  readonly defaults?: boolean
}

/** A value of the wrong JSON type or form. `reason` is the decoder's word for it, as upstream puts it. */
export interface DecodeError extends FieldError {
  readonly reason: string
}

export interface Admitted<T = unknown> {
  /** The value handed in, changed in place. Of no use where there are `errors`. */
  readonly value: T
  /** The request is a 400 where there is any, see `decodeErrorText`. */
  readonly errors: readonly DecodeError[]
  /** Paths of fields that the schema does not know, in the order they were met: `spec.containers[0].foo`. */
  readonly unknown: readonly string[]
}

/**
 * Turns decoded JSON into an object of its kind: checks JSON types, brings quantities and times into canonical form, drops
 * nulls and unknown fields, sets defaults. Changes `value` in place; never throws. Stops collecting after 100 errors or
 * paths. Keys named `__proto__` or `constructor` are data in maps and unknown fields elsewhere, as any other name.
 */
export function admit<T = unknown>(schema: Schema, value: T, options: AdmitOptions = {}): Admitted<T> {
  const report = options.unknownFields === 'strict' || options.unknownFields === 'warn'
  const walk = new Walk(report, options.defaults !== false)
  const admitted = walk.value(schema, value)
  return { value: admitted as T, errors: walk.errors, unknown: walk.unknown }
}

const MAX_REPORTS = 100
// only recursive schemas can get this deep; the decoder has its own bound
const MAX_DEPTH = 500

class Walk {
  readonly errors: DecodeError[] = []
  readonly unknown: string[] = []
  readonly #path: PathStack = []
  readonly #report: boolean
  readonly #defaults: boolean

  constructor(report: boolean, defaults: boolean) {
    this.#report = report
    this.#defaults = defaults
  }

  value(schema: Schema, value: unknown): unknown {
    switch (schema.type) {
      case 'object':
        return this.#object(schema, value)
      case 'array':
        return this.#array(schema, value)
      case 'map':
        return this.#map(schema, value)
      default:
        return this.#scalar(schema, value)
    }
  }

  #object(schema: ObjectSchema, value: unknown): unknown {
    if (!isObject(value)) return this.#wrongType('object', value)
    if (this.#path.length >= MAX_DEPTH) return this.#tooDeep(value)
    if (this.#defaults) defaultFields(schema, value)
    const properties = schema.properties
    for (const key of Object.keys(value)) {
      const property = properties.get(key)
      const child = value[key]
      if (property === undefined) {
        this.#unknownField(key)
        delete value[key]
      } else if (child === null || child === undefined) {
        delete value[key]
      } else {
        this.#path.push(key)
        const next = this.value(property.schema, child)
        if (next !== child) value[key] = next
        this.#path.pop()
      }
    }
    return value
  }

  #array(schema: ArraySchema, value: unknown): unknown {
    if (!Array.isArray(value)) return this.#wrongType('array', value)
    if (this.#path.length >= MAX_DEPTH) return this.#tooDeep(value)
    for (let index = 0; index < value.length; index++) {
      const item: unknown = value[index]
      this.#path.push(index)
      const next = item === null || item === undefined ? this.#zero(schema.items) : this.value(schema.items, item)
      if (next !== item) value[index] = next
      this.#path.pop()
    }
    return value
  }

  #map(schema: MapSchema, value: unknown): unknown {
    if (!isObject(value)) return this.#wrongType('object', value)
    if (this.#path.length >= MAX_DEPTH) return this.#tooDeep(value)
    for (const key of Object.keys(value)) {
      const child = value[key]
      this.#path.push(key)
      const next = child === null || child === undefined ? this.#zero(schema.values) : this.value(schema.values, child)
      // own keys only, so even `__proto__` is an ordinary property here
      if (next !== child) value[key] = next
      this.#path.pop()
    }
    return value
  }

  #scalar(schema: ScalarSchema, value: unknown): unknown {
    const result = normalizeScalar(schema.type, value)
    if (!(result instanceof ScalarError)) return result
    this.#error(value, result.reason)
    return value
  }

  // Go gives a null element the zero value of its type
  #zero(schema: Schema): unknown {
    if (schema.type === 'object') return this.#object(schema, {})
    if (schema.type === 'map') return {}
    return schema.type === 'array' ? [] : zeroScalar(schema.type)
  }

  #wrongType(want: string, value: unknown): unknown {
    this.#error(value, `cannot unmarshal ${jsonType(value)} into a value of type ${want}`)
    return value
  }

  #tooDeep(value: unknown): unknown {
    this.#error(value, 'exceeded max depth')
    return value
  }

  #error(value: unknown, reason: string): void {
    if (this.errors.length >= MAX_REPORTS) return
    const shown = typeof value === 'string' ? JSON.stringify(value.slice(0, 128)) : typeof value === 'number' ? `${value}` : jsonType(value)
    this.errors.push({
      type: 'FieldValueTypeInvalid',
      field: renderPath(this.#path),
      message: `Invalid value: ${shown}: ${reason}`,
      reason,
    })
  }

  #unknownField(name: string): void {
    if (!this.#report || this.unknown.length >= MAX_REPORTS) return
    this.unknown.push(renderPath([...this.#path, name]))
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
