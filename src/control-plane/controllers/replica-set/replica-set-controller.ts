import { isStatus, messageOf } from '../../../base/errors.ts'
import type { Pod, ReplicaSet } from '../../../api/generated/types.ts'
import { replicaSets } from '../../../api/apps/v1/replica-set.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import { deepEqual } from '../../../api/meta/equality.ts'
import { keyOf } from '../../../api/meta/object.ts'
import { controllerOf, ownerReference } from '../../../api/meta/owner.ts'
import { labelSelectorMatcher } from '../../../api/meta/selector.ts'
import { isPodActive } from '../../../api/pod-status.ts'
import type { Informer } from '../../../client/cache.ts'
import { watchOf, type EventRecorder, type Manager, type Reconciler, type Request, type Result } from '../../../controller/contract.ts'
import { ControllerExpectations } from '../../../controller/expectations.ts'
import { ownedBy } from '../../../controller/mappers.ts'
import { isNamespaceTerminating } from '../namespace-terminating.ts'
import { claimPods } from './claim-pods.ts'
import { planReplicas } from './plan-replicas.ts'
import { nextAvailableInMs, replicaSetStatus } from './replica-set-status.ts'

const BY_OWNER = 'controllerUid'
const BY_NAMESPACE_ORPHANS = 'orphanNamespace'

/** Keeps `spec.replicas` pods alive for every ReplicaSet. Source: kubernetes/pkg/controller/replicaset. */
export function addReplicaSetController(manager: Manager): void {
  const sets = manager.informers.informer(replicaSets)
  const podInformer = manager.informers.informer(pods)
  podInformer.addIndex(BY_OWNER, (pod) => [controllerOf(pod)?.uid ?? ''])
  podInformer.addIndex(BY_NAMESPACE_ORPHANS, (pod) => (controllerOf(pod) ? [] : [pod.metadata.namespace ?? '']))
  const reconciler = new ReplicaSetReconciler(manager, sets, podInformer)
  manager.addController({
    name: 'replicaset',
    concurrency: 8,
    watches: [
      watchOf(replicaSets),
      watchOf(pods, ownedBy(replicaSets)),
      // an orphan may be adopted by every set whose selector it matches
      watchOf(pods, (pod) => (controllerOf(pod) ? [] : matchingSets(sets.lister.list(pod.metadata.namespace), pod))),
    ],
    reconciler,
  })
}

function matchingSets(all: readonly ReplicaSet[], pod: Pod): Request[] {
  return all
    .filter((set) => set.spec?.selector && labelSelectorMatcher(set.spec.selector)(pod.metadata.labels ?? {}))
    .map((set) => ({ namespace: set.metadata.namespace ?? '', name: set.metadata.name }))
}

class ReplicaSetReconciler implements Reconciler {
  readonly #manager: Manager
  readonly #sets: Informer<ReplicaSet>
  readonly #pods: Informer<Pod>
  readonly #expectations: ControllerExpectations
  readonly #recorder: EventRecorder

  constructor(manager: Manager, sets: Informer<ReplicaSet>, podInformer: Informer<Pod>) {
    this.#manager = manager
    this.#sets = sets
    this.#pods = podInformer
    this.#expectations = new ControllerExpectations(manager.clock)
    this.#recorder = manager.recorder('replicaset-controller')
    podInformer.addHandler({
      add: (pod) => this.#ownerKey(pod, (key) => this.#expectations.creationObserved(key)),
      update: (pod) => {
        if (pod.metadata.deletionTimestamp) this.#ownerKey(pod, (key) => this.#expectations.deletionObserved(key, keyOf(pod)))
      },
      delete: (pod) => this.#ownerKey(pod, (key) => this.#expectations.deletionObserved(key, keyOf(pod))),
    })
  }

