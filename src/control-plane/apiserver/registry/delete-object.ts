import type { KubeObject } from '../../../api/meta/object.ts'
import type { Admission } from './admission.ts'
import { IMMORTAL_NAMESPACES } from './namespace-gate.ts'
import { encodeObject } from './object-codec.ts'
import { planDelete, type DeleteOptions, type DeletePlan } from './plan-delete.ts'
import type { RegistryContext, StoredObject, WriteRequest } from './registry-context.ts'
import { isHeld, removeStored } from './remove-object.ts'
import { conflict, forbidden } from './status-errors.ts'
import { admitted, compareAndSwap, type Present } from './write-attempts.ts'

export interface Deleted {
  /** The last state, or the present one while the object lingers. */
  readonly stored: StoredObject
  /** False while grace or finalizers keep it. */
  readonly removed: boolean
}

/**
 * Deletes an object, or marks it for deletion when it may take its time or something still needs it.
 * @throws {StatusError} `NotFound`; `Conflict` for preconditions; `Forbidden` for namespaces that must stay
 */
export function deleteObject(context: RegistryContext, request: WriteRequest, options: DeleteOptions): Promise<Deleted> {
  return compareAndSwap(context, request, (present) => {
    checkDelete(request, present.object, options)
    return attempt(context, request, { ...present, options })
  })
}

function checkDelete(request: WriteRequest, object: KubeObject, options: DeleteOptions): void {
  const { resource, name } = request
  const { uid, resourceVersion } = options.preconditions ?? {}
  const is = object.metadata
  if (uid !== undefined && uid !== is.uid) {
    const text = `the UID in the precondition (${uid}) does not match the UID in record (${is.uid}). The object might have been deleted and then recreated`
    throw conflict(resource, name, text)
  }
  if (resourceVersion !== undefined && resourceVersion !== is.resourceVersion) {
    const text = `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${is.resourceVersion}). The object might have been modified`
    throw conflict(resource, name, text)
  }
  if (resource.group === '' && resource.plural === 'namespaces' && IMMORTAL_NAMESPACES.has(name)) {
    throw forbidden(resource, name, 'this namespace may not be deleted')
  }
}

interface Attempt extends Present {
  readonly options: DeleteOptions
}

function attempt(context: RegistryContext, request: WriteRequest, made: Attempt): Promise<Deleted | undefined> {
  const { object, options } = made
  return admitted(context, request, {
    admitting: { operation: 'DELETE', object },
    write: (admission) => {
      const graceSeconds = request.resource.kind.strategy?.gracePeriodSeconds?.(object, options.gracePeriodSeconds)
      const plan = planDelete(object, options, { nowMs: context.clock.now(), graceSeconds, held: isHeld(object) })
      return act(context, request, { ...made, plan, admission })
    },
  })
}

async function act(
  context: RegistryContext,
  request: WriteRequest,
  made: Attempt & { readonly plan: DeletePlan; readonly admission: Admission },
): Promise<Deleted | undefined> {
  const { kv, object, plan } = made
  const { resource, dryRun } = request
  if (plan.action === 'wait') return { stored: { resource, value: kv.value, revision: kv.modRevision, object }, removed: false }
  if (plan.action === 'remove') {
    const stored = await removeStored(context, request, { kv, object, admission: made.admission })
    return stored && { stored, removed: true }
  }
  const marked = terminatingNamespace(plan.object)
  const value = encodeObject(resource, marked)
  if (dryRun) return { stored: { resource, value, revision: kv.modRevision, object: marked }, removed: false }
  const { key } = kv
  const { compares, writes } = made.admission
  const result = await context.store.txn(
    [{ key, op: '=', revision: kv.modRevision }, ...compares],
    [{ type: 'put', key, value, leaseId: kv.leaseId }, ...writes],
    [],
  )
  if (!result.succeeded) return undefined
  marked.metadata.resourceVersion = String(result.revision)
  return { stored: { resource, value, revision: result.revision, object: marked }, removed: false }
}

/** A namespace tells in its phase that it is being deleted, and knows no grace. */
function terminatingNamespace(object: KubeObject): KubeObject {
  if (object.kind !== 'Namespace') return object
  const { deletionGracePeriodSeconds: _, ...metadata } = object.metadata
  const { status } = object as { status?: object }
  return { ...object, metadata, status: { ...status, phase: 'Terminating' } } as KubeObject
}
