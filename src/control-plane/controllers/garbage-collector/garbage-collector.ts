import { isStatus, messageOf } from '../../../base/errors.ts'
import type { OwnerReference } from '../../../api/generated/types.ts'
import type { KindDefinition } from '../../../api/kind.ts'
import { apiVersionOf, type KubeObject } from '../../../api/meta/object.ts'
import type { EventRecorder, Manager } from '../../../controller/contract.ts'
import { WorkQueue } from '../../../controller/work-queue.ts'
import { FOREGROUND, ORPHAN, OwnerGraph, refersTo, type GraphEffects, type GraphNode } from './owner-graph.ts'
import { blockingDependents, planDeletion, type OwnerState } from './plan-deletion.ts'

const WORKERS = 8

/**
 * Deletes objects whose owners are all gone, carries out foreground and orphaning deletion. Watches every kind it is
 * given; what the graph suspects is verified by a read from the API before anything is deleted.
 */
export function addGarbageCollector(manager: Manager, kinds: readonly KindDefinition[]): void {
  const collector = new GarbageCollector(manager, kinds)
  collector.follow()
  manager.addTask('garbage-collector', (signal) => collector.run(signal))
}

class GarbageCollector {
  readonly #manager: Manager
  readonly #kinds: readonly KindDefinition[]
  readonly #graph = new OwnerGraph()
  readonly #queue: WorkQueue
  readonly #recorder: EventRecorder

  constructor(manager: Manager, kinds: readonly KindDefinition[]) {
    this.#manager = manager
    this.#recorder = manager.recorder('garbage-collector-controller')
    // a kind that shares another's storage would be seen twice
    this.#kinds = kinds.filter((kind) => !kind.storedAs && kind.ttlSeconds === undefined)
    this.#queue = new WorkQueue({ name: 'garbage_collector', clock: manager.clock, metrics: manager.metrics })
  }

  follow(): void {
    for (const kind of this.#kinds) {
      const set = (object: KubeObject): void => this.#enqueue(this.#graph.set(kind, object))
      this.#manager.informers.informer(kind).addHandler({
        add: set,
        update: set,
        delete: (object) => this.#enqueue(this.#graph.remove(object.metadata.uid ?? '')),
      })
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => void this.#queue.shutDown(), { once: true })
    if (signal.aborted) void this.#queue.shutDown()
    await Promise.all(Array.from({ length: WORKERS }, () => this.#work(signal)))
  }

  #enqueue(effects: GraphEffects): void {
    for (const uid of effects.toDelete) this.#queue.add(`delete/${uid}`)
    for (const uid of effects.toOrphan) this.#queue.add(`orphan/${uid}`)
  }

