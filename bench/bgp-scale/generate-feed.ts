// A full table as two neighbours would send it: UPDATE messages in files, the same for every router under test.
import { encodeNlri, encodeUpdate, type LargeCommunity, type Nlri } from '../../src/protocols/bgp/index.ts'

export interface Feeds {
  readonly feeds: readonly Feed[]
  /** Prefixes that the import policy leaves from at least one neighbour. */
  readonly expected: number
}

export interface Feed {
  readonly bytes: Uint8Array
  readonly updates: number
  /** Different attribute sets. */
  readonly attributeSets: number
}

export interface FeedOptions {
  readonly prefixes: number
  /** AS numbers of the feeding neighbours; the next hop of the i-th is 10.99.0.(2 + i). */
  readonly neighbours: readonly number[]
}

/** Marks of the routes that the import policy treats: an AS in the path (rejected), a community (preferred). */
export const REJECTED_AS = 64666
export const PREFERRED_COMMUNITY = [64500, 200] as const

/** Share of prefix lengths in today's table, roughly; the rest is /24. */
const LENGTHS: readonly (readonly [length: number, share: number])[] = [
  [16, 0.013],
  [18, 0.013],
  [19, 0.025],
  [20, 0.045],
  [21, 0.05],
  [22, 0.115],
  [23, 0.1],
]

type Random = () => number

function mulberry(seed: number): Random {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/** Prefixes of one origin that share a path: their number falls off quickly, about 6 on average. */
interface Origin {
  readonly as: number
  readonly prefixes: readonly Nlri[]
}

export function generateFeeds({ prefixes, neighbours }: FeedOptions): Feeds {
  const random = mulberry(42)
  const origins = makeOrigins(prefixes, random)
  const accepted = new Set<Origin>()
  const feeds = neighbours.map((as, i) => makeFeed(shuffled(origins, random), as, i, mulberry(1000 + i), accepted))
  return { feeds, expected: [...accepted].reduce((sum, { prefixes: { length } }) => sum + length, 0) }
}

function makeOrigins(prefixes: number, random: Random): Origin[] {
  const out: Origin[] = []
  let left = prefixes
  let address = 0x01000000
  while (left > 0) {
    const count = Math.min(left, 1 + Math.floor(-5.2 * Math.log(1 - random())))
    const list: Nlri[] = []
    for (let i = 0; i < count; i++) {
      const length = lengthOf(random())
      const size = 2 ** (32 - length)
      address = Math.ceil(address / size) * size
      if (address >>> 24 === 10 || address >>> 24 === 127) address = ((address >>> 24) + 1) * 2 ** 24
      if (address + size > 0xdf000000) throw new Error('the address space is used up')
      list.push({ family: 4, bytes: Uint8Array.of(address >>> 24, address >>> 16, address >>> 8, address), length })
      address += size
    }
    out.push({ as: 1 + Math.floor(random() * 400_000), prefixes: list })
    left -= count
  }
  return out
}

function lengthOf(roll: number): number {
  let sum = 0
  for (const [length, share] of LENGTHS) if (roll < (sum += share)) return length
  return 24
}

function makeFeed(origins: readonly Origin[], neighbour: number, index: number, random: Random, accepted: Set<Origin>): Feed {
  const messages: Uint8Array[] = []
  const sets = new Set<string>()
  for (const origin of origins) {
    const { as, prefixes } = origin
    const path = pathTo(as, neighbour, random)
    if (!path.includes(REJECTED_AS)) accepted.add(origin)
    const attributes = {
      origin: random() < 0.9 ? 0 : 2,
      asPath: [{ kind: 'sequence' as const, as: path }],
      nextHop: Uint8Array.of(10, 99, 0, 2 + index),
      ...(random() < 0.15 ? { med: Math.floor(random() * 500) } : {}),
      ...communitiesOf(neighbour, random),
    }
    const message = encodeUpdate({ withdrawn: [], announced: prefixes, attributes }, { fourOctetAs: true, addPath: [] })
    if (message.length > 4096) throw new Error('an UPDATE is too long')
    sets.add(Buffer.from(message.subarray(23, message.length - encodeNlri(prefixes, false).length)).toString('latin1'))
    messages.push(message)
  }
  return { bytes: Buffer.concat(messages), updates: messages.length, attributeSets: sets.size }
}

/** 2 to 8 hops, 4 on average; few transit networks carry most. */
function pathTo(origin: number, neighbour: number, random: Random): number[] {
  const hops = Math.floor(random() * 3 + random() * 2.5)
  const transit = Array.from({ length: hops }, () => 1 + Math.floor(60_000 * random() ** 4))
  if (random() < 0.005) transit.push(REJECTED_AS)
  const prepends = random() < 0.1 ? 1 + Math.floor(random() * 3) : 0
  return [neighbour, ...transit, ...Array.from({ length: 1 + prepends }, () => origin)]
}

function communitiesOf(neighbour: number, random: Random): { communities?: number[]; largeCommunities?: LargeCommunity[] } {
  const count = Math.floor(random() ** 2 * 9)
  const communities = Array.from({ length: count }, () => (((neighbour & 0xffff) << 16) | Math.floor(random() ** 2 * 3000)) >>> 0)
  if (random() < 0.05) communities.push(((PREFERRED_COMMUNITY[0] << 16) | PREFERRED_COMMUNITY[1]) >>> 0)
  const largeCommunities =
    random() < 0.06 ? [{ admin: neighbour, data1: Math.floor(random() * 50), data2: Math.floor(random() * 500) }] : []
  return { ...(communities.length ? { communities } : {}), ...(largeCommunities.length ? { largeCommunities } : {}) }
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const out = [...items]
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    const one = out[i] as T
    out[i] = out[j] as T
    out[j] = one
  }
  return out
}
