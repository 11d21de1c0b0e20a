import type { KindDefinition } from '../../../api/kind.ts'

/** One line of discovery: a resource or a subresource. */
export interface ApiResource {
  /** `pods`, or `pods/status`. */
  readonly name: string
  readonly singularName: string
  readonly namespaced: boolean
  readonly verbs: readonly string[]
  readonly shortNames?: readonly string[]
  readonly categories?: readonly string[]
  /** Kind of what is sent and answered; its group and version where they are not those of the list. */
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string }
}

export interface GroupVersion {
  readonly group: string
  readonly version: string
  readonly resources: readonly ApiResource[]
}

/** Everything served, by group and version in the order of `kinds`, virtual resources last in their group version. */
export function groupVersions(kinds: readonly KindDefinition[]): readonly GroupVersion[] {
  const found = new Map<string, { group: string; version: string; resources: ApiResource[] }>()
  const listFor = (group: string, version: string): ApiResource[] => {
    const key = `${group}/${version}`
    const known = found.get(key) ?? { group, version, resources: [] }
    found.set(key, known)
    return known.resources
  }
  for (const kind of kinds) listFor(kind.group, kind.version).push(...resourcesOf(kind))
  for (const [group, version, resource] of VIRTUAL) listFor(group, version).push(resource)
  return [...found.values()]
}

const ALL_VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']

function resourcesOf(kind: KindDefinition): ApiResource[] {
  const own = { group: kind.group, version: kind.version, kind: kind.kind }
  const sub = (name: string, verbs: readonly string[], of: ApiResource['kind'] = own): ApiResource => ({
    name: `${kind.plural}/${name}`,
    singularName: '',
    namespaced: kind.namespaced,
    verbs,
    kind: of,
  })
  const resource: ApiResource = {
    name: kind.plural,
    singularName: kind.singular ?? kind.kind.toLowerCase(),
    namespaced: kind.namespaced,
    verbs: kind.verbs ?? ALL_VERBS,
    kind: own,
    ...(kind.shortNames ? { shortNames: kind.shortNames } : {}),
    ...(kind.categories ? { categories: kind.categories } : {}),
  }
  return [
    resource,
    ...(kind.status ? [sub('status', ['get', 'patch', 'update'])] : []),
    ...(kind.scale ? [sub('scale', ['get', 'patch', 'update'], { group: 'autoscaling', version: 'v1', kind: 'Scale' })] : []),
    ...(SUBRESOURCES[`${kind.group}/${kind.plural}`] ?? []).map(([name, verbs, of]) => sub(name, verbs, of)),
  ]
}

type Subresource = readonly [name: string, verbs: readonly string[], kind?: ApiResource['kind']]

/** Those that no KindDefinition declares. exec, attach and portforward join them when they are served. */
const SUBRESOURCES: Readonly<Record<string, readonly Subresource[] | undefined>> = {
  '/pods': [
    ['binding', ['create'], { group: '', version: 'v1', kind: 'Binding' }],
    ['eviction', ['create'], { group: 'policy', version: 'v1', kind: 'Eviction' }],
    ['log', ['get']],
  ],
  '/nodes': [['proxy', ['get'], { group: '', version: 'v1', kind: 'NodeProxyOptions' }]],
  '/namespaces': [['finalize', ['update']]],
  '/serviceaccounts': [['token', ['create'], { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' }]],
  'certificates.k8s.io/certificatesigningrequests': [['approval', ['get', 'patch', 'update']]],
}

const virtual = (group: string, kind: string, namespaced: boolean): [string, string, ApiResource] => [
  group,
  'v1',
  {
    name: `${kind.toLowerCase()}s`,
    singularName: kind.toLowerCase(),
    namespaced,
    verbs: ['create'],
    kind: { group, version: 'v1', kind },
  },
]

/** Only ever created, never stored. */
const VIRTUAL: readonly [string, string, ApiResource][] = [
  virtual('', 'Binding', true),
  virtual('authentication.k8s.io', 'SelfSubjectReview', false),
  virtual('authentication.k8s.io', 'TokenReview', false),
  virtual('authorization.k8s.io', 'LocalSubjectAccessReview', true),
  virtual('authorization.k8s.io', 'SelfSubjectAccessReview', false),
  virtual('authorization.k8s.io', 'SelfSubjectRulesReview', false),
  virtual('authorization.k8s.io', 'SubjectAccessReview', false),
]