  async #work(signal: AbortSignal): Promise<void> {
    for (let item = await this.#queue.get(); item !== undefined; item = await this.#queue.get()) {
      const [task, uid] = item.split('/', 2) as [string, string]
      try {
        const node = this.#graph.get(uid)
        if (node && task === 'orphan') await this.#orphan(node, signal)
        else if (node) await this.#attempt(node, signal)
        this.#queue.forget(item)
      } catch (error) {
        if (!signal.aborted) {
          this.#manager.log.debug('garbage collection will be retried', { uid, error: messageOf(error) })
          this.#queue.addRateLimited(item)
        }
      } finally {
        this.#queue.done(item)
      }
    }
  }

  async #attempt(node: GraphNode, signal: AbortSignal): Promise<void> {
    if (node.foreground) return await this.#finishForeground(node, signal)
    // most of what is queued was seen before its owner was
    if (node.deleting || this.#graph.isHeld(node)) return
    const live = await this.#read(node.kind, node.namespace, node.name, signal)
    if (!live || live.metadata.uid !== node.uid) return
    const owners = live.metadata.ownerReferences ?? []
    const states = new Map<string, OwnerState>()
    for (const owner of owners) states.set(owner.uid, await this.#ownerState(node, owner, signal))
    const plan = planDeletion(owners, states, {
      dependents: this.#graph.dependentsOf(node.uid),
      finalizers: live.metadata.finalizers ?? [],
    })
    switch (plan.type) {
      case 'keep':
        return
      case 'dropOwners':
        await this.#setOwners(
          node,
          live,
          owners.filter((owner) => !plan.uids.includes(owner.uid)),
          signal,
        )
        return
      case 'delete': {
        const unblocked = owners.map((owner) => ({ ...owner, blockOwnerDeletion: false }))
        const current = plan.unblock ? await this.#setOwners(node, live, unblocked, signal) : live
        // the revision that was judged: somebody may have adopted it meanwhile. A conflict is retried with a fresh look
        const preconditions = { uid: node.uid, resourceVersion: current?.metadata.resourceVersion ?? '' }
        await this.#api(node.kind)
          .delete(node.name, { namespace: node.namespace || undefined, propagationPolicy: plan.policy, preconditions, signal })
          .catch(ignoreNotFound)
      }
    }
  }

  async #ownerState(node: GraphNode, owner: OwnerReference, signal: AbortSignal): Promise<OwnerState> {
    const known = this.#graph.get(owner.uid)
    if (known && refersTo(node, owner, known)) return known.foreground ? 'waiting' : 'solid'
    const kind = this.#kinds.find((candidate) => candidate.kind === owner.kind && apiVersionOf(candidate) === owner.apiVersion)
    // an unknown kind may be served by somebody else: never delete on a guess
    if (!kind) return 'solid'
    // a cluster-scoped object cannot be owned by a namespaced one; the reference is wrong, the object is not garbage
    if (kind.namespaced && node.namespace === '') return this.#warnOfOwner(node, owner, 'cluster-scoped')
    const live = await this.#read(kind, kind.namespaced ? node.namespace : '', owner.name, signal)
    if (live?.metadata.uid !== owner.uid) {
      if (known && known.namespace !== node.namespace) this.#warnOfOwner(node, owner, node.namespace)
      return 'absent'
    }
    return live.metadata.deletionTimestamp && live.metadata.finalizers?.includes(FOREGROUND) ? 'waiting' : 'solid'
  }

  #warnOfOwner(node: GraphNode, owner: OwnerReference, where: string): OwnerState {
    const place = where === 'cluster-scoped' ? 'cluster-scoped object' : `namespace "${where}"`
    this.#recorder.event(
      {
        apiVersion: apiVersionOf(node.kind),
        kind: node.kind.kind,
        metadata: { name: node.name, uid: node.uid, ...(node.namespace ? { namespace: node.namespace } : {}) },
      },
      'Warning',
      'OwnerRefInvalidNamespace',
      `ownerRef [${owner.apiVersion}/${owner.kind}, name: ${owner.name}, uid: ${owner.uid}] does not exist in ${place}`,
    )
    return 'solid'
  }

  /** All dependents first: blocking ones are deleted (each looked at by itself), then the finalizer goes. */
  async #finishForeground(node: GraphNode, signal: AbortSignal): Promise<void> {
    const blocking = blockingDependents(node, this.#graph.dependentsOf(node.uid))
    if (blocking.length === 0) return await this.#removeFinalizer(node, FOREGROUND, signal)
    for (const dependent of blocking) if (!dependent.foreground) this.#queue.add(`delete/${dependent.uid}`)
  }

  async #orphan(node: GraphNode, signal: AbortSignal): Promise<void> {
    if (!node.orphan) return
    for (const dependent of this.#graph.dependentsOf(node.uid)) {
      const live = await this.#read(dependent.kind, dependent.namespace, dependent.name, signal)
      const owners = live?.metadata.ownerReferences ?? []
      if (live && owners.some((owner) => owner.uid === node.uid))
        await this.#setOwners(
          dependent,
          live,
          owners.filter((owner) => owner.uid !== node.uid),
          signal,
        )
    }
    await this.#removeFinalizer(node, ORPHAN, signal)
  }

  async #removeFinalizer(node: GraphNode, finalizer: string, signal: AbortSignal): Promise<void> {
    const live = await this.#read(node.kind, node.namespace, node.name, signal)
    if (!live || live.metadata.uid !== node.uid || !live.metadata.finalizers?.includes(finalizer)) return
    const { resourceVersion, finalizers } = live.metadata
    const patch = { metadata: { uid: node.uid, resourceVersion, finalizers: finalizers.filter((name) => name !== finalizer) } }
    await this.#api(node.kind)
      .patch(node.name, patch, { type: 'merge', namespace: node.namespace || undefined, signal })
      .catch(ignoreNotFound)
  }

  async #setOwners(
    node: GraphNode,
    live: KubeObject,
    ownerReferences: readonly OwnerReference[],
    signal: AbortSignal,
  ): Promise<KubeObject | undefined> {
    const { uid, resourceVersion } = live.metadata
    return await this.#api(node.kind)
      .patch(
        node.name,
        { metadata: { uid, resourceVersion, ownerReferences } },
        { type: 'merge', namespace: node.namespace || undefined, signal },
      )
      .catch(ignoreNotFound)
  }

  async #read(kind: KindDefinition, namespace: string, name: string, signal: AbortSignal): Promise<KubeObject | undefined> {
    return await this.#api(kind)
      .get(name, { namespace: namespace || undefined, signal })
      .catch(ignoreNotFound)
  }

  #api(kind: KindDefinition): ReturnType<Manager['client']['of']> {
    return this.#manager.client.of(kind)
  }
}

function ignoreNotFound(error: unknown): undefined {
  if (isStatus(error, 'NotFound')) return undefined
  throw error
}
