/**
 * The hosts that both a listener and a route are for. `*.example.com` matches one or more labels in front, and never `example.com` itself; absent or '' is
 * every host. Undefined: they have none in common. Source: Gateway API, HTTPRoute.spec.hostnames.
 */
export function intersectHostname(a: string | undefined, b: string | undefined): string | undefined {
  if (!a || a === '*') return b || '*'
  if (!b || b === '*') return a
  if (coversHostname(a, b)) return b
  return coversHostname(b, a) ? a : undefined
}

/** Whether every host of `b` is one of `a`. */
export function coversHostname(a: string, b: string): boolean {
  if (a === '*' || a === b) return true
  return a.startsWith('*.') && b.endsWith(a.slice(1)) && b.length > a.length - 1
}

/** Hosts of a route at a listener; empty: they have none in common. `*` stands for all. */
export function effectiveHostnames(listener: string | undefined, route: readonly string[]): string[] {
  if (route.length === 0) return [listener || '*']
  return [...new Set(route.map((one) => intersectHostname(listener, one)).filter((one) => one !== undefined))]
}

/** What a route says itself where it serves `host` at a listener: the most exact of its hosts that have that in common; `*` if it names none. */
export function declaredHostname(host: string, listener: string | undefined, route: readonly string[]): string {
  return route.filter((one) => intersectHostname(listener, one) === host).toSorted(compareHostnames)[0] ?? '*'
}

/** More specific first: exact names, then wildcards by length, then `*`. */
export function compareHostnames(a: string, b: string): number {
  const rank = (host: string): number => (host === '*' ? 0 : host.startsWith('*.') ? host.length : 1_000 + host.length)
  return rank(b) - rank(a) || (a < b ? -1 : a > b ? 1 : 0)
}
