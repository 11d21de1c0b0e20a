// Validation of objects with the texts of upstream, so that what a user finds on the web for a message applies here too.
// Every check has the form `checkThing(errors, path, value, options?)`: it appends to `errors` what is wrong with
// `value`, which stands at `path`. Absent values that are required are reported, never assumed: callers may send anything
// that has the right types. What the schema checks is not checked again: values of enums, and that fields with a default
// (protocol, restartPolicy, ...) are there. Where to look:
//   names.ts labels.ts ip.ts quantities.ts   the small formats
//   object-meta.ts                           metadata, shared by all kinds
//   pod-spec.ts and what it imports          everything that runs
//   pod-template.ts pod-update.ts            what workloads and pod updates add
//   service.ts endpoints.ts rbac.ts ...      one file per family of kinds that needs more than a few lines
// Source: k8s.io/apimachinery field.Error and k8s.io/kubernetes pkg/apis/*/validation.
import type { FieldError } from '../kind.ts'
import { semanticEqual } from './semantic-equal.ts'

/** Collects what is wrong with one object. */
export class FieldErrors {
  readonly list: FieldError[] = []

  required(field: string, detail = ''): void {
    this.#add('FieldValueRequired', field, 'Required value', detail)
  }

  invalid(field: string, value: unknown, detail: string): void {
    this.#add('FieldValueInvalid', field, `Invalid value: ${shown(value)}`, detail)
  }

  /** One error per text; none for none. */
  invalidEach(field: string, value: unknown, details: readonly string[]): void {
    for (const detail of details) this.invalid(field, value, detail)
  }

  notSupported(field: string, value: unknown, supported: readonly string[]): void {
    const list = supported.map((one) => JSON.stringify(one)).join(', ')
    this.#add('FieldValueNotSupported', field, `Unsupported value: ${shown(value)}`, `supported values: ${list}`)
  }

  duplicate(field: string, value: unknown, detail = ''): void {
    this.#add('FieldValueDuplicate', field, `Duplicate value: ${shown(value)}`, detail)
  }

  notFound(field: string, value: unknown, detail = ''): void {
    this.#add('FieldValueNotFound', field, `Not found: ${shown(value)}`, detail)
  }

  forbidden(field: string, detail: string): void {
    this.#add('FieldValueForbidden', field, 'Forbidden', detail)
  }

  tooLong(field: string, maxBytes: number): void {
    this.#add('FieldValueTooLong', field, 'Too long', `may not be more than ${maxBytes} ${maxBytes === 1 ? 'byte' : 'bytes'}`)
  }

  tooMany(field: string, actual: number, max: number): void {
    this.#add('FieldValueTooMany', field, `Too many: ${actual}`, `must have at most ${max} ${max === 1 ? 'item' : 'items'}`)
  }

  /** Below zero is wrong; absent is fine. */
  nonNegative(field: string, value: number | undefined): void {
    if (value !== undefined && value < 0) this.invalid(field, value, 'must be greater than or equal to 0')
  }

  /** Zero and below are wrong; absent is fine. */
  positive(field: string, value: number | undefined): void {
    if (value !== undefined && value <= 0) this.invalid(field, value, 'must be greater than zero')
  }

  /** A value outside of `supported` is wrong; absent is fine. */
  oneOf(field: string, value: string | undefined, supported: readonly string[]): void {
    if (value !== undefined && !supported.includes(value)) this.notSupported(field, value, supported)
  }

  /** What an update must leave as it was; empty lists and objects count as absent. */
  immutable(field: string, next: unknown, previous: unknown): void {
    if (!semanticEqual(next, previous)) this.invalid(field, next, 'field is immutable')
  }

  #add(type: FieldError['type'], field: string, head: string, detail: string): void {
    this.list.push({ type, field: field === '' ? '<nil>' : field, message: detail === '' ? head : `${head}: ${detail}` })
  }
}

/** The errors without those that say the same of the same field again: schema and strategy both look for what is required. */
export function uniqueErrors(errors: readonly FieldError[]): readonly FieldError[] {
  const seen = new Set<string>()
  return errors.filter(({ type, field, message }) => {
    const key = `${type} ${field} ${REPEATABLE.has(type) ? message : ''}`
    if (seen.has(key)) return false
    seen.add(key)
    return true
  })
}

/** Types of which one field may have several. */
const REPEATABLE: ReadonlySet<FieldError['type']> = new Set(['FieldValueInvalid', 'FieldValueForbidden', 'FieldValueDuplicate'])

/** Runs a check and gives what it found. */
export function collectErrors(check: (errors: FieldErrors) => void): readonly FieldError[] {
  const errors = new FieldErrors()
  check(errors)
  return errors.list
}

function shown(value: unknown): string {
  return value === undefined ? 'null' : JSON.stringify(value)
}
