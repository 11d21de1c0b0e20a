import { deepEqual } from '../../api/meta/equality.ts'
import { decodeJson, encodeJson, getOwn, isJsonObject as isObject, setOwn, type JsonObject as Json } from '../../base/json.ts'
import type { PatchSchema } from '../../api/schema/patch-schema.ts'

export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'

/**
 * The object as it is sent: with itself as it was in the manifest in the last-applied annotation, as kubectl writes it.
 * @param manifest not changed
 */
export function withLastApplied<T extends { metadata: object }>(manifest: T): T & Json {
  const annotations = { ...(manifest.metadata as { annotations?: Record<string, string> }).annotations }
  delete annotations[LAST_APPLIED]
  const bare = { ...manifest, metadata: { ...manifest.metadata, annotations } }
  const text = `${encodeJson(bare)}\n`
  return { ...manifest, metadata: { ...manifest.metadata, annotations: { ...annotations, [LAST_APPLIED]: text } } } as T & Json
}

/** What the object was last applied from; undefined when it was made in another way or the annotation is damaged. */
export function lastAppliedOf(object: { metadata: { annotations?: Record<string, string> | undefined } }): Json | undefined {
  const text = object.metadata.annotations?.[LAST_APPLIED]
  if (text === undefined) return undefined
  try {
    const { value } = decodeJson(Buffer.from(text))
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/**
 * The patch that makes an object be as `wanted` says and takes away what `last` said and `wanted` no longer does. What others
 * have set beside it stays. It says all of `wanted`, not only what differs, so it is right whatever the object is like now.
 *
 * With a schema it is a strategic merge patch: elements of lists with a merge key are set and deleted one by one and
 * kept in the order of `wanted`; unions (`retainKeys`) lose the members that are not named. Without one it is a JSON merge patch,
 * which replaces lists.
 * Source: k8s.io/apimachinery strategicpatch.CreateThreeWayMergePatch, jsonmergepatch.CreateThreeWayJSONMergePatch.
 */
export function planPatch(last: Json | undefined, wanted: Json, schema: PatchSchema | undefined): Json {
  const patch: Json = {}
  for (const [key, value] of Object.entries(wanted)) {
    if (value === undefined) continue
    const before = last && getOwn(last, key)
    for (const [name, change] of Object.entries(planField(key, { before, value, schema: schema?.property(key) })))
      setOwn(patch, name, change)
  }
  for (const key of Object.keys(last ?? {})) if (getOwn(wanted, key) === undefined) setOwn(patch, key, null)
  return patch
}

/**
 * Whether a list with a merge key has elements that cannot be told apart by it (port 53 for UDP and TCP) or lack it: a strategic
 * merge patch would lose one of them.
 */
export function isAmbiguous(value: unknown, schema: PatchSchema): boolean {
  if (isObject(value)) {
    return Object.entries(value).some(([key, child]) => {
      const property = schema.property(key)
      return property !== undefined && isAmbiguous(child, property)
    })
  }
  if (!Array.isArray(value)) return false
  const { mergeKey } = schema
  if (mergeKey !== undefined && schema.strategies.includes('merge')) {
    const keys = new Set(value.map((item) => (isObject(item) ? getOwn(item, mergeKey) : undefined)))
    if (keys.has(undefined) || keys.size < value.length) return true
  }
  const items = schema.items()
  return items !== undefined && value.some((item) => isAmbiguous(item, items))
}

interface Field {
  readonly before: unknown
  readonly value: unknown
  readonly schema: PatchSchema | undefined
}

function planField(key: string, { before, value, schema }: Field): Json {
  if (schema?.strategies.includes('replace')) return { [key]: value }
  if (isObject(value)) {
    const patch = planPatch(isObject(before) ? before : undefined, value, schema)
    if (schema?.strategies.includes('retainKeys')) patch['$retainKeys'] = retained(value)
    return { [key]: patch }
  }
  if (!Array.isArray(value) || !schema?.strategies.includes('merge')) return { [key]: value }
  const old: readonly unknown[] = Array.isArray(before) ? before : []
  return schema.mergeKey === undefined ? planSet(key, old, value) : planMergeList(key, old, { value, schema, mergeKey: schema.mergeKey })
}

/** A list of primitives that is a set. */
function planSet(key: string, old: readonly unknown[], value: readonly unknown[]): Json {
  const gone = old.filter((item) => !value.some((other) => deepEqual(item, other)))
  return { [key]: value, ...(gone.length > 0 ? { [`$deleteFromPrimitiveList/${key}`]: gone } : {}) }
}

function planMergeList(
  key: string,
  old: readonly unknown[],
  list: { readonly value: readonly unknown[]; readonly schema: PatchSchema; readonly mergeKey: string },
): Json {
  const { value, schema, mergeKey } = list
  const keyOf = (item: unknown): unknown => (isObject(item) ? item[mergeKey] : undefined)
  const items = schema.items()
  const elements = value.map((item) => {
    const before = old.find((other) => deepEqual(keyOf(other), keyOf(item)))
    const element = planPatch(isObject(before) ? before : undefined, item as Json, items)
    if (schema.strategies.includes('retainKeys')) element['$retainKeys'] = retained(item as Json)
    return element
  })
  const gone = old.filter((item) => keyOf(item) !== undefined && !value.some((other) => deepEqual(keyOf(other), keyOf(item))))
  return {
    [key]: [...elements, ...gone.map((item) => ({ $patch: 'delete', [mergeKey]: keyOf(item) }))],
    [`$setElementOrder/${key}`]: value.map((item) => ({ [mergeKey]: keyOf(item) })),
  }
}

function retained(value: Json): readonly string[] {
  return Object.keys(value)
    .filter((key) => value[key] !== null && value[key] !== undefined)
    .sort()
}
