import type {
  HTTPCORSFilter,
  HTTPPathModifier,
  HTTPRequestMirrorFilter,
  RouteFilter,
} from '../../../api/gateway.networking.k8s.io/v1/route-filters.ts'
import type { TrafficRule } from '../input/route.ts'
import type { CorsFilter, RedirectAction, StringMatch } from '../model/index.ts'
import { escapeRegex } from './escape-regex.ts'
import { headerModifier } from './header-modifier.ts'
import { translateBackend, type RouteContext } from './translate-backends.ts'

/** The parts of a rule that its filters make. Those that cannot be carried out are reported, and the rule is refused as a whole. */
export function translateFilters(context: RouteContext, filters: readonly RouteFilter[] = []): Partial<TrafficRule> {
  let rule: { -readonly [Key in keyof TrafficRule]?: TrafficRule[Key] } = {}
  const mirrors: { backend: ReturnType<typeof translateBackend>; percentage: number }[] = []
  for (const filter of filters) {
    const { requestMirror, requestRedirect, urlRewrite, cors, extensionRef } = filter
    const request = headerModifier(filter.requestHeaderModifier)
    const response = headerModifier(filter.responseHeaderModifier)
    if (request) rule.requestHeaders = request
    if (response) rule.responseHeaders = response
    if (requestMirror)
      mirrors.push({ backend: translateBackend(context, requestMirror.backendRef), percentage: percentageOf(requestMirror) })
    if (requestRedirect) {
      const { scheme, hostname, port, path, statusCode = 302 } = requestRedirect
      rule.redirect = {
        type: 'redirect',
        ...(scheme ? { scheme } : {}),
        ...(hostname ? { host: hostname } : {}),
        ...(port === undefined ? {} : { port }),
        ...(path ? { path: pathOf(path) } : {}),
        status: statusCode as RedirectAction['status'],
      }
    }
    if (urlRewrite) {
      const { hostname, path } = urlRewrite
      rule.rewrite = { ...(hostname ? { host: hostname } : {}), ...(path ? { path: pathOf(path) } : {}) }
    }
    if (cors) rule.cors = translateCors(cors)
    if (extensionRef) {
      const message = `Filter ${extensionRef.kind} ${extensionRef.name} is of no kind that is known here`
      context.unsupported.push({ reason: 'UnsupportedValue', message })
    }
    if (filter.externalAuth) {
      context.unsupported.push({ reason: 'UnsupportedValue', message: 'Filter ExternalAuth is not carried out' })
    }
  }
  if (mirrors.length > 0) rule = { ...rule, mirrors }
  return rule
}

function percentageOf({ percent, fraction }: HTTPRequestMirrorFilter): number {
  if (fraction) return (fraction.numerator / (fraction.denominator ?? 100)) * 100
  return percent ?? 100
}

function pathOf(path: HTTPPathModifier): { type: 'full' | 'prefix'; value: string } {
  if (path.type === 'ReplaceFullPath') return { type: 'full', value: path.replaceFullPath ?? '/' }
  return { type: 'prefix', value: path.replacePrefixMatch ?? '' }
}

function translateCors(cors: HTTPCORSFilter): CorsFilter {
  const lower = (names: readonly string[] = []): string[] => names.map((name) => name.toLowerCase())
  return {
    type: 'cors',
    name: 'cors',
    allowOrigins: (cors.allowOrigins ?? []).map(originMatch),
    allowMethods: cors.allowMethods ?? [],
    allowHeaders: lower(cors.allowHeaders),
    exposeHeaders: lower(cors.exposeHeaders),
    allowCredentials: cors.allowCredentials ?? false,
    ...(cors.maxAge === undefined ? {} : { maxAgeS: cors.maxAge }),
  }
}

/** `*`, `https://*.example.com` and `https://example.com`. */
function originMatch(origin: string): StringMatch {
  if (origin === '*') return { present: true }
  if (!origin.includes('*')) return { exact: origin, ignoreCase: true }
  // a star stands for labels of a host
  return { regex: origin.split('*').map(escapeRegex).join('[^/:]+') }
}
