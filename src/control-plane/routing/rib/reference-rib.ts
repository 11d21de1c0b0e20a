import type { PathAttributes } from '../../../protocols/bgp/message.ts'

/**
 * A RIB as one would write it first, with objects and strings: the model that the real one is tested against. Knows one policy each way, given as
 * functions.
 */
export interface ReferencePeer {
  readonly name: string
  readonly external: boolean
  readonly client: boolean
  readonly as: number
  readonly routerId: number
  readonly address: Uint8Array
  readonly importRoute?: (prefix: string, attributes: PathAttributes) => PathAttributes | undefined
  readonly exportRoute?: (prefix: string, attributes: PathAttributes) => PathAttributes | undefined
}

export interface ReferenceOptions {
  readonly localAs: number
  readonly routerId: number
  readonly self: Uint8Array
  /** Interior cost of a next hop; undefined: unreachable. */
  readonly cost: (nextHop: Uint8Array) => number | undefined
}

interface Candidate {
  readonly peer: ReferencePeer | undefined
  readonly attributes: PathAttributes
}

const NO_EXPORT = 0xffffff01
const NO_ADVERTISE = 0xffffff02

export class ReferenceRib {
  readonly #options: ReferenceOptions
  readonly received: Map<string, Map<ReferencePeer | undefined, PathAttributes>> = new Map()

  constructor(options: ReferenceOptions) {
    this.#options = options
  }

  announce(peer: ReferencePeer | undefined, prefix: string, attributes: PathAttributes): void {
    const routes = this.received.get(prefix) ?? new Map<ReferencePeer | undefined, PathAttributes>()
    routes.set(peer, attributes)
    this.received.set(prefix, routes)
  }

  withdraw(peer: ReferencePeer | undefined, prefix: string): void {
    this.received.get(prefix)?.delete(peer)
  }

  down(peer: ReferencePeer): void {
    for (const routes of this.received.values()) routes.delete(peer)
  }

  best(prefix: string): Candidate | undefined {
    let left: Candidate[] = [...(this.received.get(prefix) ?? [])].flatMap(([peer, attributes]) => this.#accepted(peer, prefix, attributes))
    const keepLeast = (of: (one: Candidate) => number): void => {
      const least = Math.min(...left.map(of))
      left = left.filter((one) => of(one) === least)
    }
    keepLeast(({ attributes }) => -(attributes.localPreference ?? 100))
    keepLeast(({ peer }) => (peer ? 1 : 0))
    keepLeast(({ attributes }) => lengthOf(attributes))
    keepLeast(({ attributes }) => attributes.origin ?? 0)
    const all = left
    left = left.filter((one) => !all.some((other) => neighbourOf(other) === neighbourOf(one) && medOf(other) < medOf(one)))
    keepLeast(({ peer }) => (peer?.external ? 0 : 1))
    keepLeast(({ attributes }) => this.#cost(attributes) ?? 0)
    keepLeast(({ peer, attributes }) => attributes.originatorId ?? peer?.routerId ?? 0)
    keepLeast(({ attributes }) => attributes.clusterList?.length ?? 0)
    keepLeast(({ peer }) => (peer ? Buffer.from(peer.address).readUInt32BE() : 0))
    return left[0]
  }

  /** What a peer is to be told of a prefix. */
  exported(to: ReferencePeer, prefix: string): PathAttributes | undefined {
    const best = this.best(prefix)
    if (!best || best.peer === to) return undefined
    const { peer: from, attributes } = best
    const communities = attributes.communities ?? []
    if (communities.includes(NO_ADVERTISE) || (to.external && communities.includes(NO_EXPORT))) return undefined
    if (!to.external && from && !from.external && !to.client && !from.client) return undefined
    const { localAs, routerId, self } = this.#options
    const base = { ...attributes }
    if (to.external && from) delete base.med
    const chosen = to.exportRoute ? to.exportRoute(prefix, base) : base
    if (!chosen) return undefined
    const out: { -readonly [K in keyof PathAttributes]: PathAttributes[K] } = { ...chosen }
    if (to.external) {
      delete out.localPreference
      delete out.originatorId
      delete out.clusterList
      out.asPath = prepended(out.asPath ?? [], localAs)
      out.nextHop = self
    } else {
      out.localPreference ??= 100
      if (from && !from.external) {
        out.originatorId ??= from.routerId
        out.clusterList = [routerId, ...(out.clusterList ?? [])]
      }
      out.nextHop ??= self
      if (Buffer.compare(out.nextHop, to.address) === 0) return undefined
    }
    return out
  }

  #accepted(peer: ReferencePeer | undefined, prefix: string, attributes: PathAttributes): Candidate[] {
    if (!peer) return [{ peer, attributes }]
    const { localAs, routerId } = this.#options
    if (attributes.asPath?.some(({ as }) => as.includes(localAs))) return []
    if (peer.external && neighbourOf({ attributes }) !== peer.as) return []
    if (attributes.originatorId === routerId || attributes.clusterList?.includes(routerId)) return []
    const accepted = peer.importRoute ? peer.importRoute(prefix, attributes) : attributes
    return accepted && this.#cost(accepted) !== undefined ? [{ peer, attributes: accepted }] : []
  }

  #cost({ nextHop }: PathAttributes): number | undefined {
    return nextHop ? this.#options.cost(nextHop) : 0
  }
}

function lengthOf({ asPath = [] }: PathAttributes): number {
  return asPath.reduce((sum, { kind, as }) => sum + (kind === 'sequence' ? as.length : 1), 0)
}

function neighbourOf({ attributes: { asPath } }: Pick<Candidate, 'attributes'>): number {
  const first = asPath?.[0]
  return first?.kind === 'sequence' ? (first.as[0] ?? 0) : 0
}

function medOf({ attributes }: Candidate): number {
  return attributes.med ?? 0
}

function prepended(path: NonNullable<PathAttributes['asPath']>, as: number): NonNullable<PathAttributes['asPath']> {
  const [first, ...rest] = path
  if (first?.kind === 'sequence') return [{ kind: 'sequence', as: [as, ...first.as] }, ...rest]
  return [{ kind: 'sequence', as: [as] }, ...path]
}
