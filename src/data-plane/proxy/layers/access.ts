import { compileRbac, Peer, type Claims } from '../../../policy/traffic/evaluate/index.ts'
import { portOfServerName, type ConnectionRules, type Rbac } from '../../../policy/traffic/model/index.ts'
import type { Downstream, Exchange, Layer } from '../contract.ts'
import type { ConnectionStats, HttpStats } from '../telemetry/stats.ts'
import { stateOf } from './request-state.ts'
import { TokenBucketState } from './token-bucket.ts'

const peers = new WeakMap<Downstream, Peer>()

/** Who is at the other end of a connection; made once for each. The port is the application's, however the connection came. */
export function peerOf(connection: Downstream): Peer {
  let peer = peers.get(connection)
  if (!peer) {
    const { tls, remote, original, local } = connection
    peer = new Peer({
      address: remote.address,
      port: portOfServerName(tls?.serverName ?? '') ?? original?.port ?? local.port,
      ...(tls?.peer === undefined ? {} : { identity: tls.peer }),
      ...(tls?.serverName === undefined ? {} : { serverName: tls.serverName }),
    })
    peers.set(connection, peer)
  }
  return peer
}

/** Refuses who may not. @param claimsOf claims of a verified token @throws MatchError */
export function createRbacLayer(rbac: Rbac, stats: HttpStats, claimsOf: (exchange: Exchange) => Claims | undefined): Layer {
  const compiled = compileRbac(rbac)
  const { table } = stats
  return (inner) => (exchange) => {
    const { verdict, rule } = compiled.decide(
      peerOf(exchange.connection),
      exchange.request,
      compiled.needsRequest ? claimsOf(exchange) : undefined,
    )
    if (verdict === 'deny') {
      table.inc(stats.rbacDenied)
      exchange.respond({ status: 403, body: 'RBAC: access denied', details: `rbac_access_denied_matched_policy[${rule}]` })
      return
    }
    if (verdict === 'shadowDeny') {
      table.inc(stats.rbacShadowDenied)
      stateOf(exchange).shadowRule = rule
    }
    table.inc(stats.rbacAllowed)
    inner(exchange)
  }
}

export interface ConnectionVerdict {
  readonly allowed: boolean
  /** As `%CONNECTION_TERMINATION_DETAILS%`, where not allowed. */
  readonly details: string
}

/** Judges connections before a byte goes on, and again when the rules have changed (`again`: no token is taken then). @throws MatchError */
export function createConnectionJudge(
  rules: ConnectionRules,
  stats: ConnectionStats,
  clock: { monotonic(): number },
): (connection: Downstream, again?: boolean) => ConnectionVerdict {
  const rbac = rules.rbac && compileRbac(rules.rbac)
  const bucket = rules.rateLimit && new TokenBucketState(rules.rateLimit, clock.monotonic())
  const { table } = stats
  return (connection, again = false) => {
    if (bucket && !again && !bucket.take(clock.monotonic())) {
      table.inc(stats.rateLimited)
      return { allowed: false, details: 'local_rate_limited' }
    }
    const decision = rbac?.decide(peerOf(connection))
    if (!decision) return ALLOWED
    if (!again) table.inc({ allow: stats.rbacAllowed, deny: stats.rbacDenied, shadowDeny: stats.rbacShadowDenied }[decision.verdict])
    return decision.verdict === 'deny' ? { allowed: false, details: `rbac_access_denied_matched_policy[${decision.rule}]` } : ALLOWED
  }
}

const ALLOWED: ConnectionVerdict = { allowed: true, details: '' }
