/**
 * Who may ask what. Denials of all policies are judged first, then permissions: as soon as one policy allows anything, what nobody allows is refused. Policies
 * under trial are a filter of their own that refuses nothing. Authorities are asked last, for what the rules let pass.
 */
import type { PolicyPlugin } from '../../input/index.ts'
import type { HttpFilter, Rbac } from '../../model/index.ts'
import type { AuthorizationConf } from '../../kuma/translate-own.ts'

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
  inboundHttp(rules, http) {
    const conf = rules.at(-1)?.conf
    if (!conf) return http
    const judges: HttpFilter[] = []
    if (isSaid(conf.rbac)) judges.push({ type: 'rbac', name: AUTHORIZATION_FILTER, rbac: rbacOf(conf.rbac) })
    if (isSaid(conf.dryRun))
      judges.push({ type: 'rbac', name: AUTHORIZATION_DRY_RUN_FILTER, rbac: { ...rbacOf(conf.dryRun), dryRun: true } })
    return { ...http, filters: [...http.filters, ...judges, ...conf.custom] }
  },
}

const isSaid = ({ deny, allow }: Rules): boolean => deny.length + allow.length > 0

function rbacOf({ deny, allow }: Rules): Rbac {
  return { deny, shadowDeny: [], allow, otherwise: allow.length > 0 ? 'deny' : 'allow' }
}
