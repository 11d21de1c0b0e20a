import { prefixContains, type IpPrefix } from '../../../base/ip.ts'
import type { Direction, NamedPort, PeerMatch, PolicyRule, PortMatch, Protocol } from '../../../policy/packet/policies/index.ts'
import { addressIn, addressWithin, familyIs, portIn, portIs, protocolIs, type RulePiece } from './rule-pieces.ts'

/** Names of the sets that a match looks into; `family` is 4 or 6. */
export interface SetNames {
  selector(key: string, family: 4 | 6): string
  namedPort(key: string, port: number, family: 4 | 6): string
  /** Several prefixes of one family, none within another. */
  networks(prefixes: readonly IpPrefix[]): string
  /** Several ranges of ports, sorted and apart. */
  ports(ranges: readonly (readonly [number, number])[]): string
}

interface Match {
  /** Absent: of both families. */
  readonly family?: 4 | 6
  readonly pieces: readonly RulePiece[]
}

/**
 * The matches of a rule; one of them must hold. They look at the flow that a packet belongs to, not at the packet: source as sent (`ct original ... saddr`),
 * destination as delivered (`ct reply ... saddr`, behind a service's address). So replies are judged like what they answer.
 */
export function renderMatches(
  rule: PolicyRule,
  direction: Direction,
  options: { readonly names: SetNames; readonly namedPorts: ReadonlyMap<string, NamedPort> },
): readonly (readonly RulePiece[])[] {
  const peers = rule.peers.flatMap((peer) => peerMatches(peer, direction, options.names))
  const ports: readonly Match[] = rule.ports === undefined ? [{ pieces: [] }] : portMatches(rule.ports, options)
  return peers.flatMap((peer) =>
    ports.flatMap((port) =>
      peer.family !== undefined && port.family !== undefined && peer.family !== port.family ? [] : [[...port.pieces, ...peer.pieces]],
    ),
  )
}

const FAMILIES = [4, 6] as const

function peerMatches(peer: PeerMatch, direction: Direction, names: SetNames): readonly Match[] {
  if (peer.kind === 'any') return [{ pieces: [] }]
  const end = direction === 'ingress' ? 'source' : 'destination'
  if (peer.kind === 'selected') {
    return FAMILIES.map((family) => ({ family, pieces: [addressIn(end, family, { set: names.selector(peer.selector, family) })] }))
  }
  return FAMILIES.flatMap((family): readonly Match[] => {
    const inside = outermost(
      peer.networks.filter((network) => network.family === family && !peer.except.some((hole) => prefixContains(hole, network))),
    )
    if (inside.length === 0) return []
    const holes = outermost(peer.except.filter((hole) => inside.some((network) => prefixContains(network, hole))))
    const within = (prefixes: readonly IpPrefix[], not: boolean): readonly RulePiece[] => {
      const [prefix] = prefixes
      if (!prefix) return []
      // nft knows no prefix of length 0
      if (prefixes.some(({ length }) => length === 0)) return [familyIs(family)]
      if (prefixes.length === 1) return [addressWithin(end, { prefix, not })]
      return [addressIn(end, family, { set: names.networks(prefixes), not })]
    }
    return [{ family, pieces: [...within(inside, false), ...within(holes, true)] }]
  })
}

function portMatches(
  ports: readonly PortMatch[],
  { names, namedPorts }: { readonly names: SetNames; readonly namedPorts: ReadonlyMap<string, NamedPort> },
): readonly Match[] {
  const ranges = new Map<Protocol, (readonly [number, number])[]>()
  const named: Match[] = []
  for (const match of ports) {
    const protocol = protocolIs(match.protocol)
    if (!('named' in match)) {
      ranges.set(match.protocol, [...(ranges.get(match.protocol) ?? []), [match.from, match.to]])
      continue
    }
    for (const port of namedPorts.get(match.named)?.keys() ?? []) {
      for (const family of FAMILIES) {
        const pods = addressIn('destination', family, { set: names.namedPort(match.named, port, family) })
        named.push({ family, pieces: [protocol, portIs(port), pods] })
      }
    }
  }
  const numbered = [...ranges].map(([protocol, list]): Match => {
    const merged = mergeRanges(list)
    const [from, end] = merged[0] ?? [0, 0]
    if (from === 0 && end === 65_535) return { pieces: [protocolIs(protocol)] }
    return { pieces: [protocolIs(protocol), merged.length === 1 && from === end ? portIs(from) : portIn(names.ports(merged))] }
  })
  return [...numbered, ...named]
}

/** Sorted, without overlaps and neighbours: the kernel refuses overlapping intervals. */
export function mergeRanges(ranges: readonly (readonly [number, number])[]): readonly (readonly [number, number])[] {
  const merged: [number, number][] = []
  for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const last = merged.at(-1)
    if (last && from <= last[1] + 1) last[1] = Math.max(last[1], to)
    else merged.push([from, to])
  }
  return merged
}

function outermost(prefixes: readonly IpPrefix[]): readonly IpPrefix[] {
  return prefixes.filter(
    (prefix, i) => !prefixes.some((other, j) => j !== i && prefixContains(other, prefix) && (other.length < prefix.length || j < i)),
  )
}
