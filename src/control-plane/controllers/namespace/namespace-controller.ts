import { isStatus } from '../../../base/errors.ts'
import type { Namespace, NamespaceCondition } from '../../../api/generated/types.ts'
import { setCondition } from '../../../api/conditions.ts'
import { namespaces } from '../../../api/core/v1/namespace.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import type { KindDefinition } from '../../../api/kind.ts'
import { deepEqual } from '../../../api/meta/equality.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import { watchOf, type Manager, type Reconciler, type Request, type Result } from '../../../controller/contract.ts'

/** Content that is still there is looked at again after this time. */
const REQUEUE_MS = 500
const FINALIZER = 'kubernetes'

/** Empties namespaces that are being deleted, says what still holds them, and lets them go. Source: kubernetes/pkg/controller/namespace/deletion. */
export function addNamespaceController(manager: Manager, kinds: readonly KindDefinition[]): void {
  const informer = manager.informers.informer(namespaces)
  const contents = kinds.filter((kind) => kind.namespaced && !kind.storedAs)
  manager.addController({
    name: 'namespace',
    concurrency: 5,
    watches: [watchOf(namespaces, undefined, (namespace) => namespace.metadata.deletionTimestamp !== undefined)],
    reconciler: new NamespaceReconciler(manager, (name) => informer.lister.get(name), contents),
  })
}

class NamespaceReconciler implements Reconciler {
  readonly #manager: Manager
  readonly #find: (name: string) => Namespace | undefined
  readonly #kinds: readonly KindDefinition[]

  constructor(manager: Manager, find: (name: string) => Namespace | undefined, kinds: readonly KindDefinition[]) {
    this.#manager = manager
    this.#find = find
    this.#kinds = kinds
  }

  async reconcile({ name }: Request, signal: AbortSignal): Promise<Result> {
    const namespace = this.#find(name)
    if (!namespace?.metadata.deletionTimestamp || !namespace.spec?.finalizers?.includes(FINALIZER)) return {}
    const left: { readonly kind: KindDefinition; readonly objects: readonly KubeObject[] }[] = []
    const failures: string[] = []
    for (const kind of this.#kinds) {
      try {
        // pods go first and by themselves: what they still need (their account, their config) must outlive them
        const objects = await this.#empty(kind, name, signal)
        if (objects.length > 0) left.push({ kind, objects })
        if (kind.plural === pods.plural && kind.group === '' && objects.length > 0) break
      } catch (error) {
        if (signal.aborted) throw error
        failures.push(`${kind.plural}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
    await this.#report(namespace, left, failures, signal)
    if (left.length > 0 || failures.length > 0) return { requeueAfterMs: REQUEUE_MS }
    await this.#finalize(namespace, signal)
    return {}
  }

  async #empty(kind: KindDefinition, namespace: string, signal: AbortSignal): Promise<readonly KubeObject[]> {
    const api = this.#manager.client.of(kind)
    const before = await api.list({ namespace, limit: 1, signal })
    if (before.items.length === 0) return []
    await api.deleteCollection({ namespace, propagationPolicy: 'Background', signal })
    return (await api.listAll({ namespace, signal })).items
  }

  async #finalize(namespace: Namespace, signal: AbortSignal): Promise<void> {
    const fresh = await this.#manager.client.of(namespaces).get(namespace.metadata.name, { signal }).catch(ignoreGone)
    if (!fresh || fresh.metadata.uid !== namespace.metadata.uid) return
    const finalizers = (fresh.spec?.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZER)
    await this.#manager.client
      .of(namespaces)
      .update({ ...fresh, spec: { ...fresh.spec, finalizers } }, { subresource: 'finalize', signal })
      .catch(ignoreGone)
  }

  async #report(
    namespace: Namespace,
    left: readonly { readonly kind: KindDefinition; readonly objects: readonly KubeObject[] }[],
    failures: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const now = new Date(this.#manager.clock.now()).toISOString().replace(/\.\d+Z$/, 'Z')
    const before = namespace.status?.conditions
    let conditions: readonly NamespaceCondition[] = before ?? []
    for (const condition of deletionConditions(left, failures)) conditions = setCondition(conditions, condition, now)
    if (deepEqual(conditions, before ?? [])) return
    await this.#manager.client
      .of(namespaces)
      .patch(
        namespace.metadata.name,
        { metadata: { uid: namespace.metadata.uid }, status: { phase: 'Terminating', conditions } },
        { type: 'merge', subresource: 'status', signal },
      )
      .catch(ignoreGone)
  }
}

/** What `kubectl describe namespace` shows of a deletion that takes its time. Pure. */
export function deletionConditions(
  left: readonly { readonly kind: KindDefinition; readonly objects: readonly KubeObject[] }[],
  failures: readonly string[],
): NamespaceCondition[] {
  const remaining = left.map(({ kind, objects }) =>
    `${kind.plural}.${kind.group} has ${objects.length} resource instances`.replace('. ', ' '),
  )
  const finalizers = new Map<string, number>()
  for (const { objects } of left)
    for (const object of objects)
      for (const finalizer of object.metadata.finalizers ?? []) finalizers.set(finalizer, (finalizers.get(finalizer) ?? 0) + 1)
  const waiting = [...finalizers].map(([finalizer, count]) => `${finalizer} in ${count} resource instances`)
  return [
    {
      type: 'NamespaceDeletionDiscoveryFailure',
      status: 'False',
      reason: 'ResourcesDiscovered',
      message: 'All resources successfully discovered',
    },
    {
      type: 'NamespaceDeletionGroupVersionParsingFailure',
      status: 'False',
      reason: 'ParsedGroupVersions',
      message: 'All legacy kube types successfully parsed',
    },
    failures.length > 0
      ? {
          type: 'NamespaceDeletionContentFailure',
          status: 'True',
          reason: 'ContentDeletionFailed',
          message: `Failed to delete all resource types, ${failures.length} remaining: ${failures.join(', ')}`,
        }
      : {
          type: 'NamespaceDeletionContentFailure',
          status: 'False',
          reason: 'ContentDeleted',
          message: 'All content successfully deleted, may be waiting on finalization',
        },
    remaining.length > 0
      ? {
          type: 'NamespaceContentRemaining',
          status: 'True',
          reason: 'SomeResourcesRemain',
          message: `Some resources are remaining: ${remaining.join(', ')}`,
        }
      : { type: 'NamespaceContentRemaining', status: 'False', reason: 'ContentRemoved', message: 'All content successfully removed' },
    waiting.length > 0
      ? {
          type: 'NamespaceFinalizersRemaining',
          status: 'True',
          reason: 'SomeFinalizersRemain',
          message: `Some content in the namespace has finalizers remaining: ${waiting.join(', ')}`,
        }
      : {
          type: 'NamespaceFinalizersRemaining',
          status: 'False',
          reason: 'ContentHasNoFinalizers',
          message: 'All content-preserving finalizers finished',
        },
  ]
}

function ignoreGone(error: unknown): undefined {
  if (isStatus(error, 'NotFound', 'Conflict')) return undefined
  throw error
}
