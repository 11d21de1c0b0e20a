import type { Endpoint, EndpointSlice, Service, ServicePort } from '../../../api/generated/types.ts'
import { formatIp, formatPrefix, parseIp, parsePrefix, prefixContains } from '../../../base/ip.ts'
import { selectEndpoints, type CandidateEndpoint, type EndpointSelection } from './select-endpoints.ts'
import { frontendKey, type Frontend, type FrontendKind, type HealthCheck, type ServiceNode, type ServiceProtocol } from './service-table.ts'

/** One service, compiled. */
export interface CompiledService {
  readonly frontends: readonly Frontend[]
  readonly healthCheck?: HealthCheck
}

const DEFAULT_AFFINITY_S = 10_800
const NOTHING: CompiledService = { frontends: [] }
/** Someone else's proxy serves it. */
const PROXY_NAME = 'service.kubernetes.io/service-proxy-name'

/**
 * What a node serves for one service: cluster IPs, load-balancer addresses (ingress IPs whose mode is not Proxy), external IPs and node ports, of both
 * families. Headless and ExternalName services are DNS only and have none. `publishNotReadyAddresses` needs nothing here: its slices say ready. Pure.
 * @param slices those of this service
 */
export function compileService(service: Service, slices: readonly EndpointSlice[], node: ServiceNode): CompiledService {
  const { spec } = service
  const clusterIps = addressesOf(spec?.clusterIPs ?? [spec?.clusterIP ?? ''])
  if (!spec || spec.type === 'ExternalName' || clusterIps.length === 0 || service.metadata.labels?.[PROXY_NAME] !== undefined)
    return NOTHING
  const name = `${service.metadata.namespace}/${service.metadata.name}`
  const shown = spec.type === 'LoadBalancer' ? (service.status?.loadBalancer?.ingress ?? []) : []
  const balancerIps = addressesOf(shown.flatMap(({ ip, ipMode }) => (ip && ipMode !== 'Proxy' ? [ip] : [])))
  const isExposed = spec.type === 'NodePort' || spec.type === 'LoadBalancer'
  const nodeIps = isExposed ? addressesOf(node.addresses) : []
  const externalIps = addressesOf(spec.externalIPs ?? [])
  const affinitySeconds =
    spec.sessionAffinity === 'ClientIP' ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? DEFAULT_AFFINITY_S) : undefined
  const externalLocal = spec.externalTrafficPolicy === 'Local' && (isExposed || externalIps.length > 0)
  const internalLocal = spec.internalTrafficPolicy === 'Local'
  const families = new Set(clusterIps.map(familyOf))
  const frontends: Frontend[] = []
  const localHosts = new Set<string>()

  for (const port of spec.ports ?? []) {
    const protocol = (port.protocol ?? 'TCP') as ServiceProtocol
    const selections = new Map<4 | 6, EndpointSelection>()
    for (const family of families) {
      const selection = selectEndpoints(candidatesOf(slices, { port, protocol, family }), node)
      selections.set(family, selection)
      for (const { address } of selection.local.backends) localHosts.add(address)
    }
    const add = (kind: FrontendKind, address: string, number: number): void => {
      const family = familyOf(address)
      const selection = selections.get(family)
      if (!selection) return
      const isLocal = kind === 'ClusterIP' ? internalLocal : externalLocal
      const inside = kind === 'ClusterIP' && isLocal ? selection.local : selection.cluster
      const ranges = kind === 'LoadBalancer' ? rangesOf(spec.loadBalancerSourceRanges ?? [], family) : undefined
      frontends.push({
        key: frontendKey(protocol, address, number),
        family,
        address,
        protocol,
        port: number,
        kind,
        service: port.name ? `${name}:${port.name}` : name,
        policy: isLocal ? 'Local' : 'Cluster',
        inside,
        outside: isLocal ? selection.local : inside,
        ...(affinitySeconds === undefined ? {} : { affinitySeconds }),
        ...(ranges ? { sourceRanges: ranges } : {}),
        keepsSource: isLocal && kind !== 'ClusterIP',
      })
    }
    for (const ip of clusterIps) add('ClusterIP', ip, port.port)
    for (const ip of balancerIps) add('LoadBalancer', ip, port.port)
    for (const ip of externalIps) add('ExternalIP', ip, port.port)
    if (port.nodePort) for (const ip of nodeIps) add('NodePort', ip, port.nodePort)
  }
  const needsCheck = spec.type === 'LoadBalancer' && externalLocal && (spec.healthCheckNodePort ?? 0) > 0
  if (!needsCheck) return { frontends }
  return {
    frontends,
    healthCheck: {
      namespace: service.metadata.namespace ?? '',
      name: service.metadata.name,
      port: spec.healthCheckNodePort as number,
      localEndpoints: localHosts.size,
    },
  }
}

