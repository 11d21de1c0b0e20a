import { cloneJson } from '../../../api/meta/clone.ts'
import { generateName } from '../../../api/meta/names.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import { StoreError, type Compare, type Op } from '../../store/contract.ts'
import type { Admission } from './admission.ts'
import { encodeObject } from './object-codec.ts'
import { fillNewMeta } from './object-meta.ts'
import { strategyContext, type RegistryContext, type StoredObject, type WriteRequest } from './registry-context.ts'
import { storageKey } from './resource.ts'
import { alreadyExists, badRequest, conflict, generateNameConflict } from './status-errors.ts'
import { validateNew } from './validate-object.ts'
import { admitted } from './write-attempts.ts'

/** Names tried for one `generateName`. Source: k8s.io/apiserver rest.createHandler, maxNameGenerationCreateAttempts. */
const NAME_ATTEMPTS = 8
/** Tries when the namespace or something a plugin compares changes under the request. */
const STALE_ATTEMPTS = 5

/**
 * Creates an object that has been decoded and defaulted: prepare, metadata, admission, validation, one transaction.
 * @throws {StatusError} `AlreadyExists`, `Invalid`, `NotFound` or `Forbidden` for the namespace, and what plugins throw
 */
export async function createObject(context: RegistryContext, request: WriteRequest, object: KubeObject): Promise<StoredObject> {
  if (object.metadata.resourceVersion) throw badRequest('resourceVersion should not be set on objects to be created')
  const generated = !object.metadata.name && Boolean(object.metadata.generateName)
  let names = 0
  for (let stale = 0; stale < STALE_ATTEMPTS;) {
    // an attempt changes what it is given: the next must begin where this one began
    const draft = cloneJson(object)
    if (generated) draft.metadata.name = generateName(draft.metadata.generateName as string, context.random)
    const result = await attempt(context, request, draft)
    if (typeof result === 'object') return result
    if (result === 'stale') stale++
    else if (!generated) throw alreadyExists(request.resource, draft.metadata.name)
    else if (++names >= NAME_ATTEMPTS) throw generateNameConflict(request.resource, draft.metadata.name)
  }
  throw conflict(request.resource, object.metadata.name ?? '')
}

async function attempt(context: RegistryContext, request: WriteRequest, object: KubeObject): Promise<StoredObject | 'exists' | 'stale'> {
  const { resource, namespace } = request
  prepareNew(context, request, object)
  const { name } = object.metadata
  const gate = resource.kind.namespaced ? await context.namespaces?.check(resource, namespace, name) : undefined
  return admitted(context, request, {
    admitting: { operation: 'CREATE', object },
    write: (admission) => {
      validateNew(request, object)
      return writeNew(context, request, { object, gate, admission })
    },
  })
}

function prepareNew(context: RegistryContext, request: WriteRequest, object: KubeObject): void {
  const { kind } = request.resource
  const uid = context.uuid()
  const { strategy } = kind
  if (strategy?.prepareForCreate) strategy.prepareForCreate(object, { ...strategyContext(context, request), uid: () => uid })
  else if (kind.status) delete (object as { status?: unknown }).status
  fillNewMeta(object, { namespace: request.namespace, uid, nowMs: context.clock.now() })
}

interface NewObject {
  readonly object: KubeObject
  readonly gate: Compare | undefined
  readonly admission: Admission
}

async function writeNew(context: RegistryContext, request: WriteRequest, made: NewObject): Promise<StoredObject | 'exists' | 'stale'> {
  const { resource } = request
  const { object, gate, admission } = made
  const key = storageKey(resource, request.namespace, object.metadata.name)
  const value = encodeObject(resource, object)
  if (request.dryRun) return (await context.store.get(key)) ? 'exists' : { resource, value, revision: undefined, object }
  const compares: Compare[] = [{ key, op: '=', revision: 0n }]
  if (gate) compares.push(gate)
  const result = await putWithLease(context, resource.kind.ttlSeconds, (leaseId) => ({
    compares: [...compares, ...admission.compares],
    onSuccess: [{ type: 'put', key, value, ...(leaseId === undefined ? {} : { leaseId }) }, ...admission.writes],
    onFailure: [{ type: 'get', key }],
  }))
  if (!result.succeeded) return result.results[0]?.kv ? 'exists' : 'stale'
  object.metadata.resourceVersion = String(result.revision)
  return { resource, value, revision: result.revision, object }
}

interface Transaction {
  readonly compares: readonly Compare[]
  readonly onSuccess: readonly Op[]
  readonly onFailure: readonly Op[]
}

/** Runs a transaction, for kinds that expire with a lease; a lease that has run out meanwhile is replaced once. */
export async function putWithLease(
  context: RegistryContext,
  ttlSeconds: number | undefined,
  make: (leaseId: bigint | undefined) => Transaction,
): Promise<Awaited<ReturnType<RegistryContext['store']['txn']>>> {
  for (let attempts = 0; ; attempts++) {
    const leaseId = ttlSeconds === undefined ? undefined : await context.leases.for(ttlSeconds)
    const { compares, onSuccess, onFailure } = make(leaseId)
    try {
      return await context.store.txn(compares, onSuccess, onFailure)
    } catch (error) {
      const gone = error instanceof StoreError && error.code === 'LeaseNotFound'
      if (!gone || attempts > 0) throw error
      context.leases.reset()
    }
  }
}
