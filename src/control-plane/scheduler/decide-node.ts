import type { ClusterCache } from './cluster-cache.ts'
import type { FilterPlugin, Profile } from './framework.ts'
import type { NodeInfo } from './node-info.ts'
import type { PodInfo } from './pod-info.ts'

export type Decision =
  | { readonly node: NodeInfo }
  /** Why there is none, as `kubectl describe pod` shows it, and which filters said no. */
  | { readonly node?: undefined; readonly message: string; readonly rejectedBy: ReadonlySet<string> }

/** What the node-only filters said about pods of one signature, by the slot of the node. */
interface Answers {
  readonly generations: number[]
  readonly refusals: (Refusal | undefined)[]
}

/** Answers of node-only filters by pod signature; void when the node object changes. */
export class FilterCache {
  readonly #answers = new Map<string, Answers>()

  of(signature: string): Answers {
    let answers = this.#answers.get(signature)
    if (!answers) {
      // signatures come from templates: few; a flood of odd ones must not grow for ever
      if (this.#answers.size >= MAX_SIGNATURES) this.#answers.clear()
      answers = { generations: [], refusals: [] }
      this.#answers.set(signature, answers)
    }
    return answers
  }
}

const MAX_SIGNATURES = 500

interface Refusal {
  readonly plugin: string
  readonly reasons: readonly string[]
}

const MIN_FEASIBLE = 100

/**
 * How many feasible nodes are enough to choose among: all up to 100 nodes, then a falling share, at least 5 %.
 * Source: kubernetes/pkg/scheduler/schedule_one.go numFeasibleNodesToFind.
 */
export function feasibleNodesToFind(nodes: number): number {
  if (nodes < MIN_FEASIBLE) return nodes
  const percent = Math.max(5, 50 - Math.floor(nodes / 125))
  return Math.max(MIN_FEASIBLE, Math.floor((nodes * percent) / 100))
}

/** Chooses the node for one pod. Reads the cache, changes nothing but the cache's starting point. Ties are broken by `random`. */
export function decideNode(
  pod: PodInfo,
  cluster: ClusterCache,
  deps: { readonly profile: Profile; readonly filterCache: FilterCache; readonly random: () => number },
): Decision {
  const { profile, filterCache } = deps
  const nodeOnly = profile.filters.filter((filter) => filter.nodeOnly)
  const others = profile.filters.filter((filter) => !filter.nodeOnly)
  const wanted = feasibleNodesToFind(cluster.nodeCount)
  // once for each pod, and then an index for each node: with a thousand nodes this is where the time goes
  const { generations, refusals } = filterCache.of(pod.signature)
  const feasible: NodeInfo[] = []
  const reasons = new Map<string, number>()
  const rejectedBy = new Set<string>()
  let seen = 0
  for (const node of cluster.nodes()) {
    seen++
    const { slot, generation } = node
    if (generations[slot] !== generation) {
      generations[slot] = generation
      refusals[slot] = firstRefusal(nodeOnly, pod, node)
    }
    const refusal = refusals[slot] ?? firstRefusal(others, pod, node)
    if (!refusal) {
      feasible.push(node)
      if (feasible.length >= wanted) break
      continue
    }
    for (const reason of refusal.reasons) reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
    rejectedBy.add(refusal.plugin)
  }
  cluster.advance(Math.max(0, seen - 1))
  if (feasible.length === 0) return { message: unschedulableMessage(cluster.nodeCount, reasons), rejectedBy }
  return { node: feasible.length === 1 ? (feasible[0] as NodeInfo) : best(pod, feasible, deps) }
}

function firstRefusal(filters: readonly FilterPlugin[], pod: PodInfo, node: NodeInfo): Refusal | undefined {
  for (const filter of filters) {
    const reason = filter.filter(pod, node)
    if (reason !== undefined) return { plugin: filter.name, reasons: typeof reason === 'string' ? [reason] : reason }
  }
  return undefined
}

function best(pod: PodInfo, nodes: readonly NodeInfo[], deps: { readonly profile: Profile; readonly random: () => number }): NodeInfo {
  const totals = new Float64Array(nodes.length)
  for (const plugin of deps.profile.scores) {
    const prepared = plugin.prepare?.(pod, nodes)
    for (let i = 0; i < nodes.length; i++) totals[i]! += plugin.weight * plugin.score(pod, nodes[i] as NodeInfo, prepared)
  }
  let chosen = 0
  let ties = 1
  for (let i = 1; i < nodes.length; i++) {
    const difference = (totals[i] as number) - (totals[chosen] as number)
    if (difference > 0) {
      chosen = i
      ties = 1
    } else if (difference === 0 && deps.random() * ++ties < 1) {
      chosen = i
    }
  }
  return nodes[chosen] as NodeInfo
}

/** `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.` Reasons in alphabetical order. */
export function unschedulableMessage(nodes: number, reasons: ReadonlyMap<string, number>): string {
  if (nodes === 0) return 'no nodes available to schedule pods'
  const parts = [...reasons].map(([reason, count]) => `${count} ${reason}`).sort()
  return `0/${nodes} nodes are available: ${parts.join(', ')}.`
}
