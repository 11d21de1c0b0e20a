import type { Namespace, Node, Pod, Service } from '../../../api/generated/types.ts'
import { labelsMatch } from './labels-match.ts'
import type { InboundPortView, ProxyView } from '../input/index.ts'
import { HEALTH_PORT, proxyName, REACHABLE_ANNOTATION, SIDECAR_CONTAINER, type Protocol } from '../model/index.ts'
import { excludedInbound, gatewayName, meshRole } from './mesh-pods.ts'
import { portProtocol } from './port-protocol.ts'

const ZONE = 'topology.kubernetes.io/zone'

/** A pod with a proxy, as the compiler sees it; undefined: it has none, or has ended, or has no address yet. @param services of its namespace */
export function proxyView(
  pod: Pod,
  services: readonly Service[],
  facts: { readonly node: (name: string) => Node | undefined; readonly namespace?: (name: string) => Namespace | undefined },
): ProxyView | undefined {
  const role = meshRole(pod)
  const ips = (pod.status?.podIPs ?? []).flatMap(({ ip }) => (ip === undefined || ip === '' ? [] : [ip]))
  if (ips.length === 0 && pod.status?.podIP) ips.push(pod.status.podIP)
  const phase = pod.status?.phase
  if (!role || phase === 'Succeeded' || phase === 'Failed') return undefined
  const namespace = pod.metadata.namespace ?? ''
  const labels = pod.metadata.labels ?? {}
  const node = pod.spec?.nodeName ?? ''
  const zone = facts.node(node)?.metadata.labels?.[ZONE]
  const reachable = pod.metadata.annotations?.[REACHABLE_ANNOTATION]
  const gateway = gatewayName(pod)
  return {
    name: proxyName(namespace, pod.metadata.name),
    kind: role.kind,
    dataPlane: role.dataPlane,
    namespace,
    pod: pod.metadata.name,
    labels,
    serviceAccount: pod.spec?.serviceAccountName || 'default',
    node,
    ...(zone === undefined ? {} : { zone }),
    ips,
    ports: role.kind === 'gateway' ? [] : inboundPorts(pod, services),
    ...(role.kind === 'gateway' && gateway !== undefined ? { gateway: `${namespace}/${gateway}` } : {}),
    draining: pod.metadata.deletionTimestamp !== undefined && pod.metadata.deletionTimestamp !== null,
    ...(reachable === undefined
      ? {}
      : { reachable: reachable.split(',').flatMap((text) => (text.trim() === '' ? [] : [withNamespace(text.trim(), namespace)])) }),
  }
}

const withNamespace = (text: string, namespace: string): string => (text.includes('/') ? text : `${namespace}/${text}`)

/** What a port speaks of which services say several things: nobody's connections may be refused for it. */
function inCommon(said: readonly Protocol[]): Protocol | undefined {
  const [first, ...others] = new Set(said)
  if (others.length === 0) return first
  if (said.every((one) => one === 'http2' || one === 'grpc')) return 'http2'
  return said.every((one) => one === 'http' || one === 'http2' || one === 'grpc') ? 'http' : 'auto'
}

/** Ports of the containers, and those that services lead to. A service's word about the protocol counts more than the port's name. */
function inboundPorts(pod: Pod, services: readonly Service[]): readonly InboundPortView[] {
  const ports = new Map<number, { name: string; protocol: Protocol; said: Protocol[]; services: InboundPortView['services'][number][] }>()
  const lasting = (pod.spec?.initContainers ?? []).filter(
    ({ name, restartPolicy }) => restartPolicy === 'Always' && name !== SIDECAR_CONTAINER,
  )
  const containers = [...(pod.spec?.containers ?? []), ...lasting]
  const excluded = excludedInbound(pod)
  const isLeftAlone = (port: number): boolean => port === HEALTH_PORT || excluded.has(port)
  const declared = containers.flatMap((container) => container.ports ?? []).filter(({ protocol = 'TCP' }) => protocol === 'TCP')
  for (const { containerPort, name = '' } of declared) {
    if (!isLeftAlone(containerPort)) ports.set(containerPort, { name, protocol: portProtocol({ name }), said: [], services: [] })
  }
  for (const { metadata, spec } of services.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))) {
    if (!spec?.selector || Object.keys(spec.selector).length === 0 || !labelsMatch(pod.metadata.labels, spec.selector)) continue
    for (const port of spec.ports ?? []) {
      if ((port.protocol ?? 'TCP') !== 'TCP') continue
      const target = port.targetPort ?? port.port
      const number = typeof target === 'number' ? target : declared.find(({ name }) => name === target)?.containerPort
      if (number === undefined || isLeftAlone(number)) continue
      const known = ports.get(number) ?? { name: port.name ?? '', protocol: 'auto', said: [], services: [] }
      const protocol = portProtocol(port)
      if (protocol !== 'auto') known.said.push(protocol)
      known.services.push({ namespace: metadata.namespace ?? '', name: metadata.name, port: port.port })
      ports.set(number, known)
    }
  }
  return [...ports]
    .sort(([a], [b]) => a - b)
    .map(([port, { name, protocol, said, services: leading }]) => ({ port, name, protocol: inCommon(said) ?? protocol, services: leading }))
}
