/**
 * Strategic merge patch: a merge patch that knows which lists are maps by a key (containers by name, ports by
 * containerPort) and merges those element by element.
 *
 * Directives, all in the patch: `$patch: replace|delete|merge` in an object or list element, `$setElementOrder/<list>`,
 * `$deleteFromPrimitiveList/<list>`, `$retainKeys`. Lists are handled in strategic-merge-list.ts.
 * Source: k8s.io/apimachinery strategicpatch (StrategicMergeMapPatch with IgnoreUnmatchedNulls and MergeParallelList).
 */
import { StatusError } from '../../base/errors.ts'
import { getOwn, isJsonObject, type JsonObject, setOwn } from '../../base/json.ts'
import type { PatchSchema } from '../schema/patch-schema.ts'
import { cloneJson } from './clone.ts'
import { deleteFromList, mergeLists, mergeWithOrder } from './strategic-merge-list.ts'
import {
  DELETE_FROM_PREFIX,
  isListDirective,
  patchDirective,
  RETAIN_KEYS,
  SET_ORDER_PREFIX,
  withoutDirectives,
} from './strategic-merge-directives.ts'

/**
 * Applies a strategic merge patch. Neither argument is changed; the answer shares nothing with them. Where `schema` knows
 * nothing of a place, objects are merged and lists replaced.
 * @throws {StatusError} BadRequest for a malformed directive, Invalid for a patch that does not fit the object
 */
export function applyStrategicMergePatch<T extends object>(original: T, patch: unknown, schema: PatchSchema | undefined): T {
  if (!isJsonObject(patch)) throw new StatusError('BadRequest', 'a strategic merge patch must be an object')
  return mergeObjects(cloneJson(original) as unknown as JsonObject, cloneJson(patch), schema) as unknown as T
}

/** Merges `patch` into `original`, both owned by the caller and used up. */
export function mergeObjects(original: JsonObject, patch: JsonObject, schema: PatchSchema | undefined): JsonObject {
  const directive = patchDirective(patch)
  if (directive === 'delete') return {}
  if (directive === 'replace') return withoutDirectives(patch) as JsonObject
  applyRetainKeys(original, patch)
  applyElementOrders(original, patch, schema)
  for (const key of Object.keys(patch)) {
    if (key.startsWith(DELETE_FROM_PREFIX)) deleteFromField(original, key.slice(DELETE_FROM_PREFIX.length), patch[key])
  }
  for (const key of Object.keys(patch)) {
    if (!isListDirective(key)) mergeField(original, key, { value: patch[key], schema: schema?.property(key) })
  }
  return original
}

function mergeField(original: JsonObject, key: string, patch: { readonly value: unknown; readonly schema: PatchSchema | undefined }): void {
  const { value, schema } = patch
  if (value === null) {
    delete original[key]
    return
  }
  const present = getOwn(original, key)
  if (isJsonObject(value) && isJsonObject(present)) {
    const replaced = schema?.strategies.includes('replace') === true
    setOwn(original, key, replaced ? withoutDirectives(value) : mergeObjects(present, value, schema))
  } else if (Array.isArray(value) && Array.isArray(present) && schema?.strategies.includes('merge')) {
    setOwn(original, key, mergeLists(present, value, { name: key, schema, mergeObjects }))
  } else {
    const plain = withoutDirectives(value)
    if (plain !== undefined) setOwn(original, key, plain)
  }
}

/** `$retainKeys` lists all fields that may remain; the patch may set no other. */
function applyRetainKeys(original: JsonObject, patch: JsonObject): void {
  const list = getOwn(patch, RETAIN_KEYS)
  delete patch[RETAIN_KEYS]
  if (list === undefined) return
  if (!Array.isArray(list)) throw new StatusError('BadRequest', 'invalid patch format of retainKeys')
  const kept = new Set<unknown>(list)
  for (const key of Object.keys(patch)) {
    if (patch[key] !== null && !isListDirective(key) && !kept.has(key)) {
      throw new StatusError('Invalid', "patch content doesn't match retainKeys list")
    }
  }
  for (const key of Object.keys(original)) if (!kept.has(key)) delete original[key]
}

/** Merges each list that has a `$setElementOrder/` directive, sorts it as told, and takes both out of the patch. */
function applyElementOrders(original: JsonObject, patch: JsonObject, schema: PatchSchema | undefined): void {
  for (const key of Object.keys(patch)) {
    if (!key.startsWith(SET_ORDER_PREFIX)) continue
    const name = key.slice(SET_ORDER_PREFIX.length)
    const order = patch[key]
    const present = getOwn(original, name)
    const change = getOwn(patch, name)
    if (!Array.isArray(order)) throw new StatusError('BadRequest', 'invalid patch format of setElementOrder list')
    delete patch[key]
    // a list that the patch deletes, replaces or meets as something else is left to the ordinary merge
    const field = schema?.property(name)
    if (field === undefined || !isListOrAbsent(present) || !isListOrAbsent(change)) continue
    if (present === undefined && change === undefined) continue
    setOwn(original, name, mergeWithOrder({ present, change, order }, { name, schema: field, mergeObjects }))
    delete patch[name]
  }
}

function deleteFromField(original: JsonObject, name: string, values: unknown): void {
  if (!Array.isArray(values)) throw new StatusError('BadRequest', 'invalid patch format of primitive list')
  const present = getOwn(original, name)
  if (Array.isArray(present)) setOwn(original, name, deleteFromList(present, values))
}

function isListOrAbsent(value: unknown): value is unknown[] | undefined {
  return value === undefined || Array.isArray(value)
}
