import type { KubeObject } from '../../../api/meta/object.ts'
import type { Compare, Store } from '../../store/contract.ts'
import { decodeKeyValue } from './object-codec.ts'
import { storageKey, type Resource } from './resource.ts'
import { forbidden, notFound } from './status-errors.ts'

/** Namespaces that nobody may delete. Source: k8s.io/apiserver plugin/namespace/lifecycle. */
export const IMMORTAL_NAMESPACES: ReadonlySet<string> = new Set(['default', 'kube-system', 'kube-public'])

/** Lets objects be created only in namespaces that exist and stay. Source: admission plugin NamespaceLifecycle. */
export interface NamespaceGate {
  /**
   * @returns a compare for the transaction of the create, so that nothing slips in behind a deletion
   * @throws {StatusError} `NotFound`: no such namespace; `Forbidden`, cause `NamespaceTerminating`
   */
  check(resource: Resource, namespace: string, name: string): Promise<Compare>
}

/** `namespaces` is undefined where the server has no namespaces: then every namespace will do. */
export function createNamespaceGate(store: Store, namespaces: Resource | undefined): NamespaceGate | undefined {
  if (!namespaces) return undefined
  // a namespace hardly ever changes and is asked for with every create
  const seen = new Map<string, { readonly revision: bigint; readonly terminating: boolean }>()
  return {
    async check(resource, namespace, name) {
      const key = storageKey(namespaces, '', namespace)
      const kv = await store.get(key)
      if (!kv) throw notFound(namespaces, namespace)
      let state = seen.get(namespace)
      if (state?.revision !== kv.modRevision) {
        state = { revision: kv.modRevision, terminating: isTerminating(decodeKeyValue(namespaces, kv)) }
        if (seen.size >= MAX_SEEN) seen.clear()
        seen.set(namespace, state)
      }
      if (state.terminating) throw terminating(resource, namespace, name)
      return { key, op: '=', revision: kv.modRevision }
    },
  }
}

const MAX_SEEN = 10_000

function isTerminating(namespace: KubeObject): boolean {
  const phase = (namespace as { status?: { phase?: string } }).status?.phase
  return namespace.metadata.deletionTimestamp !== undefined || phase === 'Terminating'
}

function terminating(resource: Resource, namespace: string, name: string): Error {
  const cause = { reason: 'NamespaceTerminating', message: `namespace ${namespace} is being terminated`, field: 'metadata.namespace' }
  return forbidden(resource, name, `unable to create new content in namespace ${namespace} because it is being terminated`, [cause])
}
