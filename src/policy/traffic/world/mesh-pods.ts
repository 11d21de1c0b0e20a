import type { Pod } from '../../../api/generated/types.ts'
import {
  DATA_PLANE_ANNOTATION,
  EXCLUDE_INBOUND_ANNOTATION,
  GATEWAY_NAME_LABEL,
  isHosted,
  MESH_PORT,
  PROXY_IMAGE,
  SIDECAR_CONTAINER,
  type Protocol,
} from '../model/index.ts'

/** Whether a proxy of the mesh runs in a pod, and which. Undefined: none. */
export function meshRole(pod: Pod): { readonly kind: 'sidecar' | 'gateway'; readonly dataPlane: 'biplane' | 'envoy' | 'grpc' } | undefined {
  const asked = pod.metadata.annotations?.[DATA_PLANE_ANNOTATION]
  const dataPlane = asked === 'envoy' || asked === 'grpc' ? asked : 'biplane'
  if (isHosted(pod.metadata.annotations)) return { kind: 'sidecar', dataPlane: 'biplane' }
  if (pod.spec?.initContainers?.some(({ name }) => name === SIDECAR_CONTAINER)) return { kind: 'sidecar', dataPlane }
  const isGateway = gatewayName(pod) !== undefined && pod.spec?.containers?.some(({ image }) => image?.startsWith(PROXY_IMAGE))
  return isGateway ? { kind: 'gateway', dataPlane: dataPlane === 'grpc' ? 'biplane' : dataPlane } : undefined
}

/** Name of the Gateway that a pod serves. An annotation has it in full; the label may be shortened to what labels can hold. */
export function gatewayName(pod: Pod): string | undefined {
  return pod.metadata.annotations?.[GATEWAY_NAME_LABEL] ?? pod.metadata.labels?.[GATEWAY_NAME_LABEL]
}

/** Ports of the application that its proxy has nothing to do with. */
export function excludedInbound(pod: Pod): ReadonlySet<number> {
  const text = pod.metadata.annotations?.[EXCLUDE_INBOUND_ANNOTATION] ?? ''
  return new Set(text.split(',').flatMap((part) => (part.trim() === '' ? [] : [Number(part)])))
}

/**
 * Whether the pod's own proxy takes connections of the mesh for a port just now. gRPC inside of an application does so itself, for the ports that it serves
 * alone: what else the application listens on stays plain.
 */
export function takesMeshTraffic(pod: Pod, port: { readonly port: number; readonly protocol: Protocol }): boolean {
  const role = meshRole(pod)
  if (role?.kind !== 'sidecar' || excludedInbound(pod).has(port.port)) return false
  if (role.dataPlane === 'grpc' && port.protocol !== 'grpc' && port.protocol !== 'http2') return false
  // the node starts no container of such a pod before its proxy is ready for it
  if (isHosted(pod.metadata.annotations)) return pod.status?.phase === 'Running'
  return pod.status?.initContainerStatuses?.some(({ name, ready }) => name === SIDECAR_CONTAINER && ready === true) ?? false
}

/** SPIFFE ID of a pod's service account. */
export function podIdentity(pod: Pod, trustDomain: string): string {
  return `spiffe://${trustDomain}/ns/${pod.metadata.namespace ?? ''}/sa/${pod.spec?.serviceAccountName || 'default'}`
}

/** Where connections of the mesh are taken, if not at the application's own ports: nothing is intercepted in the loopback network. */
export function meshPortOf(pod: Pod, address: string): number | undefined {
  return address.startsWith('127.') && meshRole(pod)?.dataPlane !== 'grpc' ? MESH_PORT : undefined
}
