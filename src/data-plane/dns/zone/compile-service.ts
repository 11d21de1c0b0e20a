import { formatIp, parseIp, type IpBytes } from '../../../base/ip.ts'
import type { Endpoint, EndpointSlice, Service } from '../../../api/generated/types.ts'
import { TYPE } from '../wire/codes.ts'
import { record, recordData } from '../wire/encode.ts'
import type { DnsRecord } from '../wire/message.ts'
import { lowerName, parseName, prepend, type WireName } from '../wire/name.ts'
import { reverseName } from './reverse-name.ts'

/** Records of one name by type; a name with none of a type that is asked for answers "no data". */
export type RecordSet = ReadonlyMap<number, readonly DnsRecord[]>

/** What one service adds to the zone. Keys are in lower case. */
export interface ServiceRecords {
  readonly names: ReadonlyMap<WireName, RecordSet>
  /** Reverse name to names. */
  readonly pointers: ReadonlyMap<WireName, readonly WireName[]>
}

export interface ServiceZoneOptions {
  /** Such as `cluster.local`, in lower case. */
  readonly domain: WireName
  /** Seconds. */
  readonly ttl: number
}

const NONE: ServiceRecords = { names: new Map(), pointers: new Map() }

/**
 * The records of one service. Pure. `slices` are the slices that belong to it.
 * Source: Kubernetes DNS-based service discovery, sections 2.3 to 2.5.
 */
export function compileService(service: Service, slices: readonly EndpointSlice[], options: ServiceZoneOptions): ServiceRecords {
  const { name, namespace = '' } = service.metadata
  const spec = service.spec ?? {}
  const own = prepend(name, prepend(namespace, prepend('svc', options.domain)))
  const records = new RecordBuilder(options.ttl)
  if (spec.type === 'ExternalName') {
    const target = parseName(spec.externalName ?? '')
    if (target === undefined || target === '\0') return NONE
    records.add(own, TYPE.CNAME, recordData.name(target))
    return records.built()
  }
  const addresses = (spec.clusterIPs ?? [spec.clusterIP ?? '']).filter((ip) => ip !== '')
  if (spec.clusterIP === 'None') addHeadless(own, slices, { records, unready: spec.publishNotReadyAddresses === true })
  else addClusterIps(own, service, { records, addresses: addresses.flatMap((ip) => parseIp(ip) ?? []) })
  return records.built()
}

interface Target {
  readonly records: RecordBuilder
}

function addClusterIps(own: WireName, service: Service, { records, addresses }: Target & { readonly addresses: readonly IpBytes[] }): void {
  // not given an address yet
  if (addresses.length === 0) return
  for (const address of addresses) {
    records.address(own, address)
    records.pointer(address, own)
  }
  for (const port of service.spec?.ports ?? []) {
    if (!port.name) continue
    records.add(serviceName(port.name, port.protocol, own), TYPE.SRV, recordData.srv(0, 100, port.port, own))
  }
}

function addHeadless(own: WireName, slices: readonly EndpointSlice[], { records, unready }: Target & { readonly unready: boolean }): void {
  const servers = new Map<WireName, Map<string, { readonly port: number; readonly target: WireName }>>()
  for (const slice of slices) {
    if (slice.addressType !== 'IPv4' && slice.addressType !== 'IPv6') continue
    for (const endpoint of slice.endpoints ?? []) {
      if (!unready && endpoint.conditions?.ready === false) continue
      for (const text of endpoint.addresses) {
        const address = parseIp(text)
        if (!address) continue
        const target = prepend(hostnameOf(endpoint, address), own)
        records.address(own, address)
        records.address(target, address)
        records.pointer(address, target)
        for (const port of slice.ports ?? []) {
          if (!port.name || port.port === undefined) continue
          const name = serviceName(port.name, port.protocol, own)
          const known = servers.get(name) ?? new Map<string, { readonly port: number; readonly target: WireName }>()
          servers.set(name, known)
          // an endpoint with both families has one server record
          known.set(`${port.port}/${target}`, { port: port.port, target })
        }
      }
    }
  }
  for (const [name, known] of servers) {
    // together they weigh about as much as the one of a service with an address
    const weight = Math.max(1, Math.floor(100 / known.size))
    for (const { port, target } of known.values()) records.add(name, TYPE.SRV, recordData.srv(0, weight, port, target))
  }
}

const serviceName = (port: string, protocol: string | undefined, own: WireName): WireName =>
  prepend(`_${port}`, prepend(`_${(protocol ?? 'TCP').toLowerCase()}`, own))

/** What an endpoint is called below its service: its hostname, or its address with dashes, as CoreDNS does. */
function hostnameOf(endpoint: Endpoint, address: IpBytes): string {
  return endpoint.hostname ? endpoint.hostname : formatIp(address).replaceAll(/[.:]/g, '-')
}

class RecordBuilder {
  readonly #ttl: number
  readonly #names = new Map<WireName, Map<number, DnsRecord[]>>()
  readonly #pointers = new Map<WireName, WireName[]>()
  readonly #seen = new Set<string>()

  constructor(ttl: number) {
    this.#ttl = ttl
  }

  add(name: WireName, type: number, data: Uint8Array): void {
    const key = lowerName(name)
    const identity = `${type} ${key} ${Buffer.from(data).toString('latin1')}`
    // the same endpoint may be in two slices for a moment
    if (this.#seen.has(identity)) return
    this.#seen.add(identity)
    const types = this.#names.get(key) ?? new Map<number, DnsRecord[]>()
    this.#names.set(key, types)
    const records = types.get(type)
    if (records) records.push(record(name, type, this.#ttl, data))
    else types.set(type, [record(name, type, this.#ttl, data)])
  }

  address(name: WireName, address: IpBytes): void {
    this.add(name, address.length === 4 ? TYPE.A : TYPE.AAAA, address)
  }

  pointer(address: IpBytes, target: WireName): void {
    const key = reverseName(address)
    const known = this.#pointers.get(key)
    if (!known) this.#pointers.set(key, [target])
    else if (!known.includes(target)) known.push(target)
  }

  built(): ServiceRecords {
    return { names: this.#names, pointers: this.#pointers }
  }
}
