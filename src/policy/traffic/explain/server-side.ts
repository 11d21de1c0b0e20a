import { compileRbac, type Peer, type RbacDecision, type RequestView } from '../evaluate/index.ts'
import type { CompiledProxy } from '../compile/index.ts'
import type { ProxyView } from '../input/index.ts'
import { INBOUND_ANY, inboundName, originName, type HttpFilter, type Origin } from '../model/index.ts'
import { chainFor, find, type Arrival } from './caller-side.ts'
import type { Steps } from './steps.ts'

/** Whether the proxy of the destination lets a call in. */
export function judgeInbound(arrival: Arrival, peer: Peer, { dataPlane }: ProxyView, compiled: CompiledProxy, steps: Steps): void {
  const found = find(compiled.resources, 'listener', inboundName(peer.port)) ?? find(compiled.resources, 'listener', INBOUND_ANY)
  if (!found) return steps.failed('tls', `the destination's proxy knows no port ${peer.port}: the connection is closed`)
  if (dataPlane === 'grpc' && arrival.transport !== 'mesh' && found.value.chains.some(({ tls }) => tls?.mode === 'mesh')) {
    return steps.denied('tls', 'gRPC in the application takes TLS of the mesh alone, this connection is not')
  }
  const chain = chainFor(found.value, { transport: arrival.transport })
  if (!chain) {
    const policy = found.origins.find(({ kind }) => kind === 'MeshTLS')
    const why =
      arrival.transport === 'mesh' ? 'takes no connections of the mesh' : 'takes connections of the mesh alone (strict), this one is not'
    return steps.denied('tls', `the destination ${why}`, policy)
  }
  const { connection, http } = chain
  if (connection?.rbac) {
    const decision = compileRbac(connection.rbac).decide(peer)
    if (decision.verdict === 'deny') return deny(decision, found.origins, steps)
    if (!http || !arrival.request) return allow(decision, found.origins, steps)
  }
  const request = http && arrival.request
  if (!request) return steps.ok('permission', 'nobody is asked for permission')
  judgeRequest(http.filters, request, peer, found.origins, steps)
}

/** Filters in their order; the first that refuses ends it. What depends on the world outside is said, not guessed. */
function judgeRequest(filters: readonly HttpFilter[], request: RequestView, peer: Peer, origins: readonly Origin[], steps: Steps): void {
  let judged = false
  for (const filter of filters) {
    switch (filter.type) {
      case 'rbac': {
        judged = true
        const decision = compileRbac(filter.rbac).decide(peer, request)
        if (decision.verdict === 'deny') return deny(decision, origins, steps)
        allow(decision, origins, steps)
        break
      }
      case 'jwt': {
        judged = true
        if (request.headers.get('authorization') !== undefined)
          steps.ok(
            'permission',
            'the token is verified first; rules about its claims are judged here as if there were none',
            policyOf(filter.name, origins),
          )
        else if (filter.required)
          return steps.denied('permission', 'a token is required, and none is sent: 401', policyOf(filter.name, origins))
        break
      }
      case 'extAuthz':
        judged = true
        steps.ok('permission', `${filter.cluster} is asked; what it says is not known here`, policyOf(filter.name, origins))
        break
      case 'rateLimit':
      case 'fault':
        steps.ok(
          'permission',
          filter.type === 'fault' ? 'faults may be injected' : 'requests may be limited',
          policyOf(filter.name, origins),
        )
        break
      case 'cors':
      case 'grpcJson':
        break
    }
  }
  if (!judged) steps.ok('permission', 'nobody is asked for permission')
}

function deny({ rule }: RbacDecision, origins: readonly Origin[], steps: Steps): void {
  const why = rule === 'none' ? 'no rule allows it, and what no rule allows is refused' : `${rule} denies it`
  steps.denied('permission', `${why}: 403, connections are closed`, policyOf(rule, origins))
}

function allow({ verdict, rule }: RbacDecision, origins: readonly Origin[], steps: Steps): void {
  if (verdict === 'shadowDeny') steps.ok('permission', `passes, though ${rule} on trial would deny it`, policyOf(rule, origins))
  else steps.ok('permission', rule === 'none' ? 'no rule denies it' : `${rule} allows it`, policyOf(rule, origins))
}

/** Names of rules and filters are those of their policies, with something behind where a policy has several. */
function policyOf(name: string, origins: readonly Origin[]): Origin | undefined {
  return origins.find((origin) => name === originName(origin) || name.startsWith(`${originName(origin)}/`))
}
