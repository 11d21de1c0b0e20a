import type { FieldError } from '../../../api/kind.ts'
import type { ServerRequest } from '../contract.ts'
import { firstOf, flagOf, type Query } from '../http/query.ts'
import { badRequest, invalid } from '../registry/index.ts'

export { firstOf, flagOf }

const ALWAYS = ['pretty', 'timeout']
const READ = [...ALWAYS, 'resourceVersion', 'includeObject']
const LIST = [
  ...READ,
  'labelSelector',
  'fieldSelector',
  'limit',
  'continue',
  'resourceVersionMatch',
  'watch',
  'allowWatchBookmarks',
  'timeoutSeconds',
  'sendInitialEvents',
]
const WRITE = [...ALWAYS, 'dryRun', 'fieldManager', 'fieldValidation']
const DELETE = [...ALWAYS, 'dryRun', 'gracePeriodSeconds', 'propagationPolicy', 'orphanDependents']

/** Parameters each verb knows. */
const KNOWN: Readonly<Record<string, ReadonlySet<string>>> = {
  get: new Set(READ),
  list: new Set(LIST),
  watch: new Set(LIST),
  create: new Set(WRITE),
  update: new Set(WRITE),
  patch: new Set([...WRITE, 'force']),
  delete: new Set(DELETE),
  deletecollection: new Set([...LIST, ...DELETE]),
}

/**
 * A parameter this server does not know may change what the request means, so it is refused and not passed over.
 * @throws {StatusError} `BadRequest`
 */
export function refuseUnknown(verb: string, query: Query | undefined): void {
  if (!query) return
  const known = KNOWN[verb]
  for (const name of Object.keys(query)) {
    if (query[name] === undefined || known?.has(name)) continue
    throw badRequest(`query parameter ${JSON.stringify(name)} is not supported for ${verb}: remove it`)
  }
}

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict'

/** @throws {StatusError} `Invalid` in the words of upstream's CreateOptions, UpdateOptions or PatchOptions */
export function writeOptions(
  request: ServerRequest,
  optionsKind: 'CreateOptions' | 'UpdateOptions' | 'PatchOptions',
): { readonly dryRun: boolean; readonly fieldValidation: FieldValidation } {
  const errors: FieldError[] = []
  const dryRun = dryRunOf(request.query, errors)
  const fieldValidation = firstOf(request.query, 'fieldValidation') || 'Warn'
  if (fieldValidation !== 'Ignore' && fieldValidation !== 'Warn' && fieldValidation !== 'Strict') {
    errors.push(notSupported('fieldValidation', fieldValidation, ['Ignore', 'Strict', 'Warn']))
  }
  const manager = firstOf(request.query, 'fieldManager') ?? ''
  if (manager.length > 128) {
    errors.push({ type: 'FieldValueTooLong', field: 'fieldManager', message: 'Too long: may not be more than 128 bytes' })
  }
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind: optionsKind }, '', errors)
  return { dryRun, fieldValidation: fieldValidation as FieldValidation }
}

/** Whether `dryRun` is set; anything but `All` goes to `errors`. */
export function dryRunOf(query: Query | undefined, errors: FieldError[]): boolean {
  const values = [query?.['dryRun'] ?? []].flat()
  for (const value of values) if (value !== 'All' && value !== '') errors.push(notSupported('dryRun', value, ['All']))
  return values.includes('All')
}

export function notSupported(field: string, value: string, supported: readonly string[]): FieldError {
  const list = supported.map((one) => JSON.stringify(one)).join(', ')
  return { type: 'FieldValueNotSupported', field, message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${list}` }
}

/** A whole number >= 0, or undefined. @throws {StatusError} `BadRequest` */
export function countOf(query: Query | undefined, name: string): number | undefined {
  const text = firstOf(query, name)
  if (text === undefined || text === '') return undefined
  if (!/^\d{1,15}$/.test(text)) throw badRequest(`query parameter ${name}: ${JSON.stringify(text)} is not a number of 0 or more`)
  return Number(text)
}

/** A revision, or undefined where none is given. @throws {StatusError} `BadRequest` */
export function revisionOf(query: Query | undefined, name = 'resourceVersion'): bigint | undefined {
  const text = firstOf(query, name)
  if (text === undefined || text === '') return undefined
  if (!/^\d{1,19}$/.test(text)) throw badRequest(`invalid resource version ${JSON.stringify(text)}: it must be one that this server gave`)
  return BigInt(text)
}
