import type { ClusterLoadAssignment, Listener, RouteConfiguration } from '../../../policy/traffic/model/index.ts'
import type { SourceResource } from './contract.ts'

/** Whether a change must not wait for others: an endpoint takes no more requests, or who may do what has changed. `after` absent: the resource is gone. */
export function isUrgent(before: SourceResource, after: SourceResource | undefined): boolean {
  if (before.value === after?.value) return false
  switch (before.type) {
    case 'endpoints': {
      const ready = new Set(readyOf(after?.value as ClusterLoadAssignment | undefined))
      return readyOf(before.value as ClusterLoadAssignment).some((address) => !ready.has(address))
    }
    case 'listener':
      return after !== undefined && rulesOf(before.value as Listener) !== rulesOf(after.value as Listener)
    case 'route':
      return after !== undefined && routeRules(before.value as RouteConfiguration) !== routeRules(after.value as RouteConfiguration)
    case 'cluster':
    case 'secret':
    case 'proxy':
      return false
  }
}

function readyOf(assignment: ClusterLoadAssignment | undefined): string[] {
  return (assignment?.endpoints ?? [])
    .filter(({ state }) => state === 'ready')
    .map(({ address: { address, port } }) => `${address}|${port}`)
}

const JUDGES = new Set(['rbac', 'jwt', 'extAuthz'])

function rulesOf({ chains }: Listener): string {
  return JSON.stringify(chains.map(({ connection, http }) => [connection?.rbac, http?.filters.filter(({ type }) => JUDGES.has(type))]))
}

function routeRules({ virtualHosts }: RouteConfiguration): string {
  return JSON.stringify(virtualHosts.map(({ routes }) => routes.map(({ filters }) => filters?.filter(({ type }) => JUDGES.has(type)))))
}
