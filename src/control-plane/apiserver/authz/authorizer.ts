import type { Pod } from '../../../api/generated/types.ts'
import { StatusError } from '../../../base/errors.ts'
import type { Authorizer, Decision, RequestInfo, UserInfo } from '../contract.ts'
import { unauthorizedAccess } from '../registry/status-errors.ts'
import { mayBootstrap } from './bootstrap-rules.ts'
import { nodeNameOf, nodeRules, type NodeAccess } from './node-rules.ts'

export interface AuthorizerOptions {
  /** The pods bound to a node, as far as known: what a node may read follows from it. */
  readonly podsOfNode: (nodeName: string) => Promise<readonly Pod[]> | readonly Pod[]
  /** Who asked for a certificate signing request. Absent: nodes and joining machines may read any by name. */
  readonly requestorOf?: (signingRequest: string) => Promise<string | undefined>
  /** Secrets (`namespace/name`) with the passwords of BGP peers. Absent: none. */
  readonly peerSecrets?: () => ReadonlySet<string>
  /** See NodeAccess. */
  readonly seesAllPods?: boolean
}

/**
 * The built-in roles; denies by default. `system:masters` may do everything, `system:nodes` what a node agent needs for itself and its pods,
 * `system:bootstrappers` ask for a certificate, everyone authenticated read discovery and ask what they may. RBAC will stand beside these.
 */
export function createAuthorizer(options: AuthorizerOptions): Authorizer {
  const access: NodeAccess = options
  return {
    async authorize(user, info) {
      if (user.groups.includes('system:masters')) return allowed('system:masters may do everything')
      if (mayAnyone(user, info)) return allowed('open to every user')
      if (user.groups.includes('system:bootstrappers') && (await mayBootstrap(user.name, info, options.requestorOf))) {
        return allowed('system:bootstrappers may ask for a certificate')
      }
      const node = nodeNameOf(user)
      return node === undefined ? DENIED : decide(await nodeRules(node, info, access))
    },
  }
}

/** The 403 for what an authorizer did not allow. */
export function refusal(user: UserInfo, info: RequestInfo, reason: string): StatusError {
  if (info.isResourceRequest) return unauthorizedAccess(user, info, reason)
  const why = reason === '' ? '' : `: ${reason}`
  return new StatusError(
    'Forbidden',
    `forbidden: User ${JSON.stringify(user.name)} cannot ${info.verb} path ${JSON.stringify(info.path)}${why}`,
  )
}

const PUBLIC_PATHS = new Set(['/healthz', '/livez', '/readyz', '/version'])
const DISCOVERY = /^\/(?:api|apis|openapi)(?:\/|$)/
const SELF_REVIEWS = new Set(['selfsubjectaccessreviews', 'selfsubjectrulesreviews', 'selfsubjectreviews'])
const REVIEW_GROUPS = new Set(['authorization.k8s.io', 'authentication.k8s.io'])

const DENIED: Decision = { allowed: false, reason: '' }
const allowed = (reason: string): Decision => ({ allowed: true, reason })
const decide = (reason: string | undefined): Decision => (reason === undefined ? DENIED : allowed(reason))

function mayAnyone(user: UserInfo, info: RequestInfo): boolean {
  if (!info.isResourceRequest) {
    if (info.verb !== 'get') return false
    if (isPublicPath(info.path)) return true
    return user.groups.includes('system:authenticated') && DISCOVERY.test(info.path)
  }
  const review = info.verb === 'create' && SELF_REVIEWS.has(info.resource) && REVIEW_GROUPS.has(info.group)
  return review && user.groups.includes('system:authenticated')
}

/** Health, by check too, and the version: open to those without credentials. */
export function isPublicPath(path: string): boolean {
  return PUBLIC_PATHS.has(path) || /^\/(?:healthz|livez|readyz)\//.test(path)
}
