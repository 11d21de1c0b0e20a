import type { ConfigMap, Secret, Service } from '../../../api/generated/types.ts'
import type { Labels } from '../../../api/meta/selector.ts'
import type { GatewayObjects } from './gateway-objects.ts'

/** Somebody who refers to an object. */
export interface Referrer {
  readonly group: string
  readonly kind: string
  readonly namespace: string
}

/** What is referred to. */
export interface Referent {
  readonly group: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
}

/** Objects by name, made once for a translation. */
export interface ObjectIndex {
  service(namespace: string, name: string): Service | undefined
  secret(namespace: string, name: string): Secret | undefined
  configMap(namespace: string, name: string): ConfigMap | undefined
  namespaceLabels(name: string): Labels
  /** Within a namespace always; across namespaces where a ReferenceGrant of the other one says so. */
  isPermitted(from: Referrer, to: Referent): boolean
}

export function indexObjects(objects: GatewayObjects): ObjectIndex {
  const services = byKey(objects.services)
  const secrets = byKey(objects.secrets)
  const configMaps = byKey(objects.configMaps)
  const labels = new Map((objects.namespaces ?? []).map(({ metadata }) => [metadata.name, metadata.labels ?? {}]))
  const grants = groupBy(objects.referenceGrants ?? [], ({ metadata }) => metadata.namespace ?? '')
  return {
    service: (namespace, name) => services.get(`${namespace}/${name}`),
    secret: (namespace, name) => secrets.get(`${namespace}/${name}`),
    configMap: (namespace, name) => configMaps.get(`${namespace}/${name}`),
    namespaceLabels: (name) => labels.get(name) ?? {},
    isPermitted(from, to) {
      if (from.namespace === to.namespace) return true
      return (grants.get(to.namespace) ?? []).some(
        ({ spec }) =>
          spec.from.some((one) => one.group === from.group && one.kind === from.kind && one.namespace === from.namespace) &&
          spec.to.some((one) => one.group === to.group && one.kind === to.kind && (!one.name || one.name === to.name)),
      )
    },
  }
}

function byKey<T extends { metadata: { name: string; namespace?: string | undefined } }>(list: readonly T[] = []): Map<string, T> {
  return new Map(list.map((one) => [`${one.metadata.namespace ?? ''}/${one.metadata.name}`, one]))
}

/** Elements by key, in the order of their first one. */
export function groupBy<T>(list: readonly T[], keyOf: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const one of list) {
    const group = groups.get(keyOf(one))
    if (group) group.push(one)
    else groups.set(keyOf(one), [one])
  }
  return groups
}
