import type { HeaderModifier, PathMatch, RedirectAction, Rewrite } from '../model/index.ts'
import { hostOf, type RequestView } from './request-view.ts'

/**
 * The path after a rewrite, with its query.
 * @param match what the route matched: `prefix` replaces just that (whole segments keep exactly one slash between them)
 */
export function rewritePath(path: string, match: PathMatch | undefined, rewrite: NonNullable<Rewrite['path']>): string {
  const queryAt = path.indexOf('?')
  const bare = queryAt < 0 ? path : path.slice(0, queryAt)
  const query = queryAt < 0 ? '' : path.slice(queryAt)
  if (rewrite.type === 'full') return `${rewrite.value.startsWith('/') ? '' : '/'}${rewrite.value}${query}`
  if (match && 'pathPrefix' in match) {
    const rest = bare.slice(match.pathPrefix.replace(/\/+$/, '').length)
    return rooted(`${rewrite.value.replace(/\/+$/, '')}${rest}`) + query
  }
  if (match && 'prefix' in match) return rooted(rewrite.value + bare.slice(match.prefix.length)) + query
  // an exact path is its own prefix
  return match && 'exact' in match ? rooted(rewrite.value) + query : path
}

const rooted = (path: string): string => (path.startsWith('/') ? path : `/${path}`)

/**
 * `location` of a redirect. The port: the one asked for; else that of a scheme asked for; else the listener's. A scheme's own port is not written.
 * Source: Gateway API, HTTPRequestRedirectFilter.
 */
export function redirectLocation(
  request: RequestView & { readonly scheme: string },
  listenerPort: number,
  match: PathMatch | undefined,
  action: RedirectAction,
): string {
  const scheme = action.scheme ?? (request.scheme === 'https' ? 'https' : 'http')
  const usual = scheme === 'https' ? 443 : 80
  const port = action.port ?? (action.scheme === undefined ? listenerPort : usual)
  const path = action.path ? rewritePath(request.path, match, action.path) : request.path
  return `${scheme}://${action.host ?? hostOf(request.authority)}${port === usual ? '' : `:${port}`}${path}`
}

/** Removes, sets, adds, in this order. */
export function modifyHeaders(
  headers: { set(name: string, value: string): void; append(name: string, value: string): void; remove(name: string): void },
  modifier: HeaderModifier,
): void {
  if (modifier.remove) for (const name of modifier.remove) headers.remove(name)
  if (modifier.set) for (const { name, value } of modifier.set) headers.set(name, value)
  if (modifier.add) for (const { name, value } of modifier.add) headers.append(name, value)
}
