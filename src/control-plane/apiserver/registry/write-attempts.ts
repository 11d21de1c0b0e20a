import type { KubeObject } from '../../../api/meta/object.ts'
import type { KeyValue } from '../../store/contract.ts'
import { runAdmission, type Admission, type AdmissionRequest } from './admission.ts'
import { decodeKeyValue } from './object-codec.ts'
import type { RegistryContext, WriteRequest } from './registry-context.ts'
import { storageKey } from './resource.ts'
import { conflict, fromStoreError, notFound } from './status-errors.ts'

/** Writes tried when others change the object meanwhile. Source: k8s.io/apiserver handlers.MaxRetryWhenPatchConflicts. */
const ATTEMPTS = 5

/** What is stored when an attempt begins. */
export interface Present {
  readonly kv: KeyValue
  /** Parsed for this attempt alone. */
  readonly object: KubeObject
}

/**
 * Reads the object of a request and hands it to `attempt`, again when that says that another write came first (undefined).
 * @throws {StatusError} `NotFound`; `Conflict` after five attempts
 */
export async function compareAndSwap<T>(
  context: RegistryContext,
  request: WriteRequest,
  attempt: (present: Present) => Promise<T | undefined>,
): Promise<T> {
  const { resource, namespace, name } = request
  const key = storageKey(resource, namespace, name)
  for (let attempts = 0; attempts < ATTEMPTS; attempts++) {
    const kv = await context.store.get(key)
    if (!kv) throw notFound(resource, name)
    const done = await attempt({ kv, object: decodeKeyValue(resource, kv) })
    if (done !== undefined) return done
  }
  throw conflict(resource, name)
}

/** What a write is about, as plugins see it. */
export type Admitting = Pick<AdmissionRequest, 'operation' | 'object'> & { readonly previous?: KubeObject }

/**
 * Runs the admission plugins, then `write`, and tells the plugins how it ended. An object as result means that it has been
 * written; anything else (or an error) that it has not.
 */
export async function admitted<T>(
  context: RegistryContext,
  request: WriteRequest,
  { admitting, write }: { readonly admitting: Admitting; readonly write: (admission: Admission) => Promise<T> },
): Promise<T> {
  const { resource, namespace, subresource, user, dryRun, warn } = request
  const { name } = admitting.object.metadata
  const admission = await runAdmission(context.admission, { ...admitting, resource, namespace, name, subresource, user, dryRun, warn })
  let stored = false
  try {
    const result = await write(admission)
    stored = typeof result === 'object' && !dryRun
    return result
  } catch (error) {
    throw fromStoreError(error)
  } finally {
    if (stored) admission.commit()
    else admission.rollback()
  }
}
