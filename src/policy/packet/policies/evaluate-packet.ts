import { formatIp, parseIp, prefixContains, type IpBytes } from '../../../base/ip.ts'
import {
  DIRECTIONS,
  type CompiledPolicy,
  type DenyAction,
  type Direction,
  type JudgedPod,
  type Judges,
  type PacketPolicy,
  type PeerMatch,
  type PolicyRule,
  type PortMatch,
  type Tier,
} from './packet-policy.ts'

/** First packet of a flow, as the policies see it: after service addresses have become addresses of endpoints, before masquerading. */
export interface PacketFacts {
  readonly source: string
  readonly destination: string
  /** `TCP`, `UDP` and `SCTP` have ports; anything else (`ICMP`) only matches rules without ports. */
  readonly protocol: string
  /** Destination port. Default 0. */
  readonly port?: number
}

export interface RuleName {
  readonly index: number
  readonly name?: string
}

/** What one direction has to say. */
export interface DirectionVerdict {
  readonly direction: Direction
  readonly verdict: 'accept' | 'deny'
  /** Who decided; `Default` when nobody did and so it is accepted. */
  readonly tier: Tier | 'Default'
  /** How the sender is told, for denials. */
  readonly denyAction?: DenyAction
  /** The policy that decided; for the isolation of NetworkPolicies the first of `policies`. */
  readonly policy?: { readonly namespace?: string; readonly name: string }
  /** Ids of all policies that isolate, where no rule of them matched. */
  readonly policies?: readonly string[]
  readonly rule?: RuleName
  /** Rules of Pass that the packet took on its way, as `<policy id>#<index>`. */
  readonly passed: readonly string[]
  /** One sentence for people. */
  readonly reason: string
}

/** The direction that decided, at the front; both below. */
export interface PacketVerdict extends DirectionVerdict {
  readonly revision: string
  readonly egress: DirectionVerdict
  readonly ingress: DirectionVerdict
}

interface Parsed extends PacketFacts {
  readonly sourceBytes: IpBytes
  readonly destinationBytes: IpBytes
  readonly port: number
}

/**
 * Judges a packet by the artefact that the kernel of its node runs, and says why. Replies are part of the flow of their first packet and are not
 * asked about. Microseconds for thousands of pods: sets are hashed, only the rules of the two pods are looked at.
 * @throws RangeError when an address is none
 */
export function evaluatePacket(policy: PacketPolicy, packet: PacketFacts): PacketVerdict {
  const parsed = parsePacket(packet)
  const { source, destination } = parsed
  const free =
    source === destination
      ? 'a pod always reaches itself'
      : policy.nodeAddresses.has(source) || policy.nodeAddresses.has(destination)
        ? 'traffic between a node and its own pods is not judged'
        : undefined
  const [egress, ingress] = DIRECTIONS.map((direction) => {
    if (free !== undefined) return accepted(direction, free)
    return judgeDirection(policy, parsed, direction, policy.pods.get(direction === 'egress' ? source : destination))
  }) as [DirectionVerdict, DirectionVerdict]
  const decided = egress.verdict === 'deny' || (ingress.verdict === 'accept' && ingress.tier === 'Default') ? egress : ingress
  return { ...decided, revision: policy.revision, egress, ingress }
}

function parsePacket(packet: PacketFacts): Parsed {
  const { source, destination, port = 0 } = packet
  const sourceBytes = parseIp(source)
  const destinationBytes = parseIp(destination)
  if (!sourceBytes) throw new RangeError(`source "${source}" is no IP address`)
  if (!destinationBytes) throw new RangeError(`destination "${destination}" is no IP address`)
  return { ...packet, source: formatIp(sourceBytes), destination: formatIp(destinationBytes), sourceBytes, destinationBytes, port }
}

