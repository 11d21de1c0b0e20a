import { createHash } from 'node:crypto'
import type {
  CorsFilter,
  ExtAuthzFilter,
  GrpcJsonFilter,
  HttpFilter,
  JwtFilter,
  RateLimitFilter,
  TokenBucket,
} from '../../../policy/traffic/model/index.ts'
import { faultConfigs } from './fault.ts'
import { stringMatcher } from './match.ts'
import { JWT_METADATA, rbacHalves, type RbacScope } from './rbac.ts'
import { any, byText, type Json, type Note } from './resource.ts'

const HTTP = 'envoy.extensions.filters.http.'
const RBAC = `${HTTP}rbac.v3.RBAC`
const FAULT = `${HTTP}fault.v3.HTTPFault`
const RATE_LIMIT = `${HTTP}local_ratelimit.v3.LocalRateLimit`
const CORS = `${HTTP}cors.v3.Cors`
const FILTER_CONFIG = 'envoy.config.route.v3.FilterConfig'
/** On a route: a filter of its chain that it does not want. */
const OFF = any(FILTER_CONFIG, { disabled: true })
/** On a route: a filter that is switched off in its chain. */
const ON = any(FILTER_CONFIG, { config: {} })

/** One of Envoy's filters, by the name that routes override it by. */
interface Part {
  readonly name: string
  readonly config: Json
  /** What a route puts in its place. */
  readonly override: Json
  /** Does nothing, for routes that override it. */
  readonly placeholder: Json
}

/** Filters that may stand on a route as they are; of the others there is one in the chain for each way they are configured, switched on by routes. */
const ON_ROUTES = new Set<HttpFilter['type']>(['rbac', 'rateLimit', 'fault', 'cors'])

/** Envoy's filters for one of the model. */
function partsOf(filter: HttpFilter, scope: RbacScope, note: Note): readonly Part[] {
  const { name } = filter
  switch (filter.type) {
    case 'rbac': {
      const halves = rbacHalves(filter.rbac, scope)
      return (['deny', 'allow'] as const).map((half) => {
        const config = any(RBAC, { ...halves[half], shadow_rules_stat_prefix: 'shadow_' })
        const per = any(`${HTTP}rbac.v3.RBACPerRoute`, { rbac: { ...halves[half], shadow_rules_stat_prefix: 'shadow_' } })
        return { name: `${name}.${half}`, config, override: per, placeholder: any(RBAC) }
      })
    }
    case 'fault':
      return faultConfigs(filter, note).map((fields, index) => {
        const config = any(FAULT, fields)
        return { name: `${name}.${index}`, config, override: config, placeholder: any(FAULT) }
      })
    case 'rateLimit': {
      // its buckets know no callers: a limit for some must not be one for all
      if (filter.principals) {
        note(`rate limit ${name}: limits of certain callers are left out, Envoy's are for all of them`)
        return []
      }
      if (filter.notPrincipals) note(`rate limit ${name}: callers with a limit of their own are counted here, too`)
      const config = any(RATE_LIMIT, rateLimit(filter))
      return [{ name, config, override: filter.bucket ? config : OFF, placeholder: any(RATE_LIMIT, { stat_prefix: name }) }]
    }
    case 'cors':
      return [{ name, config: any(CORS), override: any(`${HTTP}cors.v3.CorsPolicy`, corsPolicy(filter)), placeholder: any(CORS) }]
    case 'jwt':
      return [whole(name, any(`${HTTP}jwt_authn.v3.JwtAuthentication`, jwt(filter)))]
    case 'extAuthz':
      return [whole(name, any(`${HTTP}ext_authz.v3.ExtAuthz`, extAuthz(filter)))]
    case 'grpcJson':
      return [whole(name, any(`${HTTP}grpc_json_transcoder.v3.GrpcJsonTranscoder`, grpcJson(filter)))]
  }
}

const whole = (name: string, config: Json): Part => ({ name, config, override: config, placeholder: config })

/** Name of a filter that only routes switch on: by what it does. */
const variantName = ({ name, config }: Part): string =>
  `${name}~${createHash('sha256').update(JSON.stringify(config)).digest('hex').slice(0, 8)}`

/** The order of filters that only routes bring: who may come first. */
const ORDER: readonly HttpFilter['type'][] = ['cors', 'jwt', 'extAuthz', 'rbac', 'rateLimit', 'fault', 'grpcJson']

/** A filter that is in a chain. */
const key = ({ type, name }: HttpFilter): string => `${type}/${name}`

/**
 * `http_filters` of a chain without the router: its own, then what only its routes bring, switched off. `onRoutes`: all filters of the routes that it may
 * get.
 */
export function chainFilters(own: readonly HttpFilter[], onRoutes: readonly HttpFilter[], scope: RbacScope, note: Note): readonly Json[] {
  const out = own.flatMap((filter) => partsOf(filter, scope, note).map(({ name, config }) => ({ name, typed_config: config })))
  const names = new Set(out.map(({ name }) => name))
  const added = new Map<string, { readonly rank: number; readonly filter: Json }>()
  for (const filter of onRoutes) {
    for (const part of partsOf(filter, scope, () => {})) {
      const native = ON_ROUTES.has(filter.type)
      const name = native ? part.name : variantName(part)
      if (names.has(name)) continue
      const entry: Json = native ? { name, typed_config: part.placeholder } : { name, typed_config: part.config, disabled: true }
      added.set(name, { rank: ORDER.indexOf(filter.type), filter: entry })
    }
  }
  return [...out, ...[...added].toSorted(([a, left], [b, right]) => left.rank - right.rank || byText(a, b)).map(([, { filter }]) => filter)]
}

