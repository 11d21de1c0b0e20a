import type { FilterPlugin, ScorePlugin } from '../framework.ts'
import { MAX_SCORE } from '../framework.ts'
import type { NodeInfo } from '../node-info.ts'

/** Requests must fit into what the node has left. */
export const nodeResourcesFit: FilterPlugin = {
  name: 'NodeResourcesFit',
  nodeOnly: false,
  requeueOn: ['NodeAdded', 'NodeChanged', 'PodDeleted', 'PodChanged'],
  filter(pod, node) {
    const { requests } = pod
    if (node.pods.size + 1 > node.allowedPods) return 'Too many pods'
    if (requests.cpuMillis > 0 && requests.cpuMillis > node.allocatable.cpuMillis - node.requested.cpuMillis) return 'Insufficient cpu'
    if (requests.memoryBytes > 0 && requests.memoryBytes > node.allocatable.memoryBytes - node.requested.memoryBytes)
      return 'Insufficient memory'
    if (requests.ephemeralBytes > 0 && requests.ephemeralBytes > node.allocatable.ephemeralBytes - node.requested.ephemeralBytes)
      return 'Insufficient ephemeral-storage'
    for (const [name, amount] of requests.extended ?? []) {
      if (amount > (node.allocatable.extended?.get(name) ?? 0) - (node.requested.extended?.get(name) ?? 0)) return `Insufficient ${name}`
    }
    return undefined
  },
}

/** Prefers nodes with more left (LeastAllocated, cpu and memory alike). */
export const leastAllocated: ScorePlugin = {
  name: 'NodeResourcesFit',
  weight: 1,
  score(pod, node) {
    const { cpu, memory } = fractions(node, pod.nonZero.cpuMillis, pod.nonZero.memoryBytes)
    return Math.floor(MAX_SCORE * ((1 - Math.min(1, cpu) + 1 - Math.min(1, memory)) / 2))
  },
}

/** Prefers nodes on which cpu and memory would be used to the same degree. */
export const balancedAllocation: ScorePlugin = {
  name: 'NodeResourcesBalancedAllocation',
  weight: 1,
  score(pod, node) {
    const { cpu, memory } = fractions(node, pod.nonZero.cpuMillis, pod.nonZero.memoryBytes)
    // standard deviation of two values is half their distance
    return Math.floor(MAX_SCORE * (1 - Math.abs(Math.min(1, cpu) - Math.min(1, memory)) / 2))
  },
}

function fractions(node: NodeInfo, cpuMillis: number, memoryBytes: number): { readonly cpu: number; readonly memory: number } {
  return {
    cpu: node.allocatable.cpuMillis === 0 ? 1 : (node.nonZeroCpuMillis + cpuMillis) / node.allocatable.cpuMillis,
    memory: node.allocatable.memoryBytes === 0 ? 1 : (node.nonZeroMemoryBytes + memoryBytes) / node.allocatable.memoryBytes,
  }
}