function judgeDirection(policy: PacketPolicy, packet: Parsed, direction: Direction, pod: JudgedPod | undefined): DirectionVerdict {
  const judges = pod?.[direction]
  if (!pod || !judges)
    return accepted(direction, `no policy judges the ${direction} of ${direction === 'egress' ? packet.source : packet.destination}`)
  const passed: string[] = []
  const inTier = (ids: readonly string[]): DirectionVerdict | undefined => {
    for (const id of ids) {
      const one = policy.policies.get(id)
      for (const rule of one?.[direction] ?? []) {
        if (!one || !matchesRule(policy, rule, packet, direction)) continue
        if (rule.action === 'Pass') {
          passed.push(`${id}#${rule.index}`)
          return undefined
        }
        return byRule(policy, { one, rule, direction, passed })
      }
    }
    return undefined
  }
  const admin = inTier(judges.admin)
  if (admin) return admin
  if (judges.network.length > 0) return inTier(judges.network) ?? isolated(policy, judges, direction, passed)
  return (
    inTier(judges.baseline) ?? { ...accepted(direction, `no rule for the ${direction} of ${pod.namespace}/${pod.name} matches`), passed }
  )
}

function matchesRule(policy: PacketPolicy, rule: PolicyRule, packet: Parsed, direction: Direction): boolean {
  const peer = direction === 'egress' ? packet.destination : packet.source
  const bytes = direction === 'egress' ? packet.destinationBytes : packet.sourceBytes
  return (
    rule.peers.some((match) => matchesPeer(policy, match, peer, bytes)) &&
    (rule.ports === undefined || rule.ports.some((port) => matchesPort(policy, port, packet)))
  )
}

function matchesPeer(policy: PacketPolicy, match: PeerMatch, address: string, bytes: IpBytes): boolean {
  if (match.kind === 'any') return true
  if (match.kind === 'selected') return policy.addresses.get(match.selector)?.has(address) === true
  return match.networks.some((network) => prefixContains(network, bytes)) && !match.except.some((network) => prefixContains(network, bytes))
}

function matchesPort(policy: PacketPolicy, match: PortMatch, { protocol, port, destination }: Parsed): boolean {
  if (match.protocol !== protocol) return false
  if ('named' in match) return policy.namedPorts.get(match.named)?.get(port)?.has(destination) === true
  return port >= match.from && port <= match.to
}

function byRule(
  policy: PacketPolicy,
  {
    one,
    rule,
    direction,
    passed,
  }: { readonly one: CompiledPolicy; readonly rule: PolicyRule; readonly direction: Direction; readonly passed: readonly string[] },
): DirectionVerdict {
  const { tier, namespace, name } = one
  const ruleName: RuleName = { index: rule.index, ...(rule.name === undefined ? {} : { name: rule.name }) }
  const where = `${direction} rule ${rule.name === undefined ? rule.index : `${rule.index} (${rule.name})`} of ${one.id}`
  const denied = rule.action === 'Deny'
  return {
    direction,
    verdict: denied ? 'deny' : 'accept',
    tier,
    ...(denied ? { denyAction: one.denyAction ?? policy.denyAction } : {}),
    policy: { ...(namespace === undefined ? {} : { namespace }), name },
    rule: ruleName,
    passed,
    reason: `${where} ${denied ? 'denies' : 'accepts'} it`,
  }
}

function isolated(policy: PacketPolicy, judges: Judges, direction: Direction, passed: readonly string[]): DirectionVerdict {
  const first = policy.policies.get(judges.network[0] ?? '')
  return {
    direction,
    verdict: 'deny',
    tier: 'NetworkPolicy',
    denyAction: judges.isolation,
    ...(first ? { policy: { ...(first.namespace === undefined ? {} : { namespace: first.namespace }), name: first.name } } : {}),
    policies: judges.network,
    passed,
    reason: `no ${direction} rule of ${judges.network.join(', ')} accepts it`,
  }
}

function accepted(direction: Direction, reason: string): DirectionVerdict {
  return { direction, verdict: 'accept', tier: 'Default', passed: [], reason }
}
