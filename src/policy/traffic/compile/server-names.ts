import { compareOrigins } from '../gateway-api/gateway-objects.ts'
import { compareHostnames, declaredHostname, effectiveHostnames } from '../gateway-api/hostnames.ts'
import type { TrafficRoute } from '../input/index.ts'

/** The route that wins where only one can be: the older, then by name. */
export function oldest(routes: readonly TrafficRoute[]): TrafficRoute | undefined {
  return routes.toSorted((a, b) => compareOrigins(a.origin, b.origin))[0]
}

/**
 * Routes by the server names that they are for, more exact names first. A name of two routes is that one's which names it more exactly itself, then the older
 * one's. `hostname`: the listener's, absent: all.
 * No `serverNames`: every name, and none.
 */
export function serverNameChains(
  routes: readonly TrafficRoute[],
  hostname?: string,
): readonly { readonly name: string; readonly serverNames: readonly string[]; readonly route: TrafficRoute }[] {
  const taken = new Map<string, TrafficRoute>()
  for (const route of routes.toSorted((a, b) => compareOrigins(a.origin, b.origin))) {
    for (const host of effectiveHostnames(hostname, route.hostnames)) {
      const other = taken.get(host)
      const declared = ({ hostnames }: TrafficRoute): string => declaredHostname(host, hostname, hostnames)
      if (!other || compareHostnames(declared(route), declared(other)) < 0) taken.set(host, route)
    }
  }
  return [...taken]
    .sort(([a], [b]) => compareHostnames(a, b))
    .map(([host, route]) => ({
      name: `${route.origin.kind}/${route.origin.namespace}/${route.origin.name}|${host}`,
      serverNames: host === '*' ? [] : [host],
      route,
    }))
}
