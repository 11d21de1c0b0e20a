import type { Pod } from '../../../api/generated/types.ts'
import { DATA_PLANE_ANNOTATION, GATEWAY_NAME_LABEL, MESH_PORT, PROXY_IMAGE, SIDECAR_CONTAINER } from '../model/index.ts'

/** Whether a proxy of the mesh runs in a pod, and which. Undefined: none. */
export function meshRole(pod: Pod): { readonly kind: 'sidecar' | 'gateway'; readonly dataPlane: 'biplane' | 'envoy' | 'grpc' } | undefined {
  const asked = pod.metadata.annotations?.[DATA_PLANE_ANNOTATION]
  const dataPlane = asked === 'envoy' || asked === 'grpc' ? asked : 'biplane'
  if (pod.spec?.initContainers?.some(({ name }) => name === SIDECAR_CONTAINER)) return { kind: 'sidecar', dataPlane }
  const isGateway =
    pod.metadata.labels?.[GATEWAY_NAME_LABEL] !== undefined && pod.spec?.containers?.some(({ image }) => image?.startsWith(PROXY_IMAGE))
  return isGateway ? { kind: 'gateway', dataPlane: dataPlane === 'grpc' ? 'biplane' : dataPlane } : undefined
}

/** Whether the pod's own proxy takes connections of the mesh just now. */
export function takesMeshTraffic(pod: Pod): boolean {
  const role = meshRole(pod)
  if (role?.kind !== 'sidecar') return false
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
