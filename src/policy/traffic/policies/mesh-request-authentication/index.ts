/** Tokens of requests, verified before anything looks at their claims. Providers of all policies for a port are put together; of one name the stronger policy's counts. */
import type { PolicyPlugin } from '../../input/index.ts'
import type { RbacFilter } from '../../model/index.ts'
import type { AuthenticationConf } from '../../kuma/translate-own.ts'

export const JWT_FILTER = 'mesh-request-authentication'

export const meshRequestAuthentication: PolicyPlugin<AuthenticationConf> = {
  type: 'MeshRequestAuthentication',
  merge: (confs) => ({
    providers: [...new Map(confs.flatMap(({ providers }) => providers.map((provider) => [provider.name, provider] as const))).values()],
    required: confs.some(({ required }) => required),
    refusing: confs.flatMap(({ refusing = [] }) => refusing),
  }),
  closed: (name) => ({ providers: [], required: false, refusing: [name] }),
  inboundHttp(rules, http) {
    const conf = rules.at(-1)?.conf
    const others = http.filters.filter(({ name }) => name !== JWT_FILTER)
    if (conf?.refusing?.length) {
      const deny = conf.refusing.map((name) => ({ name, principals: [], requests: [] }))
      const refused: RbacFilter = { type: 'rbac', name: JWT_FILTER, rbac: { deny, shadowDeny: [], allow: [], otherwise: 'allow' } }
      return { ...http, filters: [refused, ...others] }
    }
    if (!conf?.providers.length) return { ...http, filters: others }
    return { ...http, filters: [{ type: 'jwt', name: JWT_FILTER, providers: conf.providers, required: conf.required }, ...others] }
  },
}
