import { formatPrefix } from '../../../base/ip.ts'
import { nodes } from '../../../api/core/v1/node.ts'
import { watchOf, type Manager } from '../../../controller/contract.ts'
import { ignoreGone } from '../../../controller/ignore-gone.ts'
import type { ClusterCidr } from './cluster-cidrs.ts'
import { PodCidrClaims } from './pod-cidr-claims.ts'

/** How often a node that got nothing asks again; a node that goes away makes room. */
const ASK_AGAIN_MS = 10_000

/**
 * Gives every Node its part of the pod addresses: `spec.podCIDRs`, one per range, for good. A part is never given twice: those that Nodes
 * show are known before the first decision, the API server refuses to change what a Node has, and what was decided is kept until it is seen.
 * Source: kubernetes/pkg/controller/nodeipam, range allocator.
 */
export function addNodeIpamController(manager: Manager, ranges: readonly ClusterCidr[]): void {
  const informer = manager.informers.informer(nodes)
  const recorder = manager.recorder('nodeControllerIPAM')
  const claims = new PodCidrClaims(ranges)
  informer.addHandler({
    add: (node) => claims.observe(node),
    update: (node) => claims.observe(node),
    delete: (node) => claims.forget(node.metadata.name),
  })
  const usage = manager.metrics.gauge('node_ipam_controller_cidrset_usage_cidrs', 'Share of the pod addresses in use.', ['clusterCIDR'])
  manager.metrics.onRender(() => {
    for (const set of claims.sets) usage.with(formatPrefix(set.range.prefix)).set(set.used / set.size)
  })

  manager.addController({
    name: 'node_ipam',
    // one after the other: what one takes, the next one sees
    concurrency: 1,
    watches: [watchOf(nodes)],
    reconciler: {
      async reconcile({ name }, signal) {
        const node = informer.lister.get(name)
        if (!node || node.metadata.deletionTimestamp || node.spec?.podCIDRs?.length) return
        const result = claims.claim(node)
        if ('exhausted' in result) {
          const range = formatPrefix(result.exhausted.prefix)
          const size = result.exhausted.nodeLength
          recorder.event(node, 'Warning', 'CIDRNotAvailable', `no part of ${range} is left for this node (each node takes a /${size})`)
          return { requeueAfterMs: ASK_AGAIN_MS }
        }
        const [podCIDR] = result.cidrs
        const patch = { metadata: { uid: node.metadata.uid }, spec: { podCIDR, podCIDRs: result.cidrs } }
        await manager.client.of(nodes).patch(name, patch, { type: 'merge', signal }).catch(ignoreGone)
        return
      },
    },
  })
}
