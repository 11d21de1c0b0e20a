import type { FilterPlugin, ScorePlugin } from '../framework.ts'
import { MAX_SCORE } from '../framework.ts'
import type { NodeInfo } from '../node-info.ts'
import type { PodInfo } from '../pod-info.ts'
import { tolerates } from './tolerations.ts'

/** Refuses nodes with a NoSchedule or NoExecute taint that the pod does not tolerate. */
export const taintToleration: FilterPlugin = {
  name: 'TaintToleration',
  nodeOnly: true,
  requeueOn: ['NodeAdded', 'NodeChanged'],
  filter(pod, node) {
    const taint = (node.node.spec?.taints ?? []).find(
      (candidate) => candidate.effect !== 'PreferNoSchedule' && !tolerates(pod.tolerations, candidate),
    )
    return taint ? `node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}` : undefined
  },
}

/** Prefers nodes with fewer PreferNoSchedule taints that the pod does not tolerate. */
export const taintTolerationScore: ScorePlugin = {
  name: 'TaintToleration',
  weight: 3,
  prepare: (pod, nodes) => Math.max(0, ...nodes.map((node) => unwanted(pod, node))),
  score(pod, node, most) {
    const worst = most as number
    return worst === 0 ? MAX_SCORE : Math.round(MAX_SCORE * (1 - unwanted(pod, node) / worst))
  },
}

function unwanted(pod: PodInfo, node: NodeInfo): number {
  const taints = node.node.spec?.taints
  if (!taints) return 0
  return taints.filter((taint) => taint.effect === 'PreferNoSchedule' && !tolerates(pod.tolerations, taint)).length
}
