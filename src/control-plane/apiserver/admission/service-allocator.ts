import type { Service } from '../../../api/generated/types.ts'
import { services } from '../../../api/core/v1/service.ts'
import { FieldErrors } from '../../../api/validation/field-errors.ts'
import { isHeadless } from '../../../api/validation/service.ts'
import type { Store } from '../../store/contract.ts'
import { invalid, type AdmissionOutcome, type AdmissionPlugin, type AdmissionRequest } from '../registry/index.ts'
import { planFamilies } from './plan-families.ts'
import { planNodePorts } from './plan-node-ports.ts'
import {
  canonicalAddress,
  isServiceAddress,
  parseServiceRanges,
  reservedShare,
  serviceAddressAt,
  type ServiceRange,
} from './service-ranges.ts'

export interface ServiceAllocatorOptions {
  readonly store: Store
  /** CIDRs of service addresses, such as `10.96.0.0/16,fd00:10:96::/112`: one per family, the first is the default. */
  readonly serviceCidr: string
  /** Inclusive. Default 30000 to 32767. */
  readonly nodePorts?: PortRange
  /** 0 <= x < 1. */
  readonly random: () => number
}

interface PortRange {
  readonly from: number
  readonly to: number
}

export const SERVICE_IPS = '/biplane/allocations/service-ips/'
export const NODE_PORTS = '/biplane/allocations/node-ports/'

/** Values that are taken, and the store keys that say so. */
interface Claims {
  readonly keys: Set<string>
}

interface Pools {
  readonly ranges: readonly ServiceRange[]
  readonly nodePorts: PortRange
  readonly taken: Claims
  readonly random: () => number
}

/** The address of the service `kubernetes`: the first of a range. No other service is given it unasked. */
export function apiServiceAddress(range: ServiceRange): string {
  return serviceAddressAt(range, 0)
}

/**
 * Gives services their families, addresses and node ports. What is given out is a key in the store, written with the service in
 * one transaction and compared to be absent: two servers, or a crash, can never give one value twice. The plugin's own
 * memory only helps to guess a free one. @throws ServiceCidrError
 */
