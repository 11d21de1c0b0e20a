import type { Service } from '../../../api/generated/types.ts'
import { services } from '../../../api/core/v1/service.ts'
import { addressAt, offsetIn, parseIpv4Range, type Ipv4Range } from '../../../base/cidr.ts'
import type { Store } from '../../store/contract.ts'
import { invalid, type AdmissionOutcome, type AdmissionPlugin, type AdmissionRequest } from '../registry/index.ts'

export interface ServiceAllocatorOptions {
  readonly store: Store
  /** IPv4 CIDR of service addresses, such as `127.96.0.0/16`. */
  readonly serviceCidr: string
  /** Inclusive. Default 30000 to 32767. */
  readonly nodePorts?: { readonly from: number; readonly to: number }
  /** 0 <= x < 1. */
  readonly random: () => number
}

export const SERVICE_IPS = '/biplane/allocations/service-ips/'
export const NODE_PORTS = '/biplane/allocations/node-ports/'
/** The first address of the range belongs to the service `kubernetes`. */
export const API_SERVICE_OFFSET = 1

/** Values that are taken, and the store keys that say so. */
interface Claims {
  readonly keys: Set<string>
}

/**
 * Gives services their addresses and node ports. What is given out is a key in the store, written with the service in
 * one transaction and compared to be absent: two servers, or a crash, can never give one value twice. The plugin's own
 * memory only helps to guess a free one.
 */
export async function createServiceAllocator(options: ServiceAllocatorOptions): Promise<AdmissionPlugin> {
  const range = parseIpv4Range(options.serviceCidr)
  if (!range || range.size < 8)
    throw new Error(`service address range "${options.serviceCidr}" is not an IPv4 CIDR of at least 8 addresses`)
  const ports = options.nodePorts ?? { from: 30_000, to: 32_767 }
  const taken: Claims = { keys: new Set() }
  for (const prefix of [SERVICE_IPS, NODE_PORTS]) for (const { key } of (await options.store.list(prefix)).items) taken.keys.add(key)

  const freeAddress = (): string | undefined =>
    pick(
      range.size - 2,
      options.random,
      (offset) => addressAt(range, offset + 1),
      (address) => offsetIn(range, address) !== API_SERVICE_OFFSET && !taken.keys.has(SERVICE_IPS + address),
    )
  const freePort = (): number | undefined =>
    pick(
      ports.to - ports.from + 1,
      options.random,
      (offset) => ports.from + offset,
      (port) => !taken.keys.has(NODE_PORTS + port),
    )

  return {
    name: 'ServiceAllocator',
    resources: ['services'],
    operations: ['CREATE', 'UPDATE', 'DELETE'],
    async admit(request) {
      const service = request.object as Service
      const before = new Set(request.operation === 'CREATE' ? [] : claimsOf((request.previous ?? request.object) as Service))
      if (request.operation === 'DELETE') return outcome(request, taken, [], [...before])
      keepAssigned(service, request.previous as Service | undefined)
      assignAddress(service, { range, text: options.serviceCidr }, freeAddress)
      assignPorts(service, ports, freePort)
      const after = claimsOf(service)
      const added = after.filter((key) => !before.has(key))
      refuseTaken(service, added, taken)
      return outcome(
        request,
        taken,
        added,
        [...before].filter((key) => !after.includes(key)),
      )
    },
  }
}

/** Store keys of everything a service holds. */
export function claimsOf(service: Service): string[] {
  const spec = service.spec
  if (!spec || spec.type === 'ExternalName') return []
  const addresses = (spec.clusterIPs ?? [spec.clusterIP ?? '']).filter((ip) => ip !== '' && ip !== 'None')
  const ports = (spec.ports ?? []).map((port) => port.nodePort).filter((port) => port !== undefined && port !== 0)
  return [...addresses.map((address) => SERVICE_IPS + address), ...new Set(ports.map((port) => `${NODE_PORTS}${port}`))]
}

/** An update that leaves assigned values out keeps them, as long as the type still has them. */
function keepAssigned(service: Service, previous: Service | undefined): void {
  const [spec, old] = [service.spec, previous?.spec]
  if (!spec || !old || spec.type === 'ExternalName' || old.type === 'ExternalName') return
  if (!spec.clusterIP && old.clusterIP) {
    spec.clusterIP = old.clusterIP
    spec.clusterIPs = old.clusterIPs
  }
  if (!hasNodePorts(spec.type)) {
    for (const port of spec.ports ?? []) delete port.nodePort
    return
  }
  for (const port of spec.ports ?? []) {
    const match = old.ports?.find((candidate) => candidate.port === port.port && (candidate.protocol ?? 'TCP') === (port.protocol ?? 'TCP'))
    if (!port.nodePort && match?.nodePort) port.nodePort = match.nodePort
  }
}