/**
 * `typed_per_filter_config` of a route that has filters. `chains`: the filters of the chains it may be reached through.
 */
export function routeFilters(filters: readonly HttpFilter[], chains: readonly HttpFilter[], note: Note): Json {
  const out: Record<string, Json> = {}
  for (const filter of filters) {
    const scope: RbacScope = { layer: 'http' }
    const replaced = chains.filter((other) => key(other) === key(filter))
    const parts = partsOf(filter, scope, note)
    if (ON_ROUTES.has(filter.type)) {
      // a chain that has more of them than the route
      for (const part of replaced.flatMap((other) => partsOf(other, scope, () => {}))) out[part.name] = OFF
      for (const part of parts) out[part.name] = part.override
      continue
    }
    for (const { name } of replaced) out[name] = OFF
    for (const part of parts) out[variantName(part)] = ON
  }
  return out
}

/** Policies that Envoy takes from routes alone, for all routes of a chain that has them. */
export function everywhereFilters(chains: readonly HttpFilter[]): Json {
  return Object.fromEntries(
    chains.filter((filter) => filter.type === 'cors').map((filter) => [filter.name, any(`${HTTP}cors.v3.CorsPolicy`, corsPolicy(filter))]),
  )
}

/** Envoy refills every 50 ms at most. */
export function tokenBucket({ maxTokens, tokensPerFill, fillIntervalMs }: TokenBucket): Json {
  const scale = fillIntervalMs >= 50 ? 1 : Math.ceil(50 / fillIntervalMs)
  return { max_tokens: maxTokens, tokens_per_fill: tokensPerFill * scale, fill_interval: fillIntervalMs * scale }
}

function rateLimit({ name, bucket, status, responseHeaders = [] }: RateLimitFilter): Json {
  if (!bucket) return { stat_prefix: name }
  const all = { default_value: percent100() }
  return {
    stat_prefix: name,
    token_bucket: tokenBucket(bucket),
    filter_enabled: all,
    filter_enforced: all,
    status: status === undefined ? undefined : { code: status },
    response_headers_to_add: responseHeaders.map(({ name, value }) => ({
      header: { key: name, value: value.replaceAll('%', '%%') },
      append_action: 'OVERWRITE_IF_EXISTS_OR_ADD',
    })),
  }
}

const percent100 = (): Json => ({ numerator: 100, denominator: 'HUNDRED' })

function corsPolicy(filter: CorsFilter): Json {
  return {
    allow_origin_string_match: filter.allowOrigins.map((origin) => stringMatcher(origin)),
    allow_methods: filter.allowMethods.join(','),
    allow_headers: filter.allowHeaders.join(','),
    expose_headers: filter.exposeHeaders.join(','),
    max_age: filter.maxAgeS === undefined ? undefined : String(filter.maxAgeS),
    allow_credentials: filter.allowCredentials,
    // as our own proxy: a preflight is no question to the application
    forward_not_matching_preflights: false,
  }
}

function jwt({ providers, required }: JwtFilter): Json {
  const each = providers.map(({ name }) => ({ provider_name: name }))
  const requirements: readonly Json[] = required ? each : [...each, { allow_missing: {} }]
  return {
    providers: Object.fromEntries(
      providers.map((provider) => [
        provider.name,
        {
          issuer: provider.issuer,
          audiences: provider.audiences,
          ...(provider.remoteJwks
            ? {
                remote_jwks: {
                  http_uri: { uri: provider.remoteJwks.uri, cluster: provider.remoteJwks.cluster, timeout: provider.remoteJwks.timeoutMs },
                  cache_duration: provider.remoteJwks.cacheMs,
                },
              }
            : { local_jwks: { inline_string: provider.jwks ?? '{"keys":[]}' } }),
          from_headers: provider.fromHeaders?.map(({ name, prefix }) => ({ name, value_prefix: prefix })),
          from_params: provider.fromParams,
          forward: provider.forward,
          payload_in_metadata: JWT_METADATA.key,
          claim_to_headers: provider.claimsToHeaders?.map(({ claim, header }) => ({ header_name: header, claim_name: claim })),
        },
      ]),
    ),
    rules: [{ match: { prefix: '/' }, requires: requirements.length === 1 ? requirements[0] : { requires_any: { requirements } } }],
  }
}

function extAuthz(filter: ExtAuthzFilter): Json {
  const timeout = filter.timeoutMs ?? 200
  const include = [...(filter.protocol === 'grpc' ? ['authorization'] : []), ...(filter.includeHeaders ?? [])]
  const patterns = (names: readonly string[]): Json => ({ patterns: names.map((exact) => ({ exact, ignore_case: true })) })
  return {
    transport_api_version: 'V3',
    ...(filter.protocol === 'grpc'
      ? { grpc_service: { envoy_grpc: { cluster_name: filter.cluster }, timeout } }
      : {
          http_service: {
            server_uri: { uri: `http://${filter.cluster.replaceAll(/[^\w.-]/g, '-')}`, cluster: filter.cluster, timeout },
            path_prefix: filter.pathPrefix,
            authorization_response: filter.upstreamHeaders ? { allowed_upstream_headers: patterns(filter.upstreamHeaders) } : undefined,
          },
        }),
    allowed_headers: include.length === 0 ? undefined : patterns(include),
    failure_mode_allow: filter.failOpen === true,
    with_request_body: filter.maxBodyBytes ? { max_request_bytes: filter.maxBodyBytes, allow_partial_message: true } : undefined,
  }
}

function grpcJson({ descriptors, services, passUnknown }: GrpcJsonFilter): Json {
  return {
    proto_descriptor_bin: descriptors,
    services,
    request_validation_options: passUnknown === false ? { reject_unknown_method: true } : undefined,
  }
}
