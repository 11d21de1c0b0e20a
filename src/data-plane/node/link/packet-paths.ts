import { messageOf, StatusError } from '../../../base/errors.ts'
import { formatIp, parsePrefix } from '../../../base/ip.ts'
import { BadAddressError, explainVerdict, type CountedRefusal, type CountedRule } from '../../../policy/packet/explain/index.ts'
import type { PacketPolicy } from '../../../policy/packet/policies/index.ts'
import type { ServiceTable } from '../../../policy/packet/services/index.ts'
import {
  COUNTERS_PATH,
  decodeVerdictQuestion,
  PEERS_PATH,
  ROUTES_PATH,
  VERDICT_PATH,
  type KernelRouteAnswer,
  type PeersAnswer,
  type RoutesAnswer,
  type WayAnswer,
} from '../../../protocols/node-explain.ts'
import type { NodePathHandler, NodePathRequest } from './node-paths.ts'

/** Where the answers come from. What is absent is said to be absent. */
export interface PacketPathParts {
  /** Name of this node. */
  readonly node: string
  readonly services?: () => ServiceTable | undefined
  readonly policies?: () => PacketPolicy | undefined
  /** Reads the kernel's counters of policies. */
  readonly counters?: () => Promise<readonly CountedRule[]>
  /** The last packets that policies have denied, oldest first. */
  readonly denials?: () => readonly object[]
  /** How often the kernel turned away whom a service could not serve, by frontend. */
  readonly refusals?: () => Promise<readonly CountedRefusal[]>
  /** What became of packets for other reasons than policies. */
  readonly kernelCounters?: () => object
  /** The kernel's route to an address; a string says why there is none. See `kernelRoute`. */
  readonly route?: (address: string) => Promise<KernelRouteAnswer | string>
  /** Asks the router of this node, which is another process: `/peers`, `/routes`. */
  readonly router?: (target: string, signal: AbortSignal) => Promise<unknown>
}

/** Paths with which a node explains what it does with packets. */
export function packetPaths(parts: PacketPathParts): Readonly<Record<string, NodePathHandler>> {
  return {
    [VERDICT_PATH]: async ({ query }) => ({ json: await verdict(parts, query) }),
    [ROUTES_PATH]: async (request) => ({ json: await routes(parts, request) }),
    [PEERS_PATH]: async ({ signal }) => ({ json: await peers(parts, signal) }),
    [COUNTERS_PATH]: async () => ({
      json: {
        node: parts.node,
        rules: (await parts.counters?.()) ?? [],
        denials: parts.denials?.() ?? [],
        refusals: (await parts.refusals?.()) ?? [],
        kernel: parts.kernelCounters?.(),
      },
    }),
  }
}

async function verdict(parts: PacketPathParts, query: URLSearchParams): Promise<unknown> {
  const question = decodeVerdictQuestion(query)
  if (typeof question === 'string') throw new StatusError('BadRequest', question)
  const [services, policies, counters] = [parts.services?.(), parts.policies?.(), await parts.counters?.()]
  try {
    const answer = explainVerdict(question, {
      node: parts.node,
      ...(services ? { services } : {}),
      ...(policies ? { policies } : {}),
      ...(counters ? { counters } : {}),
      ...(parts.refusals ? { refusals: await parts.refusals() } : {}),
    })
    const ways: WayAnswer[] = []
    for (const way of answer.ways) ways.push({ ...way, ...(await routeOf(parts, way.address)) })
    return { ...answer, ways }
  } catch (error) {
    if (error instanceof BadAddressError) throw new StatusError('BadRequest', error.message)
    throw error
  }
}

async function routeOf(parts: PacketPathParts, address: string): Promise<Pick<WayAnswer, 'route' | 'routeProblem' | 'unroutable'>> {
  if (!parts.route) return { routeProblem: 'this node does not read the routes of its kernel' }
  try {
    const found = await parts.route(address)
    return typeof found === 'string' ? { routeProblem: found, unroutable: true } : { route: found }
  } catch (error) {
    return { routeProblem: messageOf(error) }
  }
}

async function routes(parts: PacketPathParts, { query, signal }: NodePathRequest): Promise<RoutesAnswer<unknown>> {
  const text = query.get('prefix')
  if (text === null) {
    const page = new URLSearchParams([...query].filter(([name]) => name === 'limit' || name === 'offset')).toString()
    const { answer, routerProblem } = await ask(parts, page === '' ? '/routes' : `/routes?${page}`, signal)
    return { node: parts.node, routes: answer.routes ?? [], ...(routerProblem === undefined ? {} : { routerProblem }) }
  }
  const prefix = parsePrefix(text)
  if (!prefix) throw new StatusError('BadRequest', `"${text}" is no prefix such as 192.0.2.0/24`)
  const { answer, routerProblem } = await ask(parts, `/routes?prefix=${encodeURIComponent(text)}`, signal)
  const { route, routeProblem } = await routeOf(parts, formatIp(prefix.bytes))
  return {
    node: parts.node,
    routes: answer.routes ?? [],
    ...(routerProblem === undefined ? {} : { routerProblem }),
    ...(route ? { kernel: route } : {}),
    ...(routeProblem === undefined ? {} : { kernelProblem: routeProblem }),
  }
}

async function peers(parts: PacketPathParts, signal: AbortSignal): Promise<PeersAnswer<unknown>> {
  const { answer, routerProblem } = await ask(parts, '/peers', signal)
  const { peers: found = [], problems = [] } = answer
  return {
    node: parts.node,
    peers: found,
    ...(problems.length > 0 ? { problems } : {}),
    ...(routerProblem === undefined ? {} : { routerProblem }),
  }
}

async function ask(
  { router }: PacketPathParts,
  target: string,
  signal: AbortSignal,
): Promise<{ readonly answer: RouterAnswer; readonly routerProblem?: string }> {
  if (!router) return { answer: {}, routerProblem: 'this node has no router' }
  try {
    return { answer: ((await router(target, signal)) ?? {}) as RouterAnswer }
  } catch (error) {
    return { answer: {}, routerProblem: `the router of this node does not answer: ${messageOf(error)}` }
  }
}

/** What a router tells, as far as it is looked at here. */
interface RouterAnswer {
  readonly routes?: readonly unknown[]
  readonly peers?: readonly unknown[]
  readonly problems?: readonly string[]
}
