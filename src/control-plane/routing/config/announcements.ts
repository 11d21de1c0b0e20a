import type { EndpointSlice, Node, Service } from '../../../api/generated/types.ts'
import { parsePrefix } from '../../../base/ip.ts'
import type { RouterSpec } from '../../../api/routing.biplane.dev/v1alpha1/router.ts'
import type { OriginatedRoute, StaticConfig } from './routing-config.ts'

export interface AnnouncementInput {
  readonly advertise: RouterSpec['advertise']
  readonly node: Node
  readonly services: readonly Service[]
  readonly slices: readonly EndpointSlice[]
  readonly statics: readonly StaticConfig[]
}

const EXCLUDED = 'node.kubernetes.io/exclude-from-external-load-balancers'
const SERVICE_NAME = 'kubernetes.io/service-name'

/**
 * What the node announces of the cluster. A service address is announced where the service has a ready endpoint: anywhere, or with a traffic
 * policy of Local on this node.
 */
export function announcementsOf({ advertise = {}, node, services, slices, statics }: AnnouncementInput): readonly OriginatedRoute[] {
  const routes = new Map<string, OriginatedRoute>()
  const add = (text: string, source: OriginatedRoute['source']): void => {
    const prefix = parsePrefix(text)
    if (prefix) routes.set(`${source} ${text}`, { prefix, source })
  }
  if (advertise.podCIDRs ?? true) {
    for (const cidr of node.spec?.podCIDRs ?? (node.spec?.podCIDR ? [node.spec.podCIDR] : [])) add(cidr, 'PodRange')
  }
  const loadBalancers = (advertise.loadBalancerIPs ?? true) && !(EXCLUDED in (node.metadata.labels ?? {}))
  const clusterIps = advertise.clusterIPs ?? false
  if (loadBalancers || clusterIps) {
    const ready = readyServices(slices, node.metadata.name)
    for (const service of services) {
      const key = `${service.metadata.namespace}/${service.metadata.name}`
      const isReady = (policy: string | undefined): boolean => (policy === 'Local' ? ready.here : ready.anywhere).has(key)
      if (loadBalancers && isReady(service.spec?.externalTrafficPolicy)) for (const ip of loadBalancerIps(service)) add(ip, 'LoadBalancer')
      if (clusterIps && isReady(service.spec?.internalTrafficPolicy)) for (const ip of clusterIpsOf(service)) add(ip, 'LoadBalancer')
    }
  }
  if (advertise.staticRoutes ?? false) {
    for (const { prefix } of statics) routes.set(`Static ${prefix.bytes.join('.')}/${prefix.length}`, { prefix, source: 'Static' })
  }
  return [...routes.values()]
}

/** Addresses that traffic is sent to; an ingress in proxy mode is somebody else's. */
function loadBalancerIps({ spec, status }: Service): readonly string[] {
  if (spec?.type !== 'LoadBalancer') return []
  return (status?.loadBalancer?.ingress ?? []).flatMap(({ ip, ipMode }) => (ip !== undefined && ipMode !== 'Proxy' ? [ip] : []))
}

function clusterIpsOf({ spec }: Service): readonly string[] {
  return (spec?.clusterIPs ?? (spec?.clusterIP ? [spec.clusterIP] : [])).filter((ip) => ip !== 'None')
}

function readyServices(
  slices: readonly EndpointSlice[],
  node: string,
): { readonly here: ReadonlySet<string>; readonly anywhere: ReadonlySet<string> } {
  const here = new Set<string>()
  const anywhere = new Set<string>()
  for (const { metadata, endpoints } of slices) {
    const name = metadata.labels?.[SERVICE_NAME]
    if (name === undefined) continue
    const key = `${metadata.namespace}/${name}`
    for (const { conditions, nodeName } of endpoints ?? []) {
      if (conditions?.ready === false) continue
      anywhere.add(key)
      if (nodeName === node) here.add(key)
    }
  }
  return { here, anywhere }
}