export async function createServiceAllocator(options: ServiceAllocatorOptions): Promise<AdmissionPlugin> {
  const ranges = parseServiceRanges(options.serviceCidr)
  const taken: Claims = { keys: new Set() }
  for (const prefix of [SERVICE_IPS, NODE_PORTS]) for (const { key } of (await options.store.list(prefix)).items) taken.keys.add(key)
  const pools: Pools = { ranges, taken, random: options.random, nodePorts: options.nodePorts ?? { from: 30_000, to: 32_767 } }

  return {
    name: 'ServiceAllocator',
    resources: ['services'],
    operations: ['CREATE', 'UPDATE', 'DELETE'],
    async admit(request) {
      const service = request.object as Service
      const before = new Set(request.operation === 'CREATE' ? [] : claimsOf((request.previous ?? request.object) as Service))
      if (request.operation === 'DELETE') return outcome(request, taken, [], [...before])
      assignFamilies(service, request.previous as Service | undefined, pools)
      assignAddresses(service, before, pools)
      assignPorts(service, before, pools)
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
  const ports = [...(spec.ports ?? []).map((port) => port.nodePort), spec.healthCheckNodePort].filter(Boolean)
  return [...new Set([...addresses.map(ipKey), ...ports.map((port) => `${NODE_PORTS}${port}`)])]
}

const ipKey = (address: string): string => SERVICE_IPS + canonicalAddress(address)

function assignFamilies(service: Service, previous: Service | undefined, { ranges }: Pools): void {
  const configured = ranges.map(({ family }) => family)
  const { plan, errors } = planFamilies(service, previous, configured)
  if (errors.length > 0) throw invalid(services, service.metadata.name, errors)
  if (plan && service.spec) Object.assign(service.spec, plan)
}

function assignAddresses(service: Service, held: ReadonlySet<string>, pools: Pools): void {
  const spec = service.spec
  if (!spec || spec.type === 'ExternalName' || isHeadless(spec)) return
  const addresses: string[] = []
  for (const [i, family] of (spec.ipFamilies ?? []).entries()) {
    const given = spec.clusterIPs?.[i]
    const range = pools.ranges.find((one) => one.family === family)
    if (given === undefined) {
      const address = range && freeAddress(range, pools)
      if (address === undefined) throw refused(service, 'spec.clusterIPs', addresses, 'failed to allocate a serviceIP: range is full')
      addresses.push(address)
      continue
    }
    // what it has it keeps, even when the cluster's ranges are others by now
    if (!held.has(ipKey(given)) && !(range && isServiceAddress(range, given))) {
      const valid = `The range of valid IPs is ${range?.text ?? 'none'}`
      const why = `the provided IP (${given}) is not in the valid range. ${valid}`
      throw refused(service, 'spec.clusterIPs', spec.clusterIPs, `failed to allocate IP ${given}: ${why}`)
    }
    addresses.push(given)
  }
  spec.clusterIPs = addresses
  spec.clusterIP = addresses[0]
}

function freeAddress(range: ServiceRange, { taken, random, ranges }: Pools): string | undefined {
  const first = range === ranges[0] ? 1 : 0
  const isFree = (address: string): boolean => !taken.keys.has(SERVICE_IPS + address)
  return pick(
    { from: first, upper: Math.max(range.reserved, first), to: range.count },
    random,
    (offset) => serviceAddressAt(range, offset),
    isFree,
  )
}

function assignPorts(service: Service, held: ReadonlySet<string>, pools: Pools): void {
  const spec = service.spec
  if (!spec) return
  const { from, to } = pools.nodePorts
  const own = new Set<number>()
  const check = (field: string, port: number | undefined): void => {
    if (!port) return
    own.add(port)
    if ((port >= from && port <= to) || held.has(`${NODE_PORTS}${port}`)) return
    throw refused(service, field, port, `provided port is not in the valid range. The range of valid ports is ${from}-${to}`)
  }
  if (spec.type !== 'ClusterIP' && spec.type !== 'ExternalName') {
    spec.ports?.forEach((port, i) => check(`spec.ports[${i}].nodePort`, port.nodePort))
    // both would be served on the node: one of them hides the other
    if (spec.healthCheckNodePort && own.has(spec.healthCheckNodePort))
      throw refused(service, 'spec.healthCheckNodePort', spec.healthCheckNodePort, 'provided port is already allocated')
    check('spec.healthCheckNodePort', spec.healthCheckNodePort)
  }
  for (const { index, sameAs } of planNodePorts(spec)) {
    const shared = sameAs === undefined ? undefined : spec.ports?.[sameAs]?.nodePort
    const found = shared ?? freePort(pools, own)
    const field = index === undefined ? 'spec.healthCheckNodePort' : `spec.ports[${index}].nodePort`
    if (found === undefined) throw refused(service, field, 0, 'failed to allocate a nodePort: range is full')
    own.add(found)
    const port = index === undefined ? undefined : spec.ports?.[index]
    if (port) port.nodePort = found
    else spec.healthCheckNodePort = found
  }
}

function freePort({ nodePorts, taken, random }: Pools, own: ReadonlySet<number>): number | undefined {
  const count = nodePorts.to - nodePorts.from + 1
  const upper = reservedShare(count, { step: 32, max: 128 })
  const isFree = (port: number): boolean => !own.has(port) && !taken.keys.has(`${NODE_PORTS}${port}`)
  return pick({ from: 0, upper, to: count }, random, (offset) => nodePorts.from + offset, isFree)
}

function refuseTaken(service: Service, added: readonly string[], taken: Claims): void {
  for (const key of added) {
    if (!taken.keys.has(key)) continue
    const value = key.slice(key.lastIndexOf('/') + 1)
    if (key.startsWith(NODE_PORTS)) {
      const index = (service.spec?.ports ?? []).findIndex((port) => String(port.nodePort) === value)
      const field = index < 0 ? 'spec.healthCheckNodePort' : `spec.ports[${index}].nodePort`
      throw refused(service, field, Number(value), 'provided port is already allocated')
    }
    throw refused(service, 'spec.clusterIPs', service.spec?.clusterIPs, `failed to allocate IP ${value}: provided IP is already allocated`)
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

function refused(service: Service, field: string, value: unknown, why: string): Error {
  const errors = new FieldErrors()
  errors.invalid(field, value, why)
  return invalid(services, service.metadata.name, errors.list)
}

interface Offsets {
  readonly from: number
  /** Where those that are preferred begin; what is before is for choices by hand. */
  readonly upper: number
  /** Exclusive. */
  readonly to: number
}

/** A random free value of the preferred part; when guessing fails the first free one there, then one of the other part. */
function pick<T>(
  { from, upper, to }: Offsets,
  random: () => number,
  make: (offset: number) => T,
  isFree: (value: T) => boolean,
): T | undefined {
  const guesses = upper < to ? 32 : 0
  for (let guess = 0; guess < guesses; guess++) {
    const value = make(upper + Math.floor(random() * (to - upper)))
    if (isFree(value)) return value
  }
  for (const [first, end] of [
    [upper, to],
    [from, upper],
  ] as const) {
    for (let offset = first; offset < end; offset++) {
      const value = make(offset)
      if (isFree(value)) return value
    }
  }
  return undefined
}
