import { StatusError } from '../../base/errors.ts'
import { getOwn, isJsonObject, type JsonObject } from '../../base/json.ts'
import type { PatchSchema } from '../schema/patch-schema.ts'
import { formatGo, PATCH, SET_ORDER_PREFIX, withoutDirectives } from './strategic-merge-directives.ts'

/** What the merge of one list field has to know. */
export interface ListField {
  readonly name: string
  readonly schema: PatchSchema
  /** Merges two elements; both are used up. */
  readonly mergeObjects: (original: JsonObject, patch: JsonObject, schema: PatchSchema | undefined) => JsonObject
}

/** Merges a list whose strategy is `merge`: elements with a merge key by that key, primitives as a set. */
export function mergeLists(present: readonly unknown[], change: readonly unknown[], field: ListField): unknown[] {
  if (present.length === 0 && change.length === 0) return []
  const key = mergeKeyFor([present, change], field)
  if (key === undefined) {
    const merged = [...new Set([...present, ...change])]
    return inOrder(merged, { order: change, live: present, identity: (item) => item })
  }
  const { kept, rest } = applyElementDirectives(present, change, key)
  const merged = mergeByKey(kept, rest, { key, field })
  return inOrder(merged, { order: rest, live: kept, identity: (item) => keyValue(item, key) })
}

/** Merges the list, then sorts what `order` names as it says; what only the server has keeps its place between. */
export function mergeWithOrder(
  lists: {
    readonly present: readonly unknown[] | undefined
    readonly change: readonly unknown[] | undefined
    readonly order: readonly unknown[]
  },
  field: ListField,
): unknown[] {
  const { present, change, order } = lists
  const key = mergeKeyFor([present ?? [], change ?? [], order], field)
  const identity = (item: unknown): unknown => (key === undefined ? item : keyValue(item, key))
  if (change !== undefined) checkOrder(change, order, identity)
  let merged: readonly unknown[]
  if (present === undefined) merged = withoutDirectives(change) as unknown[]
  else if (change === undefined) merged = present
  else if (field.schema.strategies.includes('merge')) merged = mergeLists(present, change, field)
  else return withoutDirectives(change) as unknown[]
  return inOrder(merged, { order, live: present ?? [], identity })
}

/** `list` without any of `values`. */
export function deleteFromList(list: readonly unknown[], values: readonly unknown[]): unknown[] {
  const gone = new Set(values)
  return list.filter((item) => !gone.has(item))
}

/** The merge key, or undefined for a list of primitives. */
function mergeKeyFor(lists: readonly (readonly unknown[])[], field: ListField): string | undefined {
  const items = lists.flat()
  if (items.some(Array.isArray)) throw new StatusError('Invalid', 'lists of lists are not supported')
  const objects = items.filter(isJsonObject).length
  if (objects === 0) return undefined
  if (objects < items.length) throw new StatusError('Invalid', `list element types are not identical: ${formatGo(items)}`)
  if (field.schema.mergeKey === undefined) throw new StatusError('Invalid', `cannot merge lists without merge key for ${field.name}`)
  return field.schema.mergeKey
}

/** Carries out `$patch` among the elements of a patch. An element marked `replace` only says that the others are the whole list. */
function applyElementDirectives(
  present: readonly unknown[],
  change: readonly unknown[],
  key: string,
): { readonly kept: readonly JsonObject[]; readonly rest: readonly JsonObject[] } {
  const rest: JsonObject[] = []
  const gone = new Set<unknown>()
  let replace = false
  for (const item of change as readonly JsonObject[]) {
    const directive = getOwn(item, PATCH)
    if (directive === undefined) rest.push(item)
    else if (directive === 'merge') rest.push(withoutMark(item))
    else if (directive === 'replace') replace = true
    else if (directive === 'delete') gone.add(keyValue(item, key))
    else throw new StatusError('BadRequest', `unknown patch type: ${formatGo(directive)} in map: ${formatGo(item)}`)
  }
  const kept = replace ? [] : (present as readonly JsonObject[]).filter((item) => !gone.has(getOwn(item, key)))
  return { kept, rest }
}

function withoutMark(item: JsonObject): JsonObject {
  const { [PATCH]: _, ...rest } = item
  return rest
}

function mergeByKey(
  kept: readonly JsonObject[],
  rest: readonly JsonObject[],
  options: { readonly key: string; readonly field: ListField },
): JsonObject[] {
  const { key, field } = options
  const merged = [...kept]
  const places = new Map<unknown, number>()
  // the first of equal keys is the one that is merged into
  merged.forEach((item, i) => {
    const value = getOwn(item, key)
    if (!places.has(value)) places.set(value, i)
  })
  for (const item of rest) {
    const value = keyValue(item, key)
    const place = places.get(value)
    if (place !== undefined) merged[place] = field.mergeObjects(merged[place] as JsonObject, item, field.schema.items())
    else {
      places.set(value, merged.length)
      merged.push(withoutDirectives(item) as JsonObject)
    }
  }
  return merged
}

/** The patch must name its elements in the order it asks for. */
function checkOrder(change: readonly unknown[], order: readonly unknown[], identity: (item: unknown) => unknown): void {
  const named = change.filter((item) => !isJsonObject(item) || getOwn(item, PATCH) === undefined)
  let next = 0
  for (const item of order) if (next < named.length && identity(named[next]) === identity(item)) next++
  if (next < named.length) {
    throw new StatusError(
      'Invalid',
      `The order in patch list:\n${formatGo(change)}\n doesn't match ${SET_ORDER_PREFIX} list:\n${formatGo(order)}\n`,
    )
  }
}

interface Ordering {
  /** The order asked for; it need not name everything. */
  readonly order: readonly unknown[]
  /** The order before the patch. */
  readonly live: readonly unknown[]
  readonly identity: (item: unknown) => unknown
}

/**
 * Elements named by `order` come in that order. The others keep theirs, each placed before the first named element that
 * it stood before in `live`, scanning forward only.
 */
function inOrder(merged: readonly unknown[], ordering: Ordering): unknown[] {
  const { identity } = ordering
  const wanted = positions(ordering.order, identity)
  const live = positions(ordering.live, identity)
  const named = merged.filter((item) => wanted.has(identity(item)))
  const others = merged.filter((item) => !wanted.has(identity(item)))
  named.sort((a, b) => (wanted.get(identity(a)) as number) - (wanted.get(identity(b)) as number))
  others.sort((a, b) => (live.get(identity(a)) ?? Infinity) - (live.get(identity(b)) ?? Infinity) || 0)
  const result: unknown[] = []
  let next = 0
  const placeOf = (item: unknown): number => live.get(identity(item)) ?? Infinity
  for (const item of named) {
    // an element that is new has no place to compare with
    const place = live.get(identity(item)) ?? -1
    for (; next < others.length && placeOf(others[next]) < place; next++) result.push(others[next])
    result.push(item)
  }
  return result.concat(others.slice(next))
}

function positions(list: readonly unknown[], identity: (item: unknown) => unknown): Map<unknown, number> {
  const found = new Map<unknown, number>()
  list.forEach((item, i) => {
    const value = identity(item)
    if (!found.has(value)) found.set(value, i)
  })
  return found
}

function keyValue(item: unknown, key: string): unknown {
  const value = isJsonObject(item) ? getOwn(item, key) : undefined
  if (value === undefined) throw new StatusError('Invalid', `map: ${formatGo(item)} does not contain declared merge key: ${key}`)
  return value
}
