import type { KubeObject } from '../../../api/meta/object.ts'
import type { KeyValue } from '../../store/contract.ts'
import type { Admission } from './admission.ts'
import { isReadyToGo } from './plan-delete.ts'
import type { RegistryContext, StoredObject, WriteRequest } from './registry-context.ts'

/**
 * Whether something beside metadata.finalizers keeps the object: namespaces have finalizers in their spec, which the
 * namespace controller takes through `/finalize`.
 */
export function isHeld(object: KubeObject): boolean {
  const { kind, spec } = object as { kind?: string; spec?: { finalizers?: readonly string[] } }
  return kind === 'Namespace' && (spec?.finalizers?.length ?? 0) > 0
}

/**
 * Takes `object` out of the store when nothing keeps it any longer; else `alive`.
 * @returns undefined when another write came first
 */
export async function removeFinished(
  context: RegistryContext,
  request: WriteRequest,
  last: Last,
): Promise<StoredObject | 'alive' | undefined> {
  if (!isReadyToGo(last.object) || isHeld(last.object)) return 'alive'
  return removeStored(context, request, last)
}

/** What is stored, how it is to be shown for the last time, and what goes with it. */
export interface Last {
  readonly kv: KeyValue
  readonly object: KubeObject
  readonly admission: Admission
}

/** Deletes what is stored, unless it has changed: then undefined. */
export async function removeStored(
  context: RegistryContext,
  request: WriteRequest,
  { kv, object, admission }: Last,
): Promise<StoredObject | undefined> {
  const { resource, dryRun } = request
  if (dryRun) return { resource, value: kv.value, revision: kv.modRevision, object }
  const { key } = kv
  const { compares, writes } = admission
  const result = await context.store.txn(
    [{ key, op: '=', revision: kv.modRevision }, ...compares],
    [{ type: 'delete', key }, ...writes],
    [],
  )
  if (!result.succeeded) return undefined
  return { resource, value: kv.value, revision: result.revision, object }
}
