import type { Node, Pod } from '../../api/generated/types.ts'
import { NodeInfo } from './node-info.ts'
import { podInfo, type PodInfo } from './pod-info.ts'

/**
 * The scheduler's picture of nodes and the pods on them, with what it has decided itself but not yet seen come back
 * (assumed pods). Source: kubernetes/pkg/scheduler/backend/cache.
 */
export class ClusterCache {
  readonly #nodes = new Map<string, NodeInfo>()
  /** Pods whose node is not known (yet), by node name. */
  readonly #orphans = new Map<string, Map<string, PodInfo>>()
  readonly #placed = new Map<string, string>()
  readonly #assumed = new Set<string>()
  #order: NodeInfo[] = []
  #cursor = 0
  #generation = 0
  readonly #freeSlots: number[] = []

  get nodeCount(): number {
    return this.#nodes.size
  }

  get assumedCount(): number {
    return this.#assumed.size
  }

  setNode(node: Node): void {
    const known = this.#nodes.get(node.metadata.name)
    const generation = ++this.#generation
    if (known) return known.setNode(node, generation)
    const info = new NodeInfo(node, { slot: this.#freeSlots.pop() ?? this.#nodes.size, generation })
    this.#nodes.set(info.name, info)
    this.#order = [...this.#nodes.values()]
    for (const orphan of this.#orphans.get(info.name)?.values() ?? []) info.addPod(orphan)
    this.#orphans.delete(info.name)
  }

  removeNode(name: string): void {
    const info = this.#nodes.get(name)
    if (!info) return
    this.#nodes.delete(name)
    this.#freeSlots.push(info.slot)
    this.#order = [...this.#nodes.values()]
    // its pods are still there and come back with it
    if (info.pods.size > 0) this.#orphans.set(name, new Map(info.pods))
  }

  /**
   * A pod that is bound, as the API server tells. Confirms an assumption.
   * @param sameSpec nothing that counts has changed since it was last told
   */
  addPod(pod: Pod, sameSpec: boolean = false): void {
    const uid = pod.metadata.uid ?? ''
    const nodeName = pod.spec?.nodeName ?? ''
    const wasAssumed = this.#assumed.delete(uid)
    const before = this.#placed.get(uid)
    // the usual case, many times for each pod: a status was written
    if (before === nodeName && (sameSpec || wasAssumed)) return
    if (before !== undefined) this.#take(uid)
    this.#put(podInfo(pod), nodeName)
  }

  removePod(uid: string): void {
    this.#assumed.delete(uid)
    this.#take(uid)
  }

  /** Counts a pod on a node before the API server confirms it. */
  assume(info: PodInfo, nodeName: string): void {
    this.#assumed.add(info.uid)
    this.#put(info, nodeName)
  }

  /** Takes back an assumption whose binding failed. */
  forget(uid: string): void {
    if (this.#assumed.delete(uid)) this.#take(uid)
  }

  isPlaced(uid: string): boolean {
    return this.#placed.has(uid)
  }

  /** All nodes, beginning at another one each time so that equal nodes take turns. */
  *nodes(): Generator<NodeInfo> {
    const count = this.#order.length
    const start = count === 0 ? 0 : this.#cursor++ % count
    for (let i = 0; i < count; i++) yield this.#order[(start + i) % count] as NodeInfo
  }

  get(name: string): NodeInfo | undefined {
    return this.#nodes.get(name)
  }

  /** Moves the starting point past nodes that were looked at. */
  advance(by: number): void {
    this.#cursor += by
  }

  #put(info: PodInfo, nodeName: string): void {
    this.#placed.set(info.uid, nodeName)
    const node = this.#nodes.get(nodeName)
    if (node) return node.addPod(info)
    const orphans = this.#orphans.get(nodeName) ?? new Map<string, PodInfo>()
    orphans.set(info.uid, info)
    this.#orphans.set(nodeName, orphans)
  }

  #take(uid: string): void {
    const nodeName = this.#placed.get(uid)
    if (nodeName === undefined) return
    this.#placed.delete(uid)
    this.#nodes.get(nodeName)?.removePod(uid)
    const orphans = this.#orphans.get(nodeName)
    orphans?.delete(uid)
    if (orphans?.size === 0) this.#orphans.delete(nodeName)
  }
}
