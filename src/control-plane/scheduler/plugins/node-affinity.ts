import type { Node, NodeSelectorRequirement, NodeSelectorTerm } from '../../../api/generated/types.ts'
import type { FilterPlugin, ScorePlugin } from '../framework.ts'
import { MAX_SCORE } from '../framework.ts'
import type { NodeInfo } from '../node-info.ts'
import type { PodInfo } from '../pod-info.ts'

/** nodeSelector and required node affinity. */
export const nodeAffinity: FilterPlugin = {
  name: 'NodeAffinity',
  nodeOnly: true,
  requeueOn: ['NodeAdded', 'NodeChanged'],
  filter(pod, { node }) {
    const spec = pod.pod.spec
    const labels = node.metadata.labels ?? {}
    const selected = Object.entries(spec?.nodeSelector ?? {}).every(([key, value]) => labels[key] === value)
    const required = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
    const matches = selected && (!required || required.nodeSelectorTerms.some((term) => matchesTerm(node, term)))
    return matches ? undefined : "node(s) didn't match Pod's node affinity/selector"
  },
}

/** Sum of the weights of preferred terms a node matches, scaled so that the best node has 100. */
export const nodeAffinityScore: ScorePlugin = {
  name: 'NodeAffinity',
  weight: 2,
  prepare: (pod, nodes) => (preferred(pod).length === 0 ? 0 : Math.max(0, ...nodes.map((node) => weightOf(pod, node)))),
  score(pod, node, most) {
    const best = most as number
    return best === 0 ? 0 : Math.round((MAX_SCORE * weightOf(pod, node)) / best)
  },
}

const preferred = (pod: PodInfo): readonly { readonly preference: NodeSelectorTerm; readonly weight: number }[] =>
  pod.pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []

function weightOf(pod: PodInfo, node: NodeInfo): number {
  return preferred(pod).reduce((sum, term) => (matchesTerm(node.node, term.preference) ? sum + term.weight : sum), 0)
}

/** A term without requirements matches nothing. */
function matchesTerm(node: Node, term: NodeSelectorTerm): boolean {
  const expressions = term.matchExpressions ?? []
  const fields = term.matchFields ?? []
  if (expressions.length + fields.length === 0) return false
  return (
    expressions.every((requirement) => matches(node.metadata.labels?.[requirement.key], requirement)) &&
    fields.every((requirement) => matches(requirement.key === 'metadata.name' ? node.metadata.name : undefined, requirement))
  )
}

function matches(value: string | undefined, { operator, values = [] }: NodeSelectorRequirement): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    case 'Gt':
      return value !== undefined && Number(value) > Number(values[0])
    case 'Lt':
      return value !== undefined && Number(value) < Number(values[0])
    default:
      return false
  }
}
