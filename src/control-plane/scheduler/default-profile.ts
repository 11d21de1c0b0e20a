import { pods } from '../../api/core/v1/pod.ts'
import type { Client } from '../../client/client.ts'
import type { Profile } from './framework.ts'
import { groupSpread } from './plugins/group-spread.ts'
import { nodeAffinity, nodeAffinityScore } from './plugins/node-affinity.ts'
import { nodeName } from './plugins/node-name.ts'
import { nodePorts } from './plugins/node-ports.ts'
import { balancedAllocation, leastAllocated, nodeResourcesFit } from './plugins/node-resources.ts'
import { nodeUnschedulable } from './plugins/node-unschedulable.ts'
import { taintToleration, taintTolerationScore } from './plugins/taint-toleration.ts'

/** The `default-scheduler`: upstream's default plugins as far as they exist here, with upstream's weights. */
export function defaultProfile(client: Client): Profile {
  return {
    schedulerName: 'default-scheduler',
    filters: [
      nodeUnschedulable, // cheapest and, while draining, the most frequent refusal
      nodeName,
      taintToleration,
      nodeAffinity,
      nodePorts, // the two below look at the pods of a node and are not cached
      nodeResourcesFit,
    ],
    scores: [taintTolerationScore, nodeAffinityScore, groupSpread, leastAllocated, balancedAllocation],
    reserves: [],
    bind: {
      name: 'DefaultBinder',
      async bind({ pod }, target, signal) {
        const { name, namespace, uid } = pod.metadata
        const body = {
          apiVersion: 'v1',
          kind: 'Binding',
          metadata: { name, namespace, uid },
          target: { apiVersion: 'v1', kind: 'Node', name: target },
        }
        await client.of(pods).createSubresource(name, 'binding', body, { namespace, signal })
      },
    },
  }
}
