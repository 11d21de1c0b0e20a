import type { EndpointSlice, Service } from '../../api/generated/types.ts'

export interface Backend {
  readonly host: string
  readonly port: number
}

/** One address and port that has to be served, and who serves it. */
export interface ServicePort {
  /** `protocol/host:port`: identity of the listener. */
  readonly key: string
  readonly protocol: 'TCP' | 'UDP'
  readonly host: string
  readonly port: number
  /** For logs: `namespace/name:portname`. */
  readonly name: string
  /** Whose port it is. */
  readonly service: Service
  /** Sorted; empty: connections are refused. */
  readonly backends: readonly Backend[]
  /** Keep a client on its backend for this long; absent: no affinity. */
  readonly affinityMs?: number
}

/** The node whose sockets are planned. */
export interface ProxyNode {
  readonly name: string
  /** Where node ports are opened. */
  readonly addresses: readonly string[]
}

const SERVICE_NAME = 'kubernetes.io/service-name'
const DEFAULT_AFFINITY_S = 10_800

/**
 * Which sockets a node must open for its services: cluster IPs always, node ports on the node's addresses. Headless and
 * ExternalName services need none; SCTP is left to the kernel data plane. Only ready endpoints serve; while there is
 * none, those that are terminating but still serving do (KEP-1669). Pure.
 */
export function planServicePorts(
  services: readonly Service[],
  slices: readonly EndpointSlice[],
  node: ProxyNode,
): Map<string, ServicePort> {
  const byService = new Map<string, EndpointSlice[]>()
  for (const slice of slices) {
    if (slice.addressType === 'FQDN') continue
    const key = `${slice.metadata.namespace}/${slice.metadata.labels?.[SERVICE_NAME] ?? ''}`
    const known = byService.get(key)
    if (known) known.push(slice)
    else byService.set(key, [slice])
  }
  const plan = new Map<string, ServicePort>()
  for (const service of services) {
    const id = `${service.metadata.namespace}/${service.metadata.name}`
    for (const entry of portsOf(service, byService.get(id) ?? [], node)) plan.set(entry.key, entry)
  }
  return plan
}

function portsOf(service: Service, slices: readonly EndpointSlice[], node: ProxyNode): ServicePort[] {
  const spec = service.spec
  const hosts = (spec?.clusterIPs ?? [spec?.clusterIP ?? '']).filter((ip) => ip !== '' && ip !== 'None')
  if (!spec || spec.type === 'ExternalName' || hosts.length === 0) return []
  const affinityMs =
    spec.sessionAffinity === 'ClientIP' ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? DEFAULT_AFFINITY_S) * 1000 : undefined
  return (spec.ports ?? []).flatMap((port) => {
    const protocol = port.protocol ?? 'TCP'
    if (protocol !== 'TCP' && protocol !== 'UDP') return []
    const backends = (local: boolean): Backend[] =>
      backendsOf(slices, { portName: port.name ?? '', protocol, ...(local ? { nodeName: node.name } : {}) })
    const entry = (host: string, number: number, local: boolean): ServicePort => ({
      key: `${protocol}/${host}:${number}`,
      protocol,
      host,
      port: number,
      name: `${service.metadata.namespace}/${service.metadata.name}${port.name ? `:${port.name}` : ''}`,
      service,
      backends: backends(local),
      ...(affinityMs === undefined ? {} : { affinityMs }),
    })
    const { nodePort } = port
    const inside = hosts.map((host) => entry(host, port.port, spec.internalTrafficPolicy === 'Local'))
    const outside = nodePort ? node.addresses.map((host) => entry(host, nodePort, spec.externalTrafficPolicy === 'Local')) : []
    return [...inside, ...outside]
  })
}

interface BackendSelection {
  readonly portName: string
  readonly protocol: string
  /** Only endpoints on this node. */
  readonly nodeName?: string
}

function backendsOf(slices: readonly EndpointSlice[], { portName, protocol, nodeName }: BackendSelection): Backend[] {
  const ready = new Map<string, Backend>()
  const terminating = new Map<string, Backend>()
  for (const slice of slices) {
    const port = (slice.ports ?? []).find(
      (candidate) => (candidate.name ?? '') === portName && (candidate.protocol ?? 'TCP') === protocol,
    )?.port
    if (port === undefined) continue
    for (const endpoint of slice.endpoints ?? []) {
      if (nodeName !== undefined && endpoint.nodeName !== nodeName) continue
      const conditions = endpoint.conditions ?? {}
      const pool = (conditions.ready ?? true) ? ready : conditions.serving && conditions.terminating ? terminating : undefined
      for (const host of endpoint.addresses) pool?.set(`${host}:${port}`, { host, port })
    }
  }
  const pool = ready.size > 0 ? ready : terminating
  return [...pool.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, backend]) => backend)
}
