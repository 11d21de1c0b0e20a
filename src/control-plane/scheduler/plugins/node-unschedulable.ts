import type { FilterPlugin } from '../framework.ts'
import { tolerates } from './tolerations.ts'

const TAINT = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }

/** Keeps pods off cordoned nodes unless they tolerate it. */
export const nodeUnschedulable: FilterPlugin = {
  name: 'NodeUnschedulable',
  nodeOnly: true,
  requeueOn: ['NodeAdded', 'NodeChanged'],
  filter: (pod, node) => (node.node.spec?.unschedulable && !tolerates(pod.tolerations, TAINT) ? 'node(s) were unschedulable' : undefined),
}
