import type { ClusterTopology } from './cluster-topology.ts'

/** An endpoint that takes connections. */
export interface ZonedEndpoint {
  readonly key: string
  /** Where it is. */
  readonly zone: string | undefined
  /** The zone it serves now. */
  readonly hint: string | undefined
}

/** A zone may have this many times the load of an even spread. Source: k8s.io/endpointslice topologycache.OverloadThreshold. */
const MOST_LOAD = 1.2

interface Allocation {
  /** Endpoints in proportion to the zone's processors, one at least. */
  readonly desired: number
  /** With fewer its endpoints have too much load. */
  readonly minimum: number
}

/**
 * Which zone each endpoint serves, so that every zone has endpoints in proportion to its processors: first its own zone, then as few
 * as needed are lent to zones that have too few. Pure, and the same for the same endpoints whatever came before, but for which of
 * several is lent. Undefined where it cannot be done safely, with the reason.
 * Source: KEP-2433; k8s.io/endpointslice topologycache.
 */
export function planZones(
  endpoints: readonly ZonedEndpoint[],
  topology: Pick<ClusterTopology, 'shares' | 'why'>,
): { readonly zones?: ReadonlyMap<string, string>; readonly why: string } {
  const { shares } = topology
  if (!shares) return { why: topology.why ?? 'insufficient node information' }
  if (endpoints.length < shares.size) return { why: `${endpoints.length} ready endpoints are too few for ${shares.size} zones` }
  const homeless = endpoints.find(({ zone }) => !zone)
  if (homeless) return { why: 'an endpoint is on a node without a zone' }
  const allocations = allocate(shares, endpoints.length)
  if (!allocations) return { why: `${endpoints.length} ready endpoints cannot be shared out without overloading some` }
  const serving = new Map<string, ZonedEndpoint[]>()
  for (const zone of shares.keys()) serving.set(zone, [])
  for (const endpoint of endpoints.toSorted((a, b) => (a.key < b.key ? -1 : 1))) {
    const zone = endpoint.zone as string
    serving.set(zone, [...(serving.get(zone) ?? []), endpoint])
  }
  balance(serving, allocations)
  return { zones: new Map([...serving].flatMap(([zone, list]) => list.map(({ key }) => [key, zone]))), why: 'endpoints are shared out' }
}

function allocate(shares: ReadonlyMap<string, number>, count: number): Map<string, Allocation> | undefined {
  const allocations = new Map<string, Allocation>()
  let needed = 0
  for (const [zone, share] of shares) {
    // a hair less, or rounding makes 3 of 2.5 * 1.2
    const minimum = Math.ceil((share * count) / MOST_LOAD - 1e-9)
    allocations.set(zone, { desired: Math.max(share * count, 1), minimum })
    needed += minimum
  }
  return needed > count ? undefined : allocations
}

/** Lends endpoints, one at a time, from where there are most too many to where there are most too few. */
function balance(serving: Map<string, ZonedEndpoint[]>, allocations: ReadonlyMap<string, Allocation>): void {
  const count = (zone: string): number => serving.get(zone)?.length ?? 0
  const excess = (zone: string): number => count(zone) - (allocations.get(zone)?.desired ?? 0)
  const isShort = (zone: string): boolean => count(zone) < (allocations.get(zone)?.minimum ?? 0)
  for (;;) {
    const zones = [...serving.keys()].toSorted((a, b) => excess(b) - excess(a) || (a < b ? -1 : 1))
    // zones without processors of their own keep none
    const foreign = zones.find((zone) => !allocations.has(zone) && count(zone) > 0)
    const from = foreign ?? zones.find((zone) => count(zone) > (allocations.get(zone)?.minimum ?? 0))
    const to = zones.findLast(isShort) ?? zones.findLast((zone) => allocations.has(zone))
    if (from === undefined || to === undefined || from === to) return
    const isWhole = excess(from) >= 1 && excess(to) <= -1
    if (!isShort(to) && !isWhole && foreign === undefined) return
    const lenders = serving.get(from) as ZonedEndpoint[]
    const lent = lenders.find(({ hint }) => hint === to) ?? lenders.find(({ zone }) => zone === to) ?? (lenders[0] as ZonedEndpoint)
    lenders.splice(lenders.indexOf(lent), 1)
    serving.set(to, [...(serving.get(to) ?? []), lent])
  }
}
