import type { Pod } from '../../../api/generated/types.ts'
import {
  DATA_PLANE_ANNOTATION,
  EXCLUDE_INBOUND_ANNOTATION,
  EXCLUDE_OUTBOUND_ANNOTATION,
  HEALTH_PORT,
  INBOUND_PORT,
  isHosted,
  MESH_PORT,
  NODE_PROXY_UID,
  OUTBOUND_PORT,
  PROXY_UID,
  SIDECAR_CONTAINER,
} from '../../../policy/traffic/model/index.ts'

/** Name of our table in a pod's network namespace. */
export const MESH_TABLE = 'biplane-mesh'

/** Whether all connections of a pod are to pass through its sidecar, or the node's proxy in its place. gRPC applications are their own proxy. */
export function isIntercepted(pod: Pod): boolean {
  if (isHosted(pod.metadata.annotations)) return true
  const has = pod.spec?.initContainers?.some(({ name }) => name === SIDECAR_CONTAINER) ?? false
  return has && pod.metadata.annotations?.[DATA_PLANE_ANNOTATION] !== 'grpc'
}

/**
 * The rules of a meshed pod, as one transaction that replaces them. Out: TCP of every user but the sidecar's, to anywhere but the pod itself, goes to the sidecar.
 * In: all TCP goes to the sidecar but for the ports that are the sidecar's own or that the pod has excluded: whatever the sidecar refuses, or all of
 * it while no sidecar runs, does not get to the application by another way. The original destination stays known to the kernel (SO_ORIGINAL_DST).
 */
export function compileInterception(pod: Pod): string {
  const inbound = [HEALTH_PORT, MESH_PORT, ...portsOf(pod, EXCLUDE_INBOUND_ANNOTATION)]
  const outbound = portsOf(pod, EXCLUDE_OUTBOUND_ANNOTATION)
  return `table inet ${MESH_TABLE}
delete table inet ${MESH_TABLE}
table inet ${MESH_TABLE} {
  chain output {
    type nat hook output priority -100; policy accept;
    meta skuid ${isHosted(pod.metadata.annotations) ? NODE_PROXY_UID : PROXY_UID} return
    fib daddr type local return
${outbound.length > 0 ? `    tcp dport { ${outbound.join(', ')} } return\n` : ''}    meta l4proto tcp redirect to :${OUTBOUND_PORT}
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    iif lo return
    tcp dport { ${[...new Set(inbound)].join(', ')} } return
    meta l4proto tcp redirect to :${INBOUND_PORT}
  }
}
`
}

/** Ports that a pod wants left alone, of an annotation such as `traffic.kuma.io/exclude-inbound-ports: "22,9000"`; what is no port is passed over. */
export function portsOf(pod: Pod, annotation: string): readonly number[] {
  const ports = (pod.metadata.annotations?.[annotation] ?? '').split(',').map((text) => Number(text.trim()))
  return ports.filter((port) => Number.isInteger(port) && port > 0 && port < 65_536)
}
