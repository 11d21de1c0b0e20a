import type { IpPrefix } from '../../../base/ip.ts'
import type { EndpointSlice, Service } from '../../../api/generated/types.ts'
import { TYPE } from '../wire/codes.ts'
import { record, recordData } from '../wire/encode.ts'
import type { DnsRecord } from '../wire/message.ts'
import { parentOf, prepend, type WireName } from '../wire/name.ts'
import { compileService, type RecordSet, type ServiceRecords, type ServiceZoneOptions } from './compile-service.ts'

export interface ZoneOptions extends ServiceZoneOptions {
  /** Addresses of pods and services: who in there is not known does not exist, and nobody else is asked. */
  readonly reverseRanges?: readonly IpPrefix[]
  /** Where this server itself can be asked: what the zone's NS record leads to. */
  readonly serverAddresses?: readonly Uint8Array[]
  /** Default `insecure`: every `a-b-c-d.<namespace>.pod` is the address that it says, as the specification demands. */
  readonly pods?: 'disabled' | 'insecure'
}

/** What is known of the cluster at one moment, as `answer` looks at it. */
export interface ZoneSnapshot {
  readonly options: ZoneOptions
  /** Grows with each change. */
  readonly serial: number
  /** Records of a name (lower case): empty when only names below it have some, undefined when there is no such name. */
  find(name: WireName): RecordSet | undefined
  /** Names of the owner of a reverse name. */
  pointersOf(name: WireName): readonly WireName[]
}

/** TTL of the version record, which never changes. */
const VERSION_TTL_S = 28_800
/** The version of the schema that is implemented. */
export const DNS_SCHEMA_VERSION = '1.1.0'

/** The zone's own records: SOA, NS and the version. */
function apexRecords(options: ZoneOptions): ReadonlyMap<WireName, RecordSet> {
  const { domain, ttl, serverAddresses = [] } = options
  const server = prepend('ns', prepend('dns', domain))
  const version = prepend('dns-version', domain)
  const addresses = (length: number, type: number): [number, DnsRecord[]][] => {
    const found = serverAddresses.filter((address) => address.length === length)
    return found.length === 0 ? [] : [[type, found.map((address) => record(server, type, ttl, address))]]
  }
  return new Map<WireName, RecordSet>([
    [domain, new Map([[TYPE.NS, [record(domain, TYPE.NS, ttl, recordData.name(server))]]])],
    [server, new Map([...addresses(4, TYPE.A), ...addresses(16, TYPE.AAAA)])],
    [version, new Map([[TYPE.TXT, [record(version, TYPE.TXT, VERSION_TTL_S, recordData.text(DNS_SCHEMA_VERSION))]]])],
  ])
}

const EMPTY: RecordSet = new Map()

/** The cluster's zone, put together of what each service adds. A change costs as much as the service that changed. */
export class ClusterZone implements ZoneSnapshot {
  readonly options: ZoneOptions
  #serial = 1
  readonly #parts = new Map<string, ServiceRecords>()
  readonly #names = new Map<WireName, RecordSet>()
  /** How many names stand below a name: those exist too, without records (RFC 8020). */
  readonly #below = new Map<WireName, number>()
  readonly #pointers = new Map<WireName, Map<string, readonly WireName[]>>()

  constructor(options: ZoneOptions) {
    this.options = options
    this.#enter('', { names: apexRecords(options), pointers: new Map() })
  }

  get serial(): number {
    return this.#serial
  }

  /** Services that have records. */
  get size(): number {
    return this.#parts.size
  }

  find(name: WireName): RecordSet | undefined {
    return this.#names.get(name) ?? (this.#below.has(name) ? EMPTY : undefined)
  }

  pointersOf(name: WireName): readonly WireName[] {
    const owners = this.#pointers.get(name)
    return owners ? [...owners.values()].flat() : []
  }

  /** Puts a service's records in place of those it had. @param key `namespace/name` */
  set(key: string, records: ServiceRecords): void {
    this.#serial++
    const previous = this.#parts.get(key)
    if (previous) this.#leave(key, previous)
    if (records.names.size === 0) this.#parts.delete(key)
    else {
      this.#parts.set(key, records)
      this.#enter(key, records)
    }
  }

  delete(key: string): void {
    this.set(key, { names: EMPTY_NAMES, pointers: EMPTY_NAMES })
  }

  #enter(key: string, { names, pointers }: ServiceRecords): void {
    for (const [name, records] of names) {
      this.#names.set(name, records)
      for (let above = parentOf(name); above !== undefined; above = parentOf(above))
        this.#below.set(above, (this.#below.get(above) ?? 0) + 1)
    }
    for (const [name, targets] of pointers) {
      const owners = this.#pointers.get(name)
      if (owners) owners.set(key, targets)
      else this.#pointers.set(name, new Map([[key, targets]]))
    }
  }

  #leave(key: string, { names, pointers }: ServiceRecords): void {
    for (const name of names.keys()) {
      this.#names.delete(name)
      for (let above = parentOf(name); above !== undefined; above = parentOf(above)) {
        const left = (this.#below.get(above) ?? 1) - 1
        if (left > 0) this.#below.set(above, left)
        else this.#below.delete(above)
      }
    }
    for (const name of pointers.keys()) {
      const owners = this.#pointers.get(name)
      owners?.delete(key)
      if (owners?.size === 0) this.#pointers.delete(name)
    }
  }
}

const EMPTY_NAMES: ReadonlyMap<WireName, never> = new Map<WireName, never>()

/** `namespace/name` of the service that a slice belongs to; undefined: to none. */
export function serviceKeyOf(slice: EndpointSlice): string | undefined {
  const name = slice.metadata.labels?.['kubernetes.io/service-name']
  return name ? `${slice.metadata.namespace}/${name}` : undefined
}

/** The zone of a whole cluster, from nothing. */
export function compileZone(services: readonly Service[], slices: readonly EndpointSlice[], options: ZoneOptions): ClusterZone {
  const byService = new Map<string, EndpointSlice[]>()
  for (const slice of slices) {
    const key = serviceKeyOf(slice) ?? ''
    const known = byService.get(key)
    if (known) known.push(slice)
    else byService.set(key, [slice])
  }
  const zone = new ClusterZone(options)
  for (const service of services) {
    const key = `${service.metadata.namespace}/${service.metadata.name}`
    zone.set(key, compileService(service, byService.get(key) ?? [], options))
  }
  return zone
}
