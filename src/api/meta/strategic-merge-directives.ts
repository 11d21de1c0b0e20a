import { StatusError } from '../../base/errors.ts'
import { getOwn, isJsonObject, type JsonObject, setOwn } from '../../base/json.ts'

/** Key of the directive that says what to do with the object it stands in. */
export const PATCH = '$patch'
/** Key of the list of fields that may remain. */
export const RETAIN_KEYS = '$retainKeys'
/** Begins the key of the list that gives another list's order. */
export const SET_ORDER_PREFIX = '$setElementOrder/'
/** Begins the key of the list of values to take out of another list. */
export const DELETE_FROM_PREFIX = '$deleteFromPrimitiveList/'

/** Whether `key` speaks about a list beside it. */
export function isListDirective(key: string): boolean {
  return key.startsWith(SET_ORDER_PREFIX) || key.startsWith(DELETE_FROM_PREFIX)
}

/** Takes `$patch` out of `patch`; undefined when it is absent or says `merge`, which is what happens anyway. */
export function patchDirective(patch: JsonObject): 'replace' | 'delete' | undefined {
  const directive = getOwn(patch, PATCH)
  if (directive === undefined) return undefined
  delete patch[PATCH]
  if (directive === 'merge') return undefined
  if (directive === 'replace' || directive === 'delete') return directive
  throw new StatusError('BadRequest', `unknown patch type: ${formatGo(directive)} in map: ${formatGo(patch)}`)
}

/**
 * The value as it is stored where there is nothing to merge with: without directives, nulls and what is marked for
 * deletion; undefined when nothing is left to store.
 */
export function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value
      .filter((item) => !isJsonObject(item) || getOwn(item, PATCH) !== 'replace')
      .map(withoutDirectives)
      .filter((item) => item !== undefined)
  }
  if (!isJsonObject(value)) return value
  if (patchDirective(value) === 'delete') return undefined
  const result: JsonObject = {}
  for (const key of Object.keys(value)) {
    if (value[key] === null || key === RETAIN_KEYS || isListDirective(key)) continue
    const item = withoutDirectives(value[key])
    if (item !== undefined) setOwn(result, key, item)
  }
  return result
}

/** A value as upstream's messages print it (Go's `%v`): `map[image:x name:y]`. */
export function formatGo(value: unknown): string {
  if (value === null || value === undefined) return '<nil>'
  if (Array.isArray(value)) return `[${value.map(formatGo).join(' ')}]`
  if (!isJsonObject(value)) return String(value as string | number | bigint | boolean)
  const pairs = Object.keys(value)
    .sort()
    .map((key) => `${key}:${formatGo(value[key])}`)
  return `map[${pairs.join(' ')}]`
}
