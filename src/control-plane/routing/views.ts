import { formatIp, type IpPrefix } from '../../base/ip.ts'
import type { BgpSessionStatus } from '../../api/routing.biplane.dev/v1alpha1/bgp-peer.ts'
import { formatCommunity } from '../../policy/route/community-pattern.ts'
import { formatAsPath } from '../../protocols/bgp/as-path.ts'
import type { Family, PathAttributes } from '../../protocols/bgp/message.ts'
import { fibRouteText } from './fib-feeder.ts'
import type { Neighbor } from './neighbor.ts'
import type { ExplainedCandidate, RouteExplanation } from './rib/contract.ts'
import type { Speaker } from './speaker.ts'

/** A neighbour as the CLI shows it. */
export interface PeerView extends BgpSessionStatus {
  readonly name: string
  readonly dynamic: boolean
}

/** Attributes of a path, as text where people read them. */
export interface PathView {
  readonly origin?: string
  readonly asPath?: string
  readonly nextHop?: string
  readonly med?: number
  readonly localPreference?: number
  readonly communities?: readonly string[]
  readonly largeCommunities?: readonly string[]
  readonly originatorId?: string
  readonly clusterList?: readonly string[]
}

export interface CandidateView {
  readonly from: string
  readonly pathId?: number
  readonly stale: boolean
  readonly received: PathView
  /** After the import policy. */
  readonly accepted?: PathView
  /** `policy/rule` that accepted. */
  readonly policy?: string
  readonly state: ExplainedCandidate['state']['kind']
  /** The step that decided, or why it is not used. */
  readonly reason: string
}

export interface RouteView {
  readonly prefix: string
  readonly candidates: readonly CandidateView[]
  readonly exports: readonly { readonly peer: string; readonly advertised?: PathView; readonly reason: string; readonly pending: boolean }[]
  /** What the kernel is to have. */
  readonly fib?: string
  /** Why it has not. */
  readonly fibProblem?: string
}

export function peerViews(speaker: Speaker): readonly PeerView[] {
  return speaker.neighbors.map((neighbor) => ({
    name: neighbor.config.name,
    dynamic: neighbor.isDynamic,
    ...sessionStatus(speaker, neighbor),
  }))
}

/** One session as the API and the CLI show it. */
export function sessionStatus(speaker: Speaker, neighbor: Neighbor): BgpSessionStatus {
  const { phase, sinceMs, negotiated, localAddress, lastError, messagesReceived, messagesSent, transitions } = neighbor.session
  const counters = speaker.rib?.peerCounters(neighbor.handle)
  const sum = (of: Readonly<Record<Family, number>> | undefined): number => (of ? of[4] + of[6] : 0)
  return {
    state: phase,
    since: new Date(sinceMs).toISOString().replace(/\.\d+Z$/, 'Z'),
    address: formatIp(neighbor.address),
    ...(localAddress === undefined ? {} : { localAddress }),
    ...(negotiated
      ? {
          asn: negotiated.remoteAs,
          routerID: identifierText(negotiated.remoteRouterId),
          holdSeconds: negotiated.holdSeconds,
          capabilities: [...negotiated.capabilities],
        }
      : {}),
    prefixesReceived: sum(counters?.received),
    prefixesAccepted: sum(counters?.accepted),
    prefixesSent: sum(counters?.advertised),
    messagesReceived,
    messagesSent,
    transitions,
    ...(lastError === undefined ? {} : { lastError }),
    ...(neighbor.bfdState === undefined ? {} : { bfd: neighbor.bfdState }),
  }
}

/** All about one prefix; undefined when nothing is known of it. */
export function explainView(speaker: Speaker, prefix: IpPrefix): RouteView | undefined {
  const explanation = speaker.rib?.explain(prefix)
  return explanation && routeView(speaker, explanation)
}

/** What lies between a request and its answer is bounded. */
const MAX_ROUTES = 10_000

/** Routes in use of both families, at most `limit` after `offset` of each. */
export function routeViews(speaker: Speaker, offset = 0, limit = 1_000): readonly RouteView[] {
  const { rib } = speaker
  if (!rib) return []
  const bounded = Math.min(limit, MAX_ROUTES)
  return ([4, 6] as const).flatMap((family) =>
    rib.list(family, offset, bounded).flatMap((prefix) => {
      const explanation = rib.explain(prefix)
      return explanation ? [routeView(speaker, explanation)] : []
    }),
  )
}

function routeView(speaker: Speaker, explanation: RouteExplanation): RouteView {
  const { prefix, candidates, exports, fib } = explanation
  const problem = speaker.fibProblems.find((one) => one.prefix === prefix)
  return {
    prefix,
    candidates: candidates.map(candidateView),
    exports: exports.map(({ peer, advertised, reason, pending }) => ({
      peer,
      reason,
      pending,
      ...(advertised ? { advertised: pathView(advertised) } : {}),
    })),
    ...(fib ? { fib: fibRouteText(fib) } : {}),
    ...(problem ? { fibProblem: problem.message } : {}),
  }
}

function candidateView(candidate: ExplainedCandidate): CandidateView {
  const { from, pathId, stale, received, attributes, policy, state } = candidate
  return {
    from,
    ...(pathId === undefined ? {} : { pathId }),
    stale,
    received: pathView(received),
    ...(attributes ? { accepted: pathView(attributes) } : {}),
    ...(policy ? { policy: `${policy.policy}/${policy.rule}` } : {}),
    state: state.kind,
    reason: reasonOf(state),
  }
}

function reasonOf(state: ExplainedCandidate['state']): string {
  switch (state.kind) {
    case 'best':
      return 'best'
    case 'multipath':
      return `shares the traffic (behind only at ${state.step})`
    case 'lost':
      return state.text
    case 'rejected':
      return `rejected by ${state.policy}/${state.rule}`
    case 'invalid':
      return state.text
  }
}

const ORIGINS = ['IGP', 'EGP', 'Incomplete']

function pathView(path: PathAttributes): PathView {
  return {
    ...(path.origin === undefined ? {} : { origin: ORIGINS[path.origin] ?? String(path.origin) }),
    ...(path.asPath ? { asPath: formatAsPath(path.asPath) } : {}),
    ...(path.nextHop ? { nextHop: formatIp(path.nextHop) } : {}),
    ...(path.med === undefined ? {} : { med: path.med }),
    ...(path.localPreference === undefined ? {} : { localPreference: path.localPreference }),
    ...(path.communities ? { communities: path.communities.map(formatCommunity) } : {}),
    ...(path.largeCommunities
      ? { largeCommunities: path.largeCommunities.map(({ admin, data1, data2 }) => `${admin}:${data1}:${data2}`) }
      : {}),
    ...(path.originatorId === undefined ? {} : { originatorId: identifierText(path.originatorId) }),
    ...(path.clusterList ? { clusterList: path.clusterList.map(identifierText) } : {}),
  }
}

function identifierText(value: number): string {
  return formatIp(Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value))
}
