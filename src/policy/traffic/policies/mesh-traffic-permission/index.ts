/**
 * Who may call. The lists of all policies for a port are put together: deny is judged first, then shadow deny, then allow. A caller that no list names is denied
 * where callers are allowed by name; where none are, it gets the mesh's `defaultPermission`. Judged for connections, and for requests again: open connections lose what is revoked.
 */
import { compilePrincipal } from '../../evaluate/index.ts'
import type { CallerMatch, InboundContext, MergedRules, PolicyPlugin } from '../../input/index.ts'
import type { ConnectionRules, HttpConnectionManager, Principal, Rbac, RbacRule } from '../../model/index.ts'

interface Permission {
  readonly match: CallerMatch
  /** Of the policy, for denials. */
  readonly name: string
}

export interface PermissionConf {
  readonly deny: readonly Permission[]
  readonly shadowDeny: readonly Permission[]
  readonly allow: readonly Permission[]
}

export const RBAC_FILTER = 'mesh-traffic-permission'

export const meshTrafficPermission: PolicyPlugin<PermissionConf> = {
  type: 'MeshTrafficPermission',
  always: true,
  merge: (confs) => ({
    deny: confs.flatMap(({ deny }) => deny),
    shadowDeny: confs.flatMap(({ shadowDeny }) => shadowDeny),
    allow: confs.flatMap(({ allow }) => allow),
  }),
  check({ deny, shadowDeny, allow }) {
    for (const { match } of [...deny, ...shadowDeny, ...allow]) compilePrincipal({ ...match })
  },
  // whom it would have denied is not known: everybody. One that denies nobody lets nobody in, and others may
  closed(name, conf) {
    const { deny, allow } = (conf ?? {}) as Partial<PermissionConf>
    const nobody = { match: { spiffeId: { exact: '' } }, name }
    return Array.isArray(deny) && deny.length === 0 && Array.isArray(allow)
      ? { deny: [], shadowDeny: [], allow: [nobody] }
      : { deny: [{ match: {}, name }], shadowDeny: [], allow: [nobody] }
  },
  inboundConnection(rules, connection, context): ConnectionRules {
    return { ...connection, rbac: permissionRbac(rules, context) }
  },
  inboundHttp(rules, http, context): HttpConnectionManager {
    const filter = { type: 'rbac', name: RBAC_FILTER, rbac: permissionRbac(rules, context) } as const
    return { ...http, filters: [filter, ...http.filters.filter(({ name }) => name !== RBAC_FILTER)] }
  },
}

/** The rules of a port; whoever is denied in the shadow alone is allowed. Or without any the mesh's default. */
export function permissionRbac(rules: MergedRules<PermissionConf>, { world }: Pick<InboundContext, 'world'>): Rbac {
  const list = (...fields: readonly (keyof PermissionConf)[]): readonly RbacRule[] => {
    const principals = new Map<string, Map<string, Principal>>()
    for (const { matches, conf } of rules) {
      for (const { match, name } of fields.flatMap((field) => conf[field])) {
        for (const entry of matches.length > 0 ? matches : [{}]) {
          const both = intersect(entry, match)
          if (!both) continue
          const of = principals.get(name) ?? new Map<string, Principal>()
          of.set(JSON.stringify(both), both)
          principals.set(name, of)
        }
      }
    }
    return [...principals].map(([name, of]) => ({ name, principals: [...of.values()], requests: [] }))
  }
  // to allow some and mean all would be no permission
  const otherwise = list('allow').length > 0 ? 'deny' : world.mesh.defaultPermission
  return { deny: list('deny'), shadowDeny: list('shadowDeny'), allow: list('allow', 'shadowDeny'), otherwise }
}

// a rule's callers and those of a list in it: the narrower of two ids where one contains the other, nothing where they have nothing in common
function intersect(a: CallerMatch, b: CallerMatch): Principal | undefined {
  const names = [a.serverName, b.serverName].filter((one) => one !== undefined)
  if (names.length === 2 && JSON.stringify(names[0]) !== JSON.stringify(names[1])) return undefined
  const ids = [a.spiffeId, b.spiffeId].filter((one) => one !== undefined)
  const id = ids.length === 2 ? narrower(ids[0]!, ids[1]!) : ids[0]
  if (ids.length === 2 && !id) return undefined
  return { ...(id ? { spiffeId: id } : {}), ...(names[0] ? { serverName: names[0] } : {}) }
}

type Id = NonNullable<CallerMatch['spiffeId']>

/** The ids of both; undefined: none, or it cannot be said. */
export function narrower(a: Id, b: Id): Id | undefined {
  if (JSON.stringify(a) === JSON.stringify(b)) return a
  const text = (id: Id): string | undefined => ('exact' in id ? id.exact : 'prefix' in id ? id.prefix : undefined)
  if ('prefix' in a && text(b)?.startsWith(a.prefix)) return b
  if ('prefix' in b && text(a)?.startsWith(b.prefix)) return a
  return undefined
}
