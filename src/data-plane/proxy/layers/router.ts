import type { Random } from '../../../base/backoff.ts'
import type { Clock } from '../../../base/clock.ts'
import { compileHash, compileWeighted } from '../../../policy/traffic/evaluate/index.ts'
import { INVALID_CLUSTER, type ForwardAction, type Route, type WeightedCluster } from '../../../policy/traffic/model/index.ts'
import type { ClusterManager, PickRequest, UpstreamCluster } from '../clusters/index.ts'
import type { Exchange, Service } from '../contract.ts'
import { modifyRequest } from './changes.ts'
import { stateOf, type RequestState } from './request-state.ts'
import { compileRetry, type CompiledRetry } from './retry-policy.ts'
import { compileSession, type Session } from './session.ts'
import { UpstreamTry, type TryContext } from './upstream-try.ts'

export interface RouterDeps {
  readonly clusters: ClusterManager
  readonly clock: Clock
  readonly random: Random
}

/** Envoy's default. */
const DEFAULT_TIMEOUT = 15_000

/**
 * The innermost service: picks a cluster by weight, an endpoint by its balancer, and tries until there is an answer worth giving.
 * @throws MatchError
 */
export function createRouter(route: Route, action: ForwardAction, deps: RouterDeps): Service {
  const choose = action.clusters.length > 0 ? compileWeighted(action.clusters.map((value) => ({ value, weight: value.weight }))) : undefined
  const retry = action.retry && compileRetry(action.retry)
  const pickRequest = compilePick(action, deps)
  const session = action.session && compileSession(action.session)
  const { timeoutMs = DEFAULT_TIMEOUT, idleTimeoutMs, maxStreamDurationMs } = action
  return (exchange) => {
    const { request } = exchange
    const state = stateOf(exchange)
    if (request.upgrade !== undefined && action.upgrades === false) {
      return exchange.respond({ status: 403, details: 'upgrade_failed' })
    }
    const weighted = choose?.(deps.random())
    if (!weighted || weighted.cluster === INVALID_CLUSTER) return exchange.respond({ status: 500, flag: 'NC', details: 'invalid_backend' })
    const cluster = deps.clusters.get(weighted.cluster)
    if (!cluster) return exchange.respond({ status: 503, flag: 'NC', details: 'cluster_not_found' })
    state.cluster = cluster
    if (!cluster.circuit.requestStarting()) {
      exchange.respond({ status: 503, body: OVERFLOW, flag: 'UO', details: 'upstream_overflow', headers: OVERLOADED })
      return
    }
    state.onEnd = () => cluster.circuit.requestEnded()
    applyModifiers(exchange, state, weighted)
    // an upgraded connection lives as long as it likes
    if (timeoutMs > 0 && request.upgrade === undefined) exchange.setTimeout('response', timeoutMs)
    if (idleTimeoutMs !== undefined) exchange.setTimeout('idle', idleTimeoutMs)
    if (maxStreamDurationMs !== undefined) exchange.setTimeout('maxDuration', maxStreamDurationMs)
    start(exchange, state, cluster, { deps, retry, pick: pickRequest(exchange, session) }, session)
  }
}

const OVERFLOW = 'upstream connect error or disconnect/reset before headers. reset reason: overflow'
const OVERLOADED = [{ name: 'x-envoy-overloaded', value: 'true' }]
/** Bytes of a body kept for another try. Source: Envoy's default of buffer limits is 1 MiB; a sidecar has less to give. */
const REPLAY_LIMIT = 65_536

function applyModifiers(exchange: Exchange, state: RequestState, { requestHeaders, responseHeaders }: WeightedCluster): void {
  if (requestHeaders) modifyRequest(exchange, requestHeaders)
  if (responseHeaders) state.clusterModifier = responseHeaders
}

function start(
  exchange: Exchange,
  state: RequestState,
  cluster: UpstreamCluster,
  context: { deps: RouterDeps; retry: CompiledRetry | undefined; pick: PickRequest | undefined },
  session: Session | undefined,
): void {
  const retry = context.retry?.covers(exchange.request) ? context.retry : undefined
  if (retry && !exchange.request.endsWithHead) exchange.replayLimitBytes = REPLAY_LIMIT
  const shared: TryContext = {
    exchange,
    state,
    cluster,
    retry,
    pick: context.pick,
    session,
    clock: context.deps.clock,
    random: context.deps.random,
  }
  new UpstreamTry(shared).start()
}

/** Most routes ask for nothing special: nothing is made for their requests then. */
function compilePick(
  action: ForwardAction,
  deps: RouterDeps,
): (exchange: Exchange, session: Session | undefined) => PickRequest | undefined {
  const hash = action.hash?.length ? compileHash(action.hash) : undefined
  const attempts = action.retry?.hostSelectionAttempts
  return (exchange, session) => {
    const { request, connection } = exchange
    const { original } = connection
    if (!hash && !session && !original) return undefined
    return {
      attempts,
      original,
      session: session?.read(request),
      hash: hash?.(request, connection.remote.address, (policy) => {
        const value = Math.floor(deps.random() * 2 ** 48).toString(16)
        const age = policy.ttlMs ? `; Max-Age=${Math.ceil(policy.ttlMs / 1_000)}` : ''
        stateOf(exchange).addResponseHeader('set-cookie', `${policy.name}="${value}"${age}; Path=${policy.path ?? '/'}; HttpOnly`)
        return value
      }),
    }
  }
}
