import type { ScorePlugin } from '../framework.ts'
import { MAX_SCORE } from '../framework.ts'
import type { PodInfo } from '../pod-info.ts'

/**
 * Spreads the pods of one controller over nodes: the fewer a node has of them, the better. Stands where
 * PodTopologySpread's default constraints will.
 */
export const groupSpread: ScorePlugin = {
  name: 'PodTopologySpread',
  weight: 2,
  prepare: (pod, nodes) => (pod.group === '' ? 0 : nodes.reduce((most, node) => Math.max(most, node.groups.get(pod.group) ?? 0), 0)),
  score(pod: PodInfo, node, most) {
    const worst = most as number
    return worst === 0 ? MAX_SCORE : Math.round(MAX_SCORE * (1 - (node.groups.get(pod.group) ?? 0) / worst))
  },
}