  async reconcile(request: Request, signal: AbortSignal): Promise<Result> {
    const key = `${request.namespace}/${request.name}`
    const set = this.#sets.lister.get(key)
    if (!set) {
      this.#expectations.forget(key)
      return {}
    }
    const owned = this.#pods.lister.byIndex(BY_OWNER, set.metadata.uid ?? '')
    const orphans = this.#pods.lister.byIndex(BY_NAMESPACE_ORPHANS, request.namespace)
    const claimed = await claimPods(set, { owned, orphans }, this.#manager.client, signal)
    const active = claimed.filter(isPodActive)
    let failure: { readonly reason: string; readonly message: string } | undefined
    if (!set.metadata.deletionTimestamp && this.#expectations.satisfied(key)) failure = await this.#scale(set, active, signal)
    const terminating = claimed.filter((pod) => pod.metadata.deletionTimestamp).length
    await this.#updateStatus(set, active, { terminating, ...(failure ? { failure } : {}) }, signal)
    if (failure) throw new Error(failure.message)
    const requeueAfterMs = nextAvailableInMs(set, active, this.#manager.clock.now())
    return requeueAfterMs === undefined ? {} : { requeueAfterMs }
  }

  async #scale(set: ReplicaSet, active: readonly Pod[], signal: AbortSignal): Promise<{ reason: string; message: string } | undefined> {
    const plan = planReplicas(set.spec?.replicas ?? 1, active, this.#crowding(set))
    const key = keyOf(set)
    try {
      if (plan.create > 0) await this.#create(set, plan.create, signal)
      if (plan.remove.length > 0) await this.#remove(set, plan.remove, signal)
      return undefined
    } catch (error) {
      // a namespace that is going away takes its sets along: no failure to report
      if (isNamespaceTerminating(error)) return undefined
      this.#manager.log.info('replica set could not be scaled', { set: key, error: messageOf(error) })
      return { reason: plan.create > 0 ? 'FailedCreate' : 'FailedDelete', message: messageOf(error) }
    }
  }

  /** Slow start: 1, 2, 4, ... at a time, so that a quota or a broken template costs one failed call, not hundreds. */
  async #create(set: ReplicaSet, count: number, signal: AbortSignal): Promise<void> {
    const key = keyOf(set)
    this.#expectations.expectCreations(key, count)
    let left = count
    try {
      for (let batch = 1; left > 0; batch *= 2) {
        const size = Math.min(batch, left)
        const results = await Promise.allSettled(Array.from({ length: size }, () => this.#createOne(set, signal)))
        left -= size
        const failed = results.find((result) => result.status === 'rejected')
        if (failed) {
          this.#expectations.creationObserved(key, results.filter((result) => result.status === 'rejected').length)
          throw failed.reason
        }
      }
    } finally {
      if (left > 0) this.#expectations.creationObserved(key, left)
    }
  }

  async #createOne(set: ReplicaSet, signal: AbortSignal): Promise<void> {
    const template = set.spec?.template
    const draft = {
      metadata: {
        generateName: `${set.metadata.name}-`,
        labels: { ...template?.metadata?.labels },
        ...(template?.metadata?.annotations ? { annotations: { ...template.metadata.annotations } } : {}),
        ...(template?.metadata?.finalizers ? { finalizers: [...template.metadata.finalizers] } : {}),
        ownerReferences: [ownerReference(set, replicaSets, { controller: true, blockOwnerDeletion: true })],
      },
      ...(template?.spec ? { spec: template.spec } : {}),
    }
    try {
      const pod = await this.#manager.client.of(pods).create(draft, { namespace: set.metadata.namespace, signal })
      this.#recorder.event(withKind(set), 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`)
    } catch (error) {
      if (!isNamespaceTerminating(error))
        this.#recorder.event(withKind(set), 'Warning', 'FailedCreate', `Error creating: ${messageOf(error)}`)
      throw error
    }
  }

  async #remove(set: ReplicaSet, victims: readonly Pod[], signal: AbortSignal): Promise<void> {
    const key = keyOf(set)
    this.#expectations.expectDeletions(key, victims.map(keyOf))
    const results = await Promise.allSettled(
      victims.map(async (pod) => {
        try {
          await this.#manager.client
            .of(pods)
            .delete(pod.metadata.name, { namespace: pod.metadata.namespace, preconditions: { uid: pod.metadata.uid ?? '' }, signal })
          this.#recorder.event(withKind(set), 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`)
        } catch (error) {
          this.#expectations.deletionObserved(key, keyOf(pod))
          if (!isStatus(error, 'NotFound')) throw error
        }
      }),
    )
    const failed = results.find((result) => result.status === 'rejected')
    if (failed) throw failed.reason
  }

  async #updateStatus(
    set: ReplicaSet,
    active: readonly Pod[],
    more: { readonly terminating: number; readonly failure?: { readonly reason: string; readonly message: string } },
    signal: AbortSignal,
  ): Promise<void> {
    const status = replicaSetStatus(set, active, { nowMs: this.#manager.clock.now(), ...more })
    if (deepEqual(status, set.status)) return
    try {
      await this.#manager.client.of(replicaSets).updateStatus({ ...set, status }, { signal })
    } catch (error) {
      // the cache was behind: the event that brings it up to date brings us here again
      if (!isStatus(error, 'Conflict', 'NotFound')) throw error
    }
  }

  /** Active pods per node of all sets that share this set's controller (a Deployment's old and new ones). */
  #crowding(set: ReplicaSet): Map<string, number> {
    const owner = controllerOf(set)?.uid
    const siblings =
      owner === undefined ? [set] : this.#sets.lister.list(set.metadata.namespace).filter((other) => controllerOf(other)?.uid === owner)
    const counts = new Map<string, number>()
    for (const sibling of siblings) {
      for (const pod of this.#pods.lister.byIndex(BY_OWNER, sibling.metadata.uid ?? '')) {
        const node = pod.spec?.nodeName
        if (node && isPodActive(pod)) counts.set(node, (counts.get(node) ?? 0) + 1)
      }
    }
    return counts
  }

  #ownerKey(pod: Pod, fn: (key: string) => void): void {
    const owner = controllerOf(pod)
    if (owner?.kind === 'ReplicaSet') fn(`${pod.metadata.namespace}/${owner.name}`)
  }
}

const withKind = (set: ReplicaSet): ReplicaSet => ({ apiVersion: 'apps/v1', kind: 'ReplicaSet', ...set })
