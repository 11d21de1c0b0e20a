import type { Node } from '../../api/generated/types.ts'
import { add, emptyResources, parse, type HostPort, type PodInfo, type Resources } from './pod-info.ts'

/** One node and all that is on it or on its way to it. */
export class NodeInfo {
  readonly name: string
  node: Node
  allocatable: Resources
  allowedPods: number
  readonly requested: Resources = emptyResources()
  /** For scoring. */
  nonZeroCpuMillis: number = 0
  nonZeroMemoryBytes: number = 0
  readonly pods: Map<string, PodInfo> = new Map()
  /** Pods of each group, for spreading. */
  readonly groups: Map<string, number> = new Map()
  /** Changes whenever the node object does, and no two nodes ever had the same: cached filter results of another generation are void. */
  generation: number
  /** A small number that no other node has now: where things about this node are kept. */
  readonly slot: number

  constructor(node: Node, place: { readonly slot: number; readonly generation: number }) {
    this.name = node.metadata.name
    this.slot = place.slot
    this.generation = place.generation
    this.node = node
    this.allocatable = parse(node.status?.allocatable)
    this.allowedPods = Number(node.status?.allocatable?.['pods'] ?? 0)
  }

  setNode(node: Node, generation: number): void {
    this.node = node
    this.generation = generation
    this.allocatable = parse(node.status?.allocatable)
    this.allowedPods = Number(node.status?.allocatable?.['pods'] ?? 0)
  }

  addPod(info: PodInfo): void {
    if (this.pods.has(info.uid)) return
    this.pods.set(info.uid, info)
    this.#count(info, 1)
  }

  removePod(uid: string): void {
    const info = this.pods.get(uid)
    if (!info) return
    this.pods.delete(uid)
    this.#count(info, -1)
  }

  /** Whether one of `ports` is taken; 0.0.0.0 clashes with every address. */
  hostPortTaken(ports: readonly HostPort[]): boolean {
    if (ports.length === 0) return false
    for (const info of this.pods.values()) {
      for (const used of info.hostPorts) {
        if (
          ports.some(
            (port) =>
              port.port === used.port &&
              port.protocol === used.protocol &&
              (port.ip === used.ip || port.ip === '0.0.0.0' || used.ip === '0.0.0.0'),
          )
        )
          return true
      }
    }
    return false
  }

  #count(info: PodInfo, sign: 1 | -1): void {
    add(this.requested, info.requests, sign)
    this.nonZeroCpuMillis += sign * info.nonZero.cpuMillis
    this.nonZeroMemoryBytes += sign * info.nonZero.memoryBytes
    if (info.group === '') return
    const count = (this.groups.get(info.group) ?? 0) + sign
    if (count > 0) this.groups.set(info.group, count)
    else this.groups.delete(info.group)
  }
}
