import { timestamp } from '../../../base/timestamp.ts'
import type { Namespace, NamespaceCondition } from '../../../api/generated/types.ts'
import { setCondition } from '../../../api/conditions.ts'
import { namespaces } from '../../../api/core/v1/namespace.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import type { KindDefinition } from '../../../api/kind.ts'
import { deepEqual } from '../../../api/meta/equality.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import { watchOf, type Manager, type Reconciler, type Request, type Result } from '../../../controller/contract.ts'
import { deletionConditions, lookAgainInMs } from './deletion-conditions.ts'
import { ignoreGone } from '../../../controller/ignore-gone.ts'

const FINALIZER = 'kubernetes'

/** Empties namespaces that are being deleted, says what still holds them, and lets them go. Source: kubernetes/pkg/controller/namespace/deletion. */
export function addNamespaceController(manager: Manager, kinds: readonly KindDefinition[]): void {
  const informer = manager.informers.informer(namespaces)
  // pods go first and by themselves: what they still need (their account, their config) must outlive them
  const isPods = (kind: KindDefinition): boolean => kind.plural === pods.plural && kind.group === pods.group
  const namespaced = kinds.filter((kind) => kind.namespaced && !kind.storedAs)
  const contents = [...namespaced.filter(isPods), ...namespaced.filter((kind) => !isPods(kind))]
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
        const objects = await this.#empty(kind, name, signal)
        if (objects.length > 0) left.push({ kind, objects })
        if (kind === this.#kinds[0] && objects.length > 0) break
      } catch (error) {
        if (signal.aborted) throw error
        failures.push(`${kind.plural}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
    await this.#report(namespace, left, failures, signal)
    if (left.length > 0 || failures.length > 0)
      return { requeueAfterMs: lookAgainInMs(namespace.metadata.deletionTimestamp, this.#manager.clock.now()) }
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
    const now = timestamp(this.#manager.clock.now())
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
