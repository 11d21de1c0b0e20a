import type { FilterPlugin } from '../framework.ts'

/** Honours spec.nodeName. */
export const nodeName: FilterPlugin = {
  name: 'NodeName',
  nodeOnly: true,
  requeueOn: ['NodeAdded'],
  filter(pod, node) {
    const wanted = pod.pod.spec?.nodeName
    return wanted && wanted !== node.name ? "node(s) didn't match the requested node name" : undefined
  },
}