const familyOf = (address: string): 4 | 6 => (address.includes(':') ? 6 : 4)

/** The addresses that are ones, each once, in one spelling. */
function addressesOf(texts: readonly string[]): string[] {
  const found = new Set<string>()
  for (const text of texts) {
    const address = canonical(text)
    if (address !== undefined) found.add(address)
  }
  return [...found]
}

/** An address in its one spelling, which IPv4 has only one of; undefined: it is none. */
function canonical(text: string): string | undefined {
  const bytes = parseIp(text)
  return bytes?.length === 4 ? text : bytes && formatIp(bytes)
}

/** Ranges of one family, none within another; undefined: anyone may send. Ranges of the other family alone restrict nobody, as upstream has it. */
function rangesOf(texts: readonly string[], family: 4 | 6): readonly string[] | undefined {
  const ranges = texts.flatMap((text) => parsePrefix(text.trim()) ?? []).filter((prefix) => prefix.family === family)
  if (ranges.length === 0 || ranges.some(({ length }) => length === 0)) return undefined
  const widest = ranges.filter((range) => !ranges.some((other) => other.length < range.length && prefixContains(other, range)))
  return [...new Set(widest.map(formatPrefix))].sort()
}

interface Selected {
  readonly port: ServicePort
  readonly protocol: ServiceProtocol
  readonly family: 4 | 6
}

function candidatesOf(slices: readonly EndpointSlice[], { port, protocol, family }: Selected): CandidateEndpoint[] {
  const found = new Map<string, CandidateEndpoint>()
  for (const slice of slices) {
    if (slice.addressType !== (family === 4 ? 'IPv4' : 'IPv6')) continue
    const number = (slice.ports ?? []).find(
      (candidate) => (candidate.name ?? '') === (port.name ?? '') && (candidate.protocol ?? 'TCP') === protocol,
    )?.port
    if (number === undefined) continue
    for (const endpoint of slice.endpoints ?? []) {
      // consumers use the first address only (discovery/v1)
      const address = canonical(endpoint.addresses[0] ?? '')
      if (address === undefined) continue
      const candidate = candidateOf(endpoint, address, number)
      const key = `${candidate.address}|${number}`
      const known = found.get(key)
      // while an endpoint moves between slices it is in both: the better state counts
      if (!known || rank(candidate) > rank(known)) found.set(key, candidate)
    }
  }
  return [...found.values()]
}

function candidateOf(endpoint: Endpoint, address: string, port: number): CandidateEndpoint {
  const { ready = true, serving = true, terminating = false } = endpoint.conditions ?? {}
  return {
    address,
    port,
    ready,
    servesWhileEnding: serving && terminating,
    ...(endpoint.nodeName === undefined ? {} : { nodeName: endpoint.nodeName }),
    zoneHints: (endpoint.hints?.forZones ?? []).map(({ name }) => name),
    nodeHints: (endpoint.hints?.forNodes ?? []).map(({ name }) => name),
  }
}

function rank({ ready, servesWhileEnding }: CandidateEndpoint): number {
  if (ready) return 2
  return servesWhileEnding ? 1 : 0
}
