import type { KubeObject } from '../../../api/meta/object.ts'

type Json = unknown
type JsonObject = Record<string, Json>

/**
 * The merge patch that makes an object what is wanted; undefined where it is already. Fields that are not wanted are left alone (defaults, what others set),
 * but for labels: those that are wanted no longer go.
 */
export function planPatch(present: KubeObject, wanted: KubeObject): object | undefined {
  const patch = withoutStaleLabels(wanted, present) as KubeObject
  return contains(present, patch) ? undefined : patch
}

/** Whether all of `wanted` is in `present`; null stands for what must not be there. Lists are compared in order and as a whole. */
function contains(present: Json, wanted: Json): boolean {
  if (wanted === null) return present === undefined
  if (Array.isArray(wanted)) {
    return Array.isArray(present) && present.length === wanted.length && wanted.every((one, i) => contains(present[i], one))
  }
  if (typeof wanted !== 'object') return present === wanted
  if (typeof present !== 'object' || present === null) return false
  return Object.entries(wanted).every(([key, one]) => contains((present as JsonObject)[key], one))
}

function withoutStaleLabels(wanted: Json, present: Json): Json {
  if (!isObject(wanted)) return wanted
  const there = isObject(present) ? present : {}
  return Object.fromEntries(
    Object.entries(wanted).map(([key, one]) => {
      if (key !== 'labels' || !isObject(one) || !isObject(there['labels'])) return [key, withoutStaleLabels(one, there[key])]
      const stale = Object.keys(there['labels']).filter((label) => !Object.hasOwn(one, label))
      return [key, { ...one, ...Object.fromEntries(stale.map((label) => [label, null])) }]
    }),
  )
}

const isObject = (value: Json): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)
