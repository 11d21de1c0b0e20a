import type { Service } from '../../../api/generated/types.ts'
import { addressText, addressValue } from '../../../api/routing.biplane.dev/v1alpha1/address-range.ts'
import type { Sharer } from './sharing.ts'

/** `spec.loadBalancerClass` of services that want us and nobody else. */
export const BALANCER_CLASS = 'routing.biplane.dev/bgp'
/** Name of the pool to take addresses from. */
export const POOL_ANNOTATION = 'routing.biplane.dev/address-pool'
/** Addresses to have, comma-separated, at most one per family. */
export const ADDRESSES_ANNOTATION = 'routing.biplane.dev/load-balancer-ips'
/** Services with the same value may have one address, if their ports differ and they lead traffic the same way. */
export const SHARING_ANNOTATION = 'routing.biplane.dev/allow-shared-ip'

/** What a service wants of us. */
export interface BalancerRequest {
  readonly families: readonly (4 | 6)[]
  /** All families or nothing. */
  readonly requiresAll: boolean
  /** By family. */
  readonly fixed: ReadonlyMap<4 | 6, string>
  /** The only pool to take from. */
  readonly pool: string | undefined
  readonly sharer: Sharer
}

/** Whether a service is one of those that get addresses from pools. */
export function isBalanced(service: Service): boolean {
  const { type, loadBalancerClass } = service.spec ?? {}
  return type === 'LoadBalancer' && (loadBalancerClass === undefined || loadBalancerClass === BALANCER_CLASS)
}

/** Addresses in the status of a service. */
export function shownAddresses(service: Service): string[] {
  return (service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => (ip ? [ip] : []))
}

/** Reads the request of a service. Pure. A string says what is wrong with it. */
export function readRequest(service: Service): BalancerRequest | string {
  const spec = service.spec ?? {}
  const families = (spec.ipFamilies?.length ? spec.ipFamilies : ['IPv4']).map((family) => (family === 'IPv6' ? 6 : 4))
  const annotations = service.metadata.annotations ?? {}
  const listed = annotations[ADDRESSES_ANNOTATION]
  if (listed !== undefined && spec.loadBalancerIP)
    return `spec.loadBalancerIP and the annotation ${ADDRESSES_ANNOTATION} are both set: keep one`
  const fixed = new Map<4 | 6, string>()
  for (const text of (listed ?? spec.loadBalancerIP ?? '').split(',').map((one) => one.trim())) {
    if (text === '') continue
    const value = addressValue(text)
    if (!value) return `"${text}" is not an IP address`
    if (!families.includes(value.family))
      return `${text} is IPv${value.family}, and the service has ${spec.ipFamilies?.join(' and ') ?? 'IPv4'} only`
    if (fixed.has(value.family)) return `more than one IPv${value.family} address is asked for`
    fixed.set(value.family, addressText(value.family, value.address))
  }
  return {
    families,
    requiresAll: spec.ipFamilyPolicy === 'RequireDualStack',
    fixed,
    pool: annotations[POOL_ANNOTATION] || undefined,
    sharer: sharerOf(service),
  }
}

/** What of a service decides with whom it can share an address. */
export function sharerOf(service: Service): Sharer {
  const { ports = [], externalTrafficPolicy, selector = {} } = service.spec ?? {}
  const pods = Object.entries(selector).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return {
    key: service.metadata.annotations?.[SHARING_ANNOTATION] || undefined,
    ports: new Set(ports.map(({ port, protocol = 'TCP' }) => `${protocol}/${port}`)),
    way: externalTrafficPolicy === 'Local' ? JSON.stringify([service.metadata.namespace, pods]) : '',
  }
}
