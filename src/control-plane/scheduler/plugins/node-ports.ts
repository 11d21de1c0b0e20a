import type { FilterPlugin } from '../framework.ts'

/** Keeps host ports from clashing. */
export const nodePorts: FilterPlugin = {
  name: 'NodePorts',
  nodeOnly: false,
  requeueOn: ['NodeAdded', 'PodDeleted'],
  filter: (pod, node) => (node.hostPortTaken(pod.hostPorts) ? "node(s) didn't have free ports for the requested pod ports" : undefined),
}
