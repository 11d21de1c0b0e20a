import type { AddressPool } from '../../../api/routing.biplane.dev/v1alpha1/address-pool.ts'
import { addressText, addressValue, parseAddressRange, type AddressRange } from '../../../api/routing.biplane.dev/v1alpha1/address-range.ts'
import { labelSelectorMatcher } from '../../../api/meta/selector.ts'

/** A pool as the planner uses it. */
export interface PoolView {
  readonly name: string
  readonly ranges: readonly AddressRange[]
  readonly autoAssign: boolean
  readonly avoidBuggyIPs: boolean
  readonly priority: number
  readonly matches: (labels: PoolLabels) => boolean
}

/** Labels of a service and of its namespace. */
export interface PoolLabels {
  readonly service: Readonly<Record<string, string>>
  readonly namespace: Readonly<Record<string, string>>
}

/** Pools in the order in which they are tried. */
export function viewPools(pools: readonly AddressPool[]): PoolView[] {
  return pools
    .filter((pool) => !pool.metadata.deletionTimestamp)
    .map(viewPool)
    .toSorted((a, b) => b.priority - a.priority || (a.name < b.name ? -1 : 1))
}

export function viewPool({ metadata, spec }: AddressPool): PoolView {
  const ofService = spec.serviceSelector ? labelSelectorMatcher(spec.serviceSelector) : () => true
  const ofNamespace = spec.namespaceSelector ? labelSelectorMatcher(spec.namespaceSelector) : () => true
  return {
    name: metadata.name,
    ranges: spec.addresses.flatMap((text) => parseAddressRange(text) ?? []),
    autoAssign: spec.autoAssign ?? true,
    avoidBuggyIPs: spec.avoidBuggyIPs ?? false,
    priority: spec.priority ?? 0,
    matches: ({ service, namespace }) => ofService(service) && ofNamespace(namespace),
  }
}

/** Whether an address is in the pool and may be given out. */
export function poolHas(pool: PoolView, text: string): boolean {
  const value = addressValue(text)
  if (!value || (pool.avoidBuggyIPs && isBuggy(value.family, value.address))) return false
  return pool.ranges.some(({ family, first, last }) => family === value.family && first <= value.address && value.address <= last)
}

/** Addresses of one family that may be given out, lowest first. Lazy: ranges of IPv6 have no end in practice. */
export function* poolAddresses(pool: PoolView, family: 4 | 6): Generator<string> {
  for (const range of pool.ranges) {
    if (range.family !== family) continue
    for (let address = range.first; address <= range.last; address++) {
      if (!pool.avoidBuggyIPs || !isBuggy(family, address)) yield addressText(family, address)
    }
  }
}

/** How many addresses of one family may be given out. */
export function poolSize(pool: PoolView, family: 4 | 6): bigint {
  return pool.ranges
    .filter((range) => range.family === family)
    .reduce((sum, { first, last }) => sum + (last - first + 1n) - (pool.avoidBuggyIPs && family === 4 ? buggyIn(first, last) : 0n), 0n)
}

/** Ends in .0 or .255. */
function isBuggy(family: 4 | 6, address: bigint): boolean {
  return family === 4 && ((address & 255n) === 0n || (address & 255n) === 255n)
}

function buggyIn(first: bigint, last: bigint): bigint {
  const zeros = last / 256n - (first + 255n) / 256n + 1n
  const ends = (last + 1n) / 256n - first / 256n
  return zeros + ends
}
