import { cloneJson } from '../../../api/meta/clone.ts'
import { deepEqual } from '../../../api/meta/equality.ts'
import type { KubeObject, NamedMeta } from '../../../api/meta/object.ts'
import { timestamp } from './timestamps.ts'

/** Kinds count generations when they have a desired state to count changes of. */
function countsGenerations(object: KubeObject): boolean {
  return (object as { spec?: unknown }).spec !== undefined
}

/** Fills what the server alone decides about a new object's metadata. Source: k8s.io/apiserver rest.FillObjectMetaSystemFields. */
export function fillNewMeta(
  object: KubeObject,
  system: { readonly namespace: string; readonly uid: string; readonly nowMs: number },
): void {
  const { name, generateName, namespace: _, uid: __, creationTimestamp: ___, generation: ____, ...rest } = object.metadata
  delete rest.deletionTimestamp
  delete rest.deletionGracePeriodSeconds
  delete rest.resourceVersion
  delete rest.selfLink
  delete rest.managedFields
  object.metadata = {
    name,
    ...(generateName ? { generateName } : {}),
    ...(system.namespace === '' ? {} : { namespace: system.namespace }),
    uid: system.uid,
    ...(countsGenerations(object) ? { generation: 1 } : {}),
    creationTimestamp: timestamp(system.nowMs),
    ...rest,
  }
  dropEmpty(object.metadata)
}

/** An empty map or list is the same as none: as upstream writes them, and so that taking the last entry away leaves no trace. */
function dropEmpty(meta: NamedMeta): void {
  for (const key of EMPTY_IS_ABSENT) {
    const value = meta[key]
    if (value !== undefined && Object.keys(value).length === 0) delete meta[key]
  }
}

const EMPTY_IS_ABSENT = ['labels', 'annotations', 'ownerReferences', 'finalizers'] as const

/**
 * Puts back what an update may not change. Name and namespace stay as sent, so that validation can refuse a change of them.
 * Source: k8s.io/apimachinery validation.ValidateObjectMetaAccessorUpdate, its first part.
 */
export function carryOverMeta(next: KubeObject, previous: KubeObject): void {
  const from = previous.metadata
  const meta: NamedMeta = { ...next.metadata }
  for (const key of SYSTEM_FIELDS) {
    if (from[key] === undefined) delete meta[key]
    else Object.assign(meta, { [key]: from[key] })
  }
  meta.namespace ??= from.namespace
  delete meta.selfLink
  delete meta.managedFields
  dropEmpty(meta)
  next.metadata = meta
}

const SYSTEM_FIELDS = ['uid', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds', 'generation', 'generateName'] as const

/** Counts a change of the desired state: everything but metadata and status. */
export function bumpGeneration(next: KubeObject, previous: KubeObject): void {
  if (!countsGenerations(next)) return
  const before = (previous.metadata.generation ??= 1)
  const same = deepEqual((next as { spec?: unknown }).spec, (previous as { spec?: unknown }).spec)
  next.metadata.generation = same ? before : before + 1
}

/**
 * What a write to `status` may change: status, labels and annotations. Everything else stays as stored.
 * @param stored a copy the caller owns
 */
export function takeStatus(next: KubeObject, stored: KubeObject): KubeObject {
  const { labels, annotations, resourceVersion } = next.metadata
  const metadata: NamedMeta = { ...stored.metadata, resourceVersion, labels, annotations }
  return { ...stored, metadata, status: (next as { status?: unknown }).status } as KubeObject
}

/** The opposite: a plain write leaves the stored status alone. */
export function keepStatus(next: KubeObject, stored: KubeObject): void {
  const target = next as { status?: unknown }
  const { status } = stored as { status?: unknown }
  if (status === undefined) delete target.status
  else target.status = cloneJson(status)
}
