import type { ApiResource, GroupVersion } from './api-resources.ts'

/** Aggregated discovery for `/api` (core group alone) or `/apis` (all others). Source: KEP-3352, apidiscovery.k8s.io. */
export function aggregated(versions: readonly GroupVersion[], flavour: 'v2' | 'v2beta1'): object {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${flavour}`,
    metadata: {},
    items: [...byGroup(versions)].map(([group, members]) => ({
      metadata: { ...(group ? { name: group } : {}), creationTimestamp: null },
      versions: members.map(({ version, resources }) => ({ version, freshness: 'Current', resources: nested(resources) })),
    })),
  }
}

/** `/apis` for clients that know no aggregated discovery. */
export function groupList(versions: readonly GroupVersion[]): object {
  const groups = [...byGroup(versions)].map(([group, members]) => groupBody(group, members))
  return { kind: 'APIGroupList', apiVersion: 'v1', groups }
}

/** `/apis/<group>`; undefined when the group is not served. */
export function apiGroup(versions: readonly GroupVersion[], group: string): object | undefined {
  const members = versions.filter((candidate) => candidate.group === group)
  return members.length === 0 ? undefined : { kind: 'APIGroup', apiVersion: 'v1', ...groupBody(group, members) }
}

/** `/api` for clients that know no aggregated discovery. */
export function coreVersions(versions: readonly GroupVersion[], serverAddress: string): object {
  return {
    kind: 'APIVersions',
    versions: versions.filter(({ group }) => group === '').map(({ version }) => version),
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress }],
  }
}

/** `/api/<version>` and `/apis/<group>/<version>`. */
export function resourceList(of: GroupVersion): object {
  return {
    kind: 'APIResourceList',
    ...(of.group ? { apiVersion: 'v1' } : {}),
    groupVersion: of.group ? `${of.group}/${of.version}` : of.version,
    resources: of.resources.map((resource) => ({
      name: resource.name,
      singularName: resource.singularName,
      namespaced: resource.namespaced,
      ...(resource.kind.group !== of.group || resource.kind.version !== of.version
        ? { group: resource.kind.group, version: resource.kind.version }
        : {}),
      kind: resource.kind.kind,
      verbs: resource.verbs,
      ...(resource.shortNames ? { shortNames: resource.shortNames } : {}),
      ...(resource.categories ? { categories: resource.categories } : {}),
    })),
  }
}

function byGroup(versions: readonly GroupVersion[]): Map<string, GroupVersion[]> {
  const groups = new Map<string, GroupVersion[]>()
  for (const version of versions) groups.set(version.group, [...(groups.get(version.group) ?? []), version])
  return groups
}

function groupBody(group: string, members: readonly GroupVersion[]): object {
  const versions = members.map(({ version }) => ({ groupVersion: `${group}/${version}`, version }))
  return { name: group, versions, preferredVersion: versions[0] }
}

function nested(resources: readonly ApiResource[]): object[] {
  return resources
    .filter(({ name }) => !name.includes('/'))
    .map((resource) => {
      const subresources = resources.filter(({ name }) => name.startsWith(`${resource.name}/`))
      return {
        resource: resource.name,
        responseKind: resource.kind,
        scope: resource.namespaced ? 'Namespaced' : 'Cluster',
        singularResource: resource.singularName,
        verbs: resource.verbs,
        ...(resource.shortNames ? { shortNames: resource.shortNames } : {}),
        ...(resource.categories ? { categories: resource.categories } : {}),
        ...(subresources.length === 0 ? {} : { subresources: subresources.map((sub) => subresource(resource.name, sub)) }),
      }
    })
}

function subresource(parent: string, resource: ApiResource): object {
  return { subresource: resource.name.slice(parent.length + 1), responseKind: resource.kind, verbs: resource.verbs }
}
