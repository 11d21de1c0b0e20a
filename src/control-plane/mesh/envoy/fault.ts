import type { FaultFilter, Principal, StringMatch } from '../../../policy/traffic/model/index.ts'
import { quoteRegex } from './match.ts'
import { percent, type Json, type Note } from './resource.ts'

/**
 * One of Envoy's fault filters for each fault. It knows callers only by headers: x-forwarded-client-cert, which the proxy writes itself (`sanitize_set`), names
 * their identity.
 */
export function faultConfigs({ faults, name }: FaultFilter, note: Note): readonly Json[] {
  return faults.map(({ principals, notPrincipals = [], abort, delay, responseBandwidth }) => {
    const headers = [
      ...(principals === undefined ? [] : callerHeaders(principals, name, note)),
      ...notPrincipals.flatMap((principal) => otherHeaders(principal, name, note)),
    ]
    return {
      headers: headers.length > 0 ? headers : undefined,
      abort: abort && { http_status: abort.status, percentage: percent(abort.percentage) },
      delay: delay && delay.ms > 0 ? { fixed_delay: delay.ms, percentage: percent(delay.percentage) } : undefined,
      response_rate_limit: responseBandwidth && {
        fixed_limit: { limit_kbps: Math.max(1, Math.round(responseBandwidth.bytesPerSecond / 1024)) },
        percentage: percent(responseBandwidth.percentage),
      },
    }
  })
}

const XFCC = 'x-forwarded-client-cert'

function callerHeaders(principals: readonly Principal[], name: string, note: Note): readonly Json[] {
  if (principals.length === 1) {
    const [only = {}] = principals
    warn(only, name, note)
    return [
      ...(only.spiffeId ? [xfcc(uriPattern(only.spiffeId))] : []),
      ...(only.authenticated ? [xfcc('spiffe://[^;]*')] : []),
      ...(only.notSpiffeId ? [{ ...xfcc(uriPattern(only.notSpiffeId)), invert_match: true, treat_missing_header_as_empty: true }] : []),
    ]
  }
  const patterns = principals.flatMap((principal) => {
    warn(principal, name, note)
    if (principal.notSpiffeId) note(`fault filter ${name}: one of several callers is given by what it is not; that one is left out`)
    if (principal.notSpiffeId) return []
    return [principal.spiffeId ? uriPattern(principal.spiffeId) : principal.authenticated ? 'spiffe://[^;]*' : undefined]
  })
  // one of them is everybody
  return patterns.includes(undefined) ? [] : [xfcc(patterns.length === 0 ? '[^\\s\\S]' : patterns.join('|'))]
}

/** All callers but one; all must match. */
function otherHeaders(principal: Principal, name: string, note: Note): readonly Json[] {
  warn(principal, name, note)
  const { spiffeId, notSpiffeId } = principal
  if (notSpiffeId) note(`fault filter ${name}: a caller that is left out is given by what it is not; it is not left out`)
  if (notSpiffeId || !spiffeId) return []
  return [{ ...xfcc(uriPattern(spiffeId)), invert_match: true, treat_missing_header_as_empty: true }]
}

function warn(principal: Principal, name: string, note: Note): void {
  for (const field of ['sourceIps', 'notSourceIps', 'serverName', 'claims'] as const) {
    if (principal[field] !== undefined)
      note(`fault filter ${name}: Envoy knows callers of faults by identity alone; ${field} is not looked at`)
  }
}

const xfcc = (pattern: string): Json => ({ name: XFCC, string_match: { safe_regex: { regex: `(?:.*;)?URI=(?:${pattern})(?:;.*)?` } } })

function uriPattern(match: StringMatch): string {
  if ('exact' in match) return quoteRegex(match.exact)
  if ('prefix' in match) return `${quoteRegex(match.prefix)}[^;]*`
  if ('suffix' in match) return `[^;]*${quoteRegex(match.suffix)}`
  if ('contains' in match) return `[^;]*${quoteRegex(match.contains)}[^;]*`
  return 'regex' in match ? match.regex : '[^;]*'
}
