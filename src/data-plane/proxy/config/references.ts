import {
  INVALID_CLUSTER,
  type Cluster,
  type Listener,
  type Resource,
  type ResourceType,
  type RouteConfiguration,
} from '../../../policy/traffic/model/index.ts'

export interface Reference {
  readonly type: ResourceType
  readonly name: string
}

/** What a resource cannot be executed without. */
export function referencesOf(type: ResourceType, value: Resource): readonly Reference[] {
  switch (type) {
    case 'listener':
      return ofListener(value as Listener)
    case 'route':
      return ofRoutes(value as RouteConfiguration)
    case 'cluster':
      return ofCluster(value as Cluster)
    case 'endpoints':
    case 'secret':
    case 'proxy':
      return []
  }
}

const clusterRef = (name: string): readonly Reference[] => (name === INVALID_CLUSTER ? [] : [{ type: 'cluster', name }])

function ofListener({ chains }: Listener): readonly Reference[] {
  return chains.flatMap(({ http, tcp, tls }) => [
    ...(http ? [{ type: 'route', name: http.routes } as const, ...http.filters.flatMap(ofFilter)] : []),
    ...(tcp?.clusters ?? []).flatMap(({ name }) => clusterRef(name)),
    ...(tls?.mode === 'terminate'
      ? [...tls.certificates, ...(tls.clientCa === undefined ? [] : [tls.clientCa])].map((name) => ({ type: 'secret', name }) as const)
      : []),
  ])
}

function ofFilter(filter: { readonly type: string; readonly cluster?: unknown; readonly providers?: unknown }): readonly Reference[] {
  if (filter.type === 'extAuthz' && typeof filter.cluster === 'string') return clusterRef(filter.cluster)
  if (filter.type !== 'jwt' || !Array.isArray(filter.providers)) return []
  return (filter.providers as readonly { readonly remoteJwks?: { readonly cluster: string } }[]).flatMap(({ remoteJwks }) =>
    remoteJwks ? clusterRef(remoteJwks.cluster) : [],
  )
}

function ofRoutes({ virtualHosts }: RouteConfiguration): readonly Reference[] {
  return virtualHosts
    .flatMap(({ routes }) => routes)
    .flatMap(({ action, filters }) => [
      ...(filters ?? []).flatMap(ofFilter),
      ...(action.type === 'forward' ? [...action.clusters, ...(action.mirrors ?? [])].flatMap(({ cluster }) => clusterRef(cluster)) : []),
    ])
}

function ofCluster({ discovery, tls }: Cluster): readonly Reference[] {
  const secrets = tls?.mode === 'tls' ? [tls.ca, tls.certificate].filter((name) => name !== undefined) : []
  return [
    ...(discovery.type === 'eds' ? [{ type: 'endpoints', name: discovery.name } as const] : []),
    ...secrets.map((name) => ({ type: 'secret', name }) as const),
  ]
}
