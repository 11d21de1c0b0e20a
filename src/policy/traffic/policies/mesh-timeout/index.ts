/** How long things may take. A route that says itself how long a request may take (Gateway API) keeps its word. */
import type { PolicyPlugin } from '../../input/index.ts'
import type { HttpConnectionManager, HttpTimeouts } from '../../model/index.ts'
import { mergeConfs } from '../../kuma/merging.ts'

/** Milliseconds; 0: none. */
export interface TimeoutConf {
  readonly connectionTimeout?: number
  readonly idleTimeout?: number
  readonly http?: {
    readonly requestTimeout?: number
    readonly streamIdleTimeout?: number
    readonly maxStreamDuration?: number
    readonly maxConnectionDuration?: number
    readonly requestHeadersTimeout?: number
  }
}

export const meshTimeout: PolicyPlugin<TimeoutConf> = {
  type: 'MeshTimeout',
  merge: mergeConfs,
  cluster: ({ connectionTimeout, idleTimeout, http }, cluster) => ({
    ...cluster,
    ...given('connectTimeoutMs', connectionTimeout),
    ...given('idleTimeoutMs', idleTimeout),
    ...given('maxConnectionDurationMs', http?.maxConnectionDuration),
  }),
  route({ http }, route) {
    if (route.action.type !== 'forward') return route
    const { action } = route
    return {
      ...route,
      action: {
        ...action,
        ...(action.timeoutMs === undefined ? given('timeoutMs', http?.requestTimeout) : {}),
        ...given('idleTimeoutMs', http?.streamIdleTimeout),
        ...given('maxStreamDurationMs', http?.maxStreamDuration),
      },
    }
  },
  outboundHttp: (conf, http) => withTimeouts(conf, http),
  outboundTcp: ({ idleTimeout }, tcp) => ({ ...tcp, ...given('idleTimeoutMs', idleTimeout) }),
  inboundHttp(rules, http) {
    const conf = rules.at(-1)?.conf ?? {}
    // a request that comes in is bounded by its caller; here by what the policy says, if it says so
    return withTimeouts(conf, http, given('requestMs', conf.http?.requestTimeout))
  },
  inboundTcp: (rules, tcp) => ({ ...tcp, ...given('idleTimeoutMs', rules.at(-1)?.conf.idleTimeout) }),
  inboundCluster: (rules, cluster) => ({
    ...cluster,
    ...given('connectTimeoutMs', rules.at(-1)?.conf.connectionTimeout),
    ...given('idleTimeoutMs', rules.at(-1)?.conf.idleTimeout),
  }),
}

function withTimeouts(
  { idleTimeout, http: conf }: TimeoutConf,
  http: HttpConnectionManager,
  more: HttpTimeouts = {},
): HttpConnectionManager {
  const timeouts: HttpTimeouts = {
    ...http.timeouts,
    ...given('idleMs', idleTimeout),
    ...given('streamIdleMs', conf?.streamIdleTimeout),
    ...given('requestHeadersMs', conf?.requestHeadersTimeout),
    ...given('maxStreamDurationMs', conf?.maxStreamDuration),
    ...given('maxConnectionDurationMs', conf?.maxConnectionDuration),
    ...more,
  }
  return { ...http, timeouts }
}

function given<Key extends string>(key: Key, value: number | undefined): Partial<Record<Key, number>> {
  return value === undefined ? {} : ({ [key]: value } as Partial<Record<Key, number>>)
}