function assignAddress(
  service: Service,
  { range, text }: { readonly range: Ipv4Range; readonly text: string },
  free: () => string | undefined,
): void {
  const spec = service.spec
  if (!spec || spec.type === 'ExternalName') return
  refuseOtherFamilies(service)
  if (spec.clusterIP === 'None') return
  if (spec.clusterIP) {
    const offset = offsetIn(range, spec.clusterIP)
    // the first and the last address of a range are its network and its broadcast address
    if (offset === undefined || offset === 0 || offset === range.size - 1) {
      const why = `the provided IP (${spec.clusterIP}) is not in the valid range. The range of valid IPs is ${text}`
      throw refused(service, 'spec.clusterIPs', [spec.clusterIP], `failed to allocate IP ${spec.clusterIP}: ${why}`)
    }
  } else {
    const address = free()
    if (address === undefined) throw refused(service, 'spec.clusterIPs', [], 'failed to allocate a serviceIP: range is full')
    spec.clusterIP = address
  }
  spec.clusterIPs = [spec.clusterIP]
  spec.ipFamilies = ['IPv4']
  spec.ipFamilyPolicy ??= 'SingleStack'
}

/** There are IPv4 addresses only: what asks for others is told so, and not given something else in silence. */
function refuseOtherFamilies(service: Service): void {
  const { ipFamilies = [], ipFamilyPolicy } = service.spec ?? {}
  const index = ipFamilies.findIndex((family) => family !== 'IPv4')
  if (index >= 0) throw refused(service, `spec.ipFamilies[${index}]`, ipFamilies[index], 'not configured on this cluster')
  if (ipFamilyPolicy === 'RequireDualStack')
    throw refused(service, 'spec.ipFamilyPolicy', ipFamilyPolicy, 'this cluster is not configured for dual-stack services')
}

function assignPorts(service: Service, range: { readonly from: number; readonly to: number }, free: () => number | undefined): void {
  const spec = service.spec
  if (!spec || !hasNodePorts(spec.type) || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts === false)) return
  const own = new Set<number>()
  for (const [index, port] of (spec.ports ?? []).entries()) {
    if (port.nodePort) {
      if (port.nodePort < range.from || port.nodePort > range.to)
        throw refused(
          service,
          `spec.ports[${index}].nodePort`,
          port.nodePort,
          `provided port is not in the valid range. The range of valid ports is ${range.from}-${range.to}`,
        )
    } else {
      let candidate = free()
      for (let tries = 0; candidate !== undefined && own.has(candidate) && tries < 16; tries++) candidate = free()
      if (candidate === undefined)
        throw refused(service, `spec.ports[${index}].nodePort`, 0, 'failed to allocate a nodePort: range is full')
      port.nodePort = candidate
    }
    own.add(port.nodePort)
  }
}

function refuseTaken(service: Service, added: readonly string[], taken: Claims): void {
  for (const key of added) {
    if (!taken.keys.has(key)) continue
    const value = key.slice(key.lastIndexOf('/') + 1)
    if (key.startsWith(NODE_PORTS)) {
      const index = (service.spec?.ports ?? []).findIndex((port) => String(port.nodePort) === value)
      throw refused(service, `spec.ports[${index}].nodePort`, Number(value), 'provided port is already allocated')
    }
    throw refused(service, 'spec.clusterIPs', [value], `failed to allocate IP ${value}: provided IP is already allocated`)
  }
}

/** Remembered at once, so that parallel requests do not guess alike; taken back when the write fails. */
function outcome(request: AdmissionRequest, taken: Claims, added: readonly string[], released: readonly string[]): AdmissionOutcome {
  for (const key of added) taken.keys.add(key)
  const owner = Buffer.from(`${request.namespace}/${request.name}`)
  return {
    compares: added.map((key) => ({ key, op: '=', revision: 0n })),
    writes: [
      ...added.map((key) => ({ type: 'put', key, value: owner }) as const),
      ...released.map((key) => ({ type: 'delete', key }) as const),
    ],
    commit: () => {
      for (const key of released) taken.keys.delete(key)
    },
    rollback: () => {
      for (const key of added) taken.keys.delete(key)
    },
  }
}

const hasNodePorts = (type: string | undefined): boolean => type === 'NodePort' || type === 'LoadBalancer'

function refused(service: Service, field: string, value: unknown, why: string): Error {
  return invalid(services, service.metadata.name, [
    { type: 'FieldValueInvalid', field, message: `Invalid value: ${JSON.stringify(value)}: ${why}` },
  ])
}

/** A random free value; when guessing fails, the first free one. */
function pick<T>(count: number, random: () => number, make: (offset: number) => T, isFree: (value: T) => boolean): T | undefined {
  for (let guess = 0; guess < 32; guess++) {
    const value = make(Math.floor(random() * count))
    if (isFree(value)) return value
  }
  for (let offset = 0; offset < count; offset++) {
    const value = make(offset)
    if (isFree(value)) return value
  }
  return undefined
}
