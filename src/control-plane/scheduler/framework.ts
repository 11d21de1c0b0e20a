import type { NodeInfo } from './node-info.ts'
import type { PodInfo } from './pod-info.ts'

/** Kinds of change in the cluster that may make a pod schedulable. */
export type ClusterEvent = 'NodeAdded' | 'NodeChanged' | 'PodDeleted' | 'PodChanged'

export interface Plugin {
  readonly name: string
}

/**
 * Says why a pod cannot be on a node (each reason once), or undefined when it can. `nodeOnly` filters look at the node
 * object and at the pod's signature alone: their answers are cached.
 */
export interface FilterPlugin extends Plugin {
  readonly nodeOnly: boolean
  filter(pod: PodInfo, node: NodeInfo): string | readonly string[] | undefined
  /** Which events may turn a refusal into a yes. */
  readonly requeueOn: readonly ClusterEvent[]
}

/** How good a node is, 0 to 100, times `weight`. */
export interface ScorePlugin extends Plugin {
  readonly weight: number
  /** Computed once per pod and handed to `score`. */
  prepare?(pod: PodInfo, nodes: readonly NodeInfo[]): unknown
  score(pod: PodInfo, node: NodeInfo, prepared: unknown): number
}

/** Claims something for a pod on its chosen node before the binding is written, and gives it back if that fails. */
export interface ReservePlugin extends Plugin {
  /** @returns why it cannot be had, or undefined */
  reserve(pod: PodInfo, node: NodeInfo): string | undefined
  unreserve(pod: PodInfo, node: NodeInfo): void
}

/** Tells the API server about the decision. */
export interface BindPlugin extends Plugin {
  bind(pod: PodInfo, nodeName: string, signal: AbortSignal): Promise<void>
}

/**
 * The extension points in the order in which they run. Preemption comes after a failed filter phase, pod affinity and
 * topology spread are filters and scores: each has its place here and is not written yet.
 */
export interface Profile {
  readonly schedulerName: string
  readonly filters: readonly FilterPlugin[]
  readonly scores: readonly ScorePlugin[]
  readonly reserves: readonly ReservePlugin[]
  readonly bind: BindPlugin
}

export const MAX_SCORE = 100
