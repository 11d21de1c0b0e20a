import type { FilterPlugin, ScorePlugin } from '../framework.ts'
import { MAX_SCORE } from '../framework.ts'
import type { NodeInfo } from '../node-info.ts'
import type { Resources } from '../pod-info.ts'

/** Requests must fit into what the node has left. */
export const nodeResourcesFit: FilterPlugin = {
  name: 'NodeResourcesFit',
  nodeOnly: false,
  requeueOn: ['NodeAdded', 'NodeChanged', 'PodDeleted', 'PodChanged'],
  filter: (pod, node) => (fits(pod.requests, node) ? undefined : shortages(pod.requests, node)),
}

/** Allocates nothing: asked for every node of every pod. */
function fits(requests: Resources, { allocatable, requested, pods, allowedPods }: NodeInfo): boolean {
  return (
    pods.size < allowedPods &&
    (requests.cpuMillis === 0 || requests.cpuMillis <= allocatable.cpuMillis - requested.cpuMillis) &&
    (requests.memoryBytes === 0 || requests.memoryBytes <= allocatable.memoryBytes - requested.memoryBytes) &&
    (requests.ephemeralBytes === 0 || requests.ephemeralBytes <= allocatable.ephemeralBytes - requested.ephemeralBytes) &&
    requests.extended === undefined
  )
}

function shortages(requests: Resources, { allocatable, requested, pods, allowedPods }: NodeInfo): string[] | undefined {
  const short: string[] = pods.size < allowedPods ? [] : ['Too many pods']
  const check = (name: string, amount: number, left: number): void => {
    if (amount > 0 && amount > left) short.push(`Insufficient ${name}`)
  }
  check('cpu', requests.cpuMillis, allocatable.cpuMillis - requested.cpuMillis)
  check('memory', requests.memoryBytes, allocatable.memoryBytes - requested.memoryBytes)
  check('ephemeral-storage', requests.ephemeralBytes, allocatable.ephemeralBytes - requested.ephemeralBytes)
  for (const [name, amount] of requests.extended ?? [])
    check(name, amount, (allocatable.extended?.get(name) ?? 0) - (requested.extended?.get(name) ?? 0))
  return short.length > 0 ? short : undefined
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
