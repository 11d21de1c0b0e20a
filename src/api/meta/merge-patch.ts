import { getOwn, isJsonObject, setOwn } from '../../base/json.ts'
import { cloneJson } from './clone.ts'
import { deepEqual } from './equality.ts'

/**
 * Applies a JSON merge patch (RFC 7386): objects are merged, null removes, all else replaces. `target` and `patch` are not
 * changed; the answer shares nothing with them.
 */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  return mergeInto(cloneJson(target), patch)
}

function mergeInto(target: unknown, patch: unknown): unknown {
  if (!isJsonObject(patch)) return cloneJson(patch)
  const result = isJsonObject(target) ? target : {}
  for (const key of Object.keys(patch)) {
    const value = patch[key]
    if (value === null) delete result[key]
    else setOwn(result, key, mergeInto(getOwn(result, key), value))
  }
  return result
}

/** The merge patch that turns `from` into `to`; undefined when they are the same. Lists are replaced whole. */
export function createMergePatch(from: unknown, to: unknown): unknown {
  if (!isJsonObject(from) || !isJsonObject(to)) return deepEqual(from, to) ? undefined : cloneJson(to)
  const patch: Record<string, unknown> = {}
  for (const key of Object.keys(from)) if (from[key] !== undefined && getOwn(to, key) === undefined) setOwn(patch, key, null)
  for (const key of Object.keys(to)) {
    const change = to[key] === undefined ? undefined : createMergePatch(getOwn(from, key), to[key])
    if (change !== undefined) setOwn(patch, key, change)
  }
  return Object.keys(patch).length === 0 ? undefined : patch
}
