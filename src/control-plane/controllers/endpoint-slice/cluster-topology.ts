import { findCondition } from '../../../api/conditions.ts'
import type { Node } from '../../../api/generated/types.ts'
import { quantityMillis } from '../../../api/meta/quantity.ts'

const ZONE = 'topology.kubernetes.io/zone'
const CONTROL_PLANE = ['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master']

/** Where nodes are, and how much of the cluster each zone is. */
export interface ClusterTopology {
  readonly zoneOf: (nodeName: string) => string | undefined
  /** Part of the processors of all ready nodes, by zone; two zones at least. Undefined with `why`. */
  readonly shares?: ReadonlyMap<string, number>
  readonly why?: string
}

/** Nothing is known of any node. */
export const NO_TOPOLOGY: ClusterTopology = { zoneOf: () => undefined, why: 'insufficient node information' }

/**
 * Reads zones and processors of nodes. Pure. Nodes that run nothing but the control plane do not count.
 * Source: k8s.io/endpointslice topologycache, SetNodes.
 */
export function readTopology(nodes: readonly Node[]): ClusterTopology {
  const zones = new Map(nodes.flatMap((node) => (zoneOfNode(node) ? [[node.metadata.name, zoneOfNode(node) as string] as const] : [])))
  const zoneOf = (nodeName: string): string | undefined => zones.get(nodeName)
  const millis = new Map<string, number>()
  for (const node of nodes) {
    if (CONTROL_PLANE.some((role) => node.metadata.labels?.[role] !== undefined)) continue
    if (findCondition(node.status?.conditions, 'Ready')?.status !== 'True') continue
    const zone = zoneOfNode(node)
    const cpu = quantityMillis(node.status?.allocatable?.['cpu'] ?? '0')
    if (!zone || cpu === 0) return { zoneOf, why: `node ${node.metadata.name} has no ${zone ? 'processors' : `label ${ZONE}`}` }
    millis.set(zone, (millis.get(zone) ?? 0) + cpu)
  }
  if (millis.size < 2) return { zoneOf, why: millis.size === 0 ? NO_TOPOLOGY.why! : 'all ready nodes are in one zone' }
  const total = [...millis.values()].reduce((sum, one) => sum + one, 0)
  return { zoneOf, shares: new Map([...millis].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([zone, cpu]) => [zone, cpu / total])) }
}

/** What of a node `readTopology` looks at: nothing else about it makes a difference to endpoints. */
export function topologyOf(node: Node): unknown {
  const ready = findCondition(node.status?.conditions, 'Ready')?.status
  const roles = CONTROL_PLANE.map((role) => node.metadata.labels?.[role] !== undefined)
  return [zoneOfNode(node), ready, roles, node.status?.allocatable?.['cpu']]
}

function zoneOfNode(node: Node): string | undefined {
  return node.metadata.labels?.[ZONE] || undefined
}
