import { formatPrefix, prefixContains, type IpPrefix } from '../../../base/ip.ts'
import type { Direction, NamedPort, PeerMatch, PolicyRule, PortMatch } from '../../../policy/packet/policies/index.ts'

/** Names of the sets that a match looks into; `family` is 4 or 6. */
export interface SetNames {
  selector(key: string, family: 4 | 6): string
  namedPort(key: string, port: number, family: 4 | 6): string
}

interface Match {
  /** Absent: of both families. */
  readonly family?: 4 | 6
  readonly text: string
}

/**
 * The matches of a rule as nft expressions; one of them must hold. They look at the flow that a packet belongs to, not at the packet: source as sent (`ct
 * original ... saddr`), destination as delivered (`ct reply ... saddr`, behind a service's address). So replies are judged like what they answer.
 */
export function renderMatches(
  rule: PolicyRule,
  direction: Direction,
  options: { readonly names: SetNames; readonly namedPorts: ReadonlyMap<string, NamedPort> },
): readonly string[] {
  const peers = rule.peers.flatMap((peer) => peerMatches(peer, direction, options.names))
  const ports = rule.ports === undefined ? [{ text: '' }] : portMatches(rule.ports, options)
  return peers.flatMap((peer) =>
    ports.flatMap((port: Match) =>
      peer.family !== undefined && port.family !== undefined && peer.family !== port.family ? [] : [`${port.text}${peer.text}`],
    ),
  )
}

const FAMILIES = [4, 6] as const
/** Address expression of the source or destination of the flow. */
export const flowAddress = (end: 'source' | 'destination', family: 4 | 6): string =>
  `ct ${end === 'source' ? 'original' : 'reply'} ${family === 4 ? 'ip' : 'ip6'} saddr`

function peerMatches(peer: PeerMatch, direction: Direction, names: SetNames): readonly Match[] {
  if (peer.kind === 'any') return [{ text: '' }]
  const end = direction === 'ingress' ? 'source' : 'destination'
  if (peer.kind === 'selected') {
    return FAMILIES.map((family) => ({ family, text: `${flowAddress(end, family)} @${names.selector(peer.selector, family)} ` }))
  }
  return FAMILIES.flatMap((family) => {
    const inside = outermost(
      peer.networks.filter((network) => network.family === family && !peer.except.some((hole) => prefixContains(hole, network))),
    )
    if (inside.length === 0) return []
    const holes = outermost(peer.except.filter((hole) => inside.some((network) => prefixContains(network, hole))))
    const address = flowAddress(end, family)
    // nft knows no prefix of length 0
    const within = inside.some(({ length }) => length === 0) ? `meta nfproto ipv${family}` : `${address} ${listOf(inside)}`
    return [{ family, text: `${within} ${holes.length > 0 ? `${address} != ${listOf(holes)} ` : ''}` }]
  })
}

function portMatches(
  ports: readonly PortMatch[],
  { names, namedPorts }: { readonly names: SetNames; readonly namedPorts: ReadonlyMap<string, NamedPort> },
): readonly Match[] {
  const ranges = new Map<string, (readonly [number, number])[]>()
  const named: Match[] = []
  for (const match of ports) {
    const protocol = `meta l4proto ${match.protocol.toLowerCase()} `
    if (!('named' in match)) {
      ranges.set(protocol, [...(ranges.get(protocol) ?? []), [match.from, match.to]])
      continue
    }
    for (const port of namedPorts.get(match.named)?.keys() ?? []) {
      for (const family of FAMILIES) {
        const pods = `${flowAddress('destination', family)} @${names.namedPort(match.named, port, family)} `
        named.push({ family, text: `${protocol}ct reply proto-src ${port} ${pods}` })
      }
    }
  }
  const numbered = [...ranges].map(([protocol, list]): Match => {
    const merged = mergeRanges(list).map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`))
    if (merged.includes('0-65535')) return { text: protocol }
    return { text: `${protocol}ct reply proto-src ${merged.length === 1 ? merged[0] : `{ ${merged.join(', ')} }`} ` }
  })
  return [...numbered, ...named]
}

/** Sorted, without overlaps and neighbours: nft refuses overlapping intervals. */
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

function listOf(prefixes: readonly IpPrefix[]): string {
  const texts = prefixes.map(formatPrefix)
  return texts.length === 1 ? (texts[0] as string) : `{ ${texts.join(', ')} }`
}
