/**
 * Who may ask what. Denials of all policies are judged first, then permissions: as soon as one policy allows anything, what nobody allows is refused. Policies
 * under trial are a filter of their own that refuses nothing. Authorities are asked last, for what the rules let pass.
 */
import { compileRbac } from '../../evaluate/index.ts'
import type { PolicyPlugin } from '../../input/index.ts'
import type { HttpFilter, Principal, Rbac, RbacRule } from '../../model/index.ts'
import { narrower } from '../mesh-traffic-permission/index.ts'
import { NOBODY, type AuthorizationConf } from '../../kuma/translate-own.ts'

export const AUTHORIZATION_FILTER = 'mesh-authorization-policy'
export const AUTHORIZATION_DRY_RUN_FILTER = 'mesh-authorization-policy-dry-run'

type Rules = Pick<Rbac, 'deny' | 'allow'>

const together = (rules: readonly Rules[]): Rules => ({
  deny: rules.flatMap(({ deny }) => deny),
  allow: rules.flatMap(({ allow }) => allow),
})

export const meshAuthorizationPolicy: PolicyPlugin<AuthorizationConf> = {
  type: 'MeshAuthorizationPolicy',
  merge: (confs) => ({
    rbac: together(confs.map(({ rbac }) => rbac)),
    dryRun: together(confs.map(({ dryRun }) => dryRun)),
    custom: confs.flatMap(({ custom }) => custom),
  }),
  check({ rbac, dryRun }) {
    for (const rules of [rbac, dryRun]) compileRbac(rbacOf(rules))
  },
  // one on trial refuses nothing; one that only allows lets nothing pass, and others may; what another would have refused is not known: everything
  closed(name, conf) {
    const { rbac, custom } = (conf ?? {}) as Partial<AuthorizationConf>
    const refusesNothing = Array.isArray(custom) && custom.length === 0 && Array.isArray(rbac?.deny) && rbac.deny.length === 0
    const allowsNothing = !Array.isArray(rbac?.allow) || rbac.allow.length === 0
    const rule = { name, principals: [], requests: [] }
    const rules: Rules = refusesNothing
      ? { deny: [], allow: allowsNothing ? [] : [{ ...rule, principals: [NOBODY] }] }
      : { deny: [rule], allow: [] }
    return { rbac: rules, dryRun: { deny: [], allow: [] }, custom: [] }
  },
  inboundHttp(rules, http) {
    const conf = rules.at(-1)?.conf
    if (!conf) return http
    const judges: HttpFilter[] = []
    if (isSaid(conf.rbac)) judges.push({ type: 'rbac', name: AUTHORIZATION_FILTER, rbac: rbacOf(conf.rbac) })
    if (isSaid(conf.dryRun))
      judges.push({ type: 'rbac', name: AUTHORIZATION_DRY_RUN_FILTER, rbac: { ...rbacOf(conf.dryRun), dryRun: true } })
    return { ...http, filters: [...http.filters, ...judges, ...conf.custom] }
  },
  // bytes are no requests: the rules that look at the connection alone hold; in a chain that may find HTTP, permissions wait for the request
  inboundConnection(rules, connection, { protocol }) {
    const conf = rules.at(-1)?.conf.rbac
    if (!conf || !isSaid(conf) || protocol === 'http' || protocol === 'http2' || protocol === 'grpc') return connection
    const before: Rbac = connection.rbac ?? { deny: [], shadowDeny: [], allow: [], otherwise: 'allow' }
    const deny = [...before.deny, ...conf.deny]
    if (conf.allow.length === 0 || protocol === 'auto') return { ...connection, rbac: { ...before, deny } }
    const allow =
      before.otherwise === 'allow' ? conf.allow : conf.allow.flatMap((rule) => before.allow.flatMap((other) => both(rule, other)))
    return { ...connection, rbac: { ...before, deny, allow, otherwise: 'deny' } }
  },
}

/** What both rules allow; none: nothing, or it cannot be said. */
function both(rule: RbacRule, { principals: others }: RbacRule): readonly RbacRule[] {
  const all = (list: readonly Principal[]): readonly Principal[] => (list.length > 0 ? list : [{}])
  const principals = all(rule.principals).flatMap((a) =>
    all(others).flatMap((b): Principal[] => {
      const id = a.spiffeId && b.spiffeId ? narrower(a.spiffeId, b.spiffeId) : (a.spiffeId ?? b.spiffeId)
      return a.spiffeId && b.spiffeId && !id ? [] : [{ ...b, ...a, ...(id ? { spiffeId: id } : {}) }]
    }),
  )
  return principals.length > 0 ? [{ ...rule, principals }] : []
}

const isSaid = ({ deny, allow }: Rules): boolean => deny.length + allow.length > 0

function rbacOf({ deny, allow }: Rules): Rbac {
  return { deny, shadowDeny: [], allow, otherwise: allow.length > 0 ? 'deny' : 'allow' }
}
