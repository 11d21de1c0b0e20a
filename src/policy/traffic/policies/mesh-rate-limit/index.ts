/** What each proxy takes in a time. Each caller has the bucket of its own entry alone; callers of one entry share it. Connections have one bucket: who calls is known later. */
import type { PolicyPlugin } from '../../input/index.ts'
import type { HttpConnectionManager, Principal, RateLimitFilter, TokenBucket } from '../../model/index.ts'
import { mergeConfs } from '../../kuma/merging.ts'
import { headerModifier } from '../../kuma/translate-route.ts'

interface Rate {
  readonly num: number
  readonly interval: number
}

/** Milliseconds. */
export interface RateLimitConf {
  readonly local?: {
    readonly http?: {
      readonly disabled?: boolean
      readonly requestRate?: Rate
      readonly onRateLimit?: { readonly status?: number; readonly headers?: Parameters<typeof headerModifier>[0] }
    }
    readonly tcp?: { readonly disabled?: boolean; readonly connectionRate?: Rate }
  }
}

export const RATE_LIMIT_FILTER = 'mesh-rate-limit'

export const meshRateLimit: PolicyPlugin<RateLimitConf> = {
  type: 'MeshRateLimit',
  merge: mergeConfs,
  // a filter at each route would have a bucket of its own
  route(conf, route, context) {
    const filter = context.route && filterOf(conf, RATE_LIMIT_FILTER)
    return filter ? { ...route, filters: [...(route.filters ?? []).filter(({ name }) => name !== filter.name), filter] } : route
  },
  outboundHttp(conf, http) {
    const filter = filterOf(conf, RATE_LIMIT_FILTER)
    return filter ? withFilters(http, [filter]) : http
  },
  inboundHttp(rules, http) {
    const filters = rules.flatMap(({ matches, conf }, i): RateLimitFilter[] => {
      const filter = filterOf(conf, matches.length > 0 ? `${RATE_LIMIT_FILTER}/${i}` : RATE_LIMIT_FILTER)
      if (!filter) return []
      // each caller has the bucket of its own entry alone: those of earlier entries are left out of the later ones
      const principals = matches.map((match): Principal => ({ ...match }))
      const others = rules.slice(0, i).flatMap((earlier) => earlier.matches)
      return [{ ...filter, ...(principals.length > 0 ? { principals } : {}), ...(others.length > 0 ? { notPrincipals: others } : {}) }]
    })
    return withFilters(http, filters)
  },
  inboundConnection(rules, connection) {
    const rate = rules.at(-1)?.conf.local?.tcp
    const bucket = rate?.disabled === true ? undefined : bucketOf(rate?.connectionRate)
    return bucket ? { ...connection, rateLimit: bucket } : connection
  },
}

function withFilters(http: HttpConnectionManager, filters: readonly RateLimitFilter[]): HttpConnectionManager {
  return { ...http, filters: [...http.filters.filter(({ type }) => type !== 'rateLimit'), ...filters] }
}

function filterOf({ local }: RateLimitConf, name: string): RateLimitFilter | undefined {
  const http = local?.http
  if (!http || http.disabled === true) return undefined
  const bucket = bucketOf(http.requestRate)
  if (!bucket) return undefined
  const { set = [], add = [] } = headerModifier(http.onRateLimit?.headers ?? {})
  return {
    type: 'rateLimit',
    name,
    bucket,
    ...(http.onRateLimit?.status === undefined ? {} : { status: http.onRateLimit.status }),
    ...(set.length + add.length > 0 ? { responseHeaders: [...set, ...add] } : {}),
  }
}

function bucketOf(rate: Rate | undefined): TokenBucket | undefined {
  return rate ? { maxTokens: rate.num, tokensPerFill: rate.num, fillIntervalMs: rate.interval } : undefined
}
