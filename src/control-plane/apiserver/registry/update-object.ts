import { cloneJson } from '../../../api/meta/clone.ts'
import { deepEqual } from '../../../api/meta/equality.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import type { KeyValue } from '../../store/contract.ts'
import type { Admission } from './admission.ts'
import { putWithLease } from './create-object.ts'
import { removeFinished } from './remove-object.ts'
import { encodeObject } from './object-codec.ts'
import { bumpGeneration, carryOverMeta, keepStatus, takeStatus } from './object-meta.ts'
import { strategyContext, type RegistryContext, type StoredObject, type WriteRequest } from './registry-context.ts'
import { storageKey } from './resource.ts'
import { conflict, invalid } from './status-errors.ts'
import { validateChange } from './validate-object.ts'
import { admitted, compareAndSwap } from './write-attempts.ts'

/**
 * Makes the next state of an object from the present one, which it must not change or share parts of; runs again when
 * another write came first. A `resourceVersion` or `uid` in what it returns is a precondition.
 */
export type Change = (current: KubeObject) => KubeObject | Promise<KubeObject>

/**
 * Changes a stored object: prepare, admission, validation, one compare-and-swap. A change of nothing is not written. An
 * object that is being deleted goes when the change takes its last finalizer.
 * @throws {StatusError} `NotFound`, `Conflict`, `Invalid`, and what plugins throw
 */
export function updateObject(context: RegistryContext, request: WriteRequest, change: Change): Promise<StoredObject> {
  return compareAndSwap(context, request, async ({ kv, object: previous }) => {
    const next = await change(previous)
    checkPreconditions(request, next, previous)
    return attempt(context, request, { kv, previous, next })
  })
}

interface Attempt {
  readonly kv: KeyValue
  readonly previous: KubeObject
  readonly next: KubeObject
}

/** @throws {StatusError} `Conflict` when `next` was made from another version or another object of that name */
function checkPreconditions(request: WriteRequest, next: KubeObject, previous: KubeObject): void {
  const { resource, name } = request
  const { uid, resourceVersion } = next.metadata
  if (uid && uid !== previous.metadata.uid) {
    throw conflict(resource, name, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${previous.metadata.uid}`)
  }
  if (!resourceVersion) {
    if (resource.kind.strategy?.allowUnconditionalUpdate !== false) return
    const field = 'metadata.resourceVersion'
    throw invalid(resource.kind, name, [{ type: 'FieldValueInvalid', field, message: 'Invalid value: 0: must be specified for an update' }])
  }
  if (resourceVersion !== previous.metadata.resourceVersion) throw conflict(resource, name)
}

/** Undefined when another write came first. */
function attempt(context: RegistryContext, request: WriteRequest, made: Attempt): Promise<StoredObject | undefined> {
  const { previous } = made
  const object = prepareChange(context, request, made)
  return admitted(context, request, {
    admitting: { operation: 'UPDATE', object, previous },
    write: (admission) => {
      if (!request.trusted) validateChange(context, request, { next: object, previous })
      return writeChange(context, request, { ...made, next: object }, admission)
    },
  })
}

function prepareChange(context: RegistryContext, request: WriteRequest, { next, previous }: Attempt): KubeObject {
  const { kind } = request.resource
  // who approves a certificate request does it in its status too
  const ofStatus = request.subresource === 'status' || request.subresource === 'approval'
  const object = ofStatus ? takeStatus(next, cloneJson(previous)) : next
  if (!ofStatus && kind.status && request.subresource === '') keepStatus(object, previous)
  carryOverMeta(object, previous)
  // binding a pod, for one, is not a change of what its owner wants
  if (request.trusted) return object
  kind.strategy?.prepareForUpdate?.(object, previous, strategyContext(context, request))
  if (!ofStatus) bumpGeneration(object, previous)
  return object
}

async function writeChange(
  context: RegistryContext,
  request: WriteRequest,
  made: Attempt,
  admission: Admission,
): Promise<StoredObject | undefined> {
  const { resource, namespace, name, dryRun } = request
  const { kv, previous, next: object } = made
  const key = storageKey(resource, namespace, name)
  object.metadata.resourceVersion = previous.metadata.resourceVersion
  const finished = await removeFinished(context, request, { kv, object, admission })
  if (finished !== 'alive') return finished
  const value = encodeObject(resource, object)
  const same = admission.writes.length === 0 && (Buffer.compare(value, kv.value) === 0 || deepEqual(object, previous))
  if (same || dryRun) return { resource, value: same ? kv.value : value, revision: kv.modRevision, object }
  const result = await putWithLease(context, resource.kind.ttlSeconds, (leaseId) => ({
    compares: [{ key, op: '=', revision: kv.modRevision }, ...admission.compares],
    onSuccess: [{ type: 'put', key, value, ...(leaseId === undefined ? {} : { leaseId }) }, ...admission.writes],
    onFailure: [],
  }))
  if (!result.succeeded) return undefined
  object.metadata.resourceVersion = String(result.revision)
  return { resource, value, revision: result.revision, object }
}
