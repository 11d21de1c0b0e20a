import type { RouteView } from '../../control-plane/routing/index.ts'
import type { KernelRouteAnswer, RoutesAnswer } from '../../protocols/node-explain.ts'
import { formatTable } from '../print/table.ts'
import type { NodeReply } from './ask-nodes.ts'

type CandidateView = RouteView['candidates'][number]
type Replies = readonly NodeReply<RoutesAnswer<RouteView>>[]

/** Routes of all nodes as a table: what is in use; with `wide` every candidate, with what decided. */
export function routesTable(replies: Replies, { wide }: { readonly wide: boolean }): string {
  const rows = replies.flatMap(({ node, answer }) =>
    (answer?.routes ?? []).flatMap((route) =>
      route.candidates
        .filter(({ state }) => wide || state === 'best' || state === 'multipath')
        .map((candidate) => [
          node,
          route.prefix,
          ...candidateCells(candidate),
          ...(wide ? [candidate.reason] : [kernelCell(route, candidate)]),
        ]),
    ),
  )
  const head = ['NODE', 'PREFIX', ...CANDIDATE_HEAD, wide ? 'REASON' : 'KERNEL']
  return rows.length === 0 ? '' : formatTable([head, ...rows])
}

/** All about one prefix on each node: candidates, what decided, filters that rejected, who is told, what the kernel has. */
export function routeDetails(replies: Replies): string {
  return replies.flatMap(({ node, answer }) => (answer ? [detailsOf(node, answer)] : [])).join('\n')
}

const CANDIDATE_HEAD = ['STATE', 'FROM', 'NEXT-HOP', 'AS-PATH', 'LOCAL-PREF', 'MED']

function candidateCells({ state, from, stale, accepted, received }: CandidateView): string[] {
  const { nextHop = '', asPath = '', localPreference, med } = accepted ?? received
  return [
    stale ? `${state} (stale)` : state,
    from,
    nextHop,
    asPath,
    localPreference === undefined ? '' : String(localPreference),
    med === undefined ? '' : String(med),
  ]
}

function kernelCell(route: RouteView, { state }: CandidateView): string {
  if (state !== 'best') return ''
  return route.fibProblem === undefined ? (route.fib ?? '') : `missing: ${route.fibProblem}`
}

function detailsOf(node: string, answer: RoutesAnswer<RouteView>): string {
  const lines: string[] = []
  for (const route of answer.routes) {
    lines.push(`${route.prefix} on ${node}`)
    const candidates = route.candidates.map((candidate) => [...candidateCells(candidate), communities(candidate), candidate.reason])
    lines.push(...indented(formatTable([[...CANDIDATE_HEAD, 'COMMUNITIES', 'REASON'], ...candidates])))
    const told = route.exports.map(({ peer, advertised, pending, reason }) => [
      peer,
      pending ? 'pending' : advertised ? 'yes' : 'no',
      reason,
    ])
    if (told.length > 0) lines.push('', ...indented(formatTable([['TOLD TO', 'ADVERTISED', 'REASON'], ...told])))
    lines.push('', `  wanted:  ${route.fib ?? 'nothing for the kernel'}`)
    if (route.fibProblem !== undefined) lines.push(`  problem: ${route.fibProblem}`)
  }
  if (answer.routes.length === 0) lines.push(`the router of ${node} has no such route`)
  if (answer.kernel) lines.push(`  kernel:  ${kernelRouteText(answer.kernel)}`)
  else if (answer.kernelProblem !== undefined) lines.push(`  kernel:  ${answer.kernelProblem}`)
  return `${lines.join('\n')}\n`
}

/** `10.1.0.0/16 via 192.0.2.1 dev eth0 (biplane router, metric 20)`. */
export function kernelRouteText({ destination, type, nextHops, owner, metric, table }: KernelRouteAnswer): string {
  const kind = type === 'unicast' ? '' : ` ${type}`
  const where = table === 254 || table === 255 ? '' : `, table ${table}`
  const hops = nextHops.length === 0 ? '' : ` ${nextHops.join(', ')}`
  return `${destination}${kind}${hops} (${owner}${metric === 0 ? '' : `, metric ${metric}`}${where})`
}

function communities({ accepted, received }: CandidateView): string {
  const path = accepted ?? received
  return [...(path.communities ?? []), ...(path.largeCommunities ?? [])].join(' ')
}

function indented(table: string): string[] {
  return table
    .trimEnd()
    .split('\n')
    .map((line) => `  ${line.trimEnd()}`)
}
