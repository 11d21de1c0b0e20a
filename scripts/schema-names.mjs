// Gives every model of the source package its upstream schema name (`V1Pod` -> `io.k8s.api.core.v1.Pod`). The package does
// not carry it; it follows from which API uses a model, directly or through other models.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

// owners in the order of claiming: a model used by several APIs belongs to the first (other groups build upon core)
const GROUPS = [
  'core',
  'apps',
  'batch',
  'autoscaling',
  'policy',
  'networking',
  'discovery',
  'events',
  'coordination',
  'node',
  'scheduling',
  'storage',
  'rbac',
  'certificates',
  'authentication',
  'authorization',
  'admissionregistration',
  'flowcontrol',
  'resource',
  'apiextensions',
  'apiregistration',
]
const PACKAGES = {
  meta: 'io.k8s.apimachinery.pkg.apis.meta',
  apiextensions: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions',
  apiregistration: 'io.k8s.kube-aggregator.pkg.apis.apiregistration',
}
const API_CLASSES = { RbacAuthorization: 'rbac', FlowcontrolApiserver: 'flowcontrol' }

const META = new Set(
  `V1APIGroup V1APIGroupList V1APIResource V1APIResourceList V1APIVersions V1Condition V1DeleteOptions V1FieldSelectorRequirement
   V1GroupVersionForDiscovery V1LabelSelector V1LabelSelectorRequirement V1ListMeta V1ManagedFieldsEntry V1MicroTime V1ObjectMeta
   V1OwnerReference V1Preconditions V1ServerAddressByClientCIDR V1ShardInfo V1Status V1StatusCause V1StatusDetails V1WatchEvent`.split(
    /\s+/,
  ),
)
// used by an earlier API than the one they belong to
const EXCEPTIONS = {
  V1Eviction: 'policy',
  V1Scale: 'autoscaling',
  V1ScaleSpec: 'autoscaling',
  V1ScaleStatus: 'autoscaling',
  AuthenticationV1TokenRequest: 'authentication',
  V1BoundObjectReference: 'authentication',
  V1TokenRequestSpec: 'authentication',
  V1TokenRequestStatus: 'authentication',
  V1TopologySelectorTerm: 'core',
  V1TopologySelectorLabelRequirement: 'core',
  V1UserInfo: 'authentication',
}
const WHOLE = { VersionInfo: 'io.k8s.apimachinery.pkg.version.Info' }

/** Where `short` names of the hand-kept tables (`core.v1.Pod`) lie. */
export function fullName(short) {
  const [group, ...rest] = short.split('.')
  return `${PACKAGES[group] ?? `io.k8s.api.${group}`}.${rest.join('.')}`
}

/** Model -> schema name. Models that no API uses (left-overs of older releases) are not in it. */
export function schemaNames(models, dir) {
  const byName = new Map(models.map((model) => [model.model, model]))
  const owner = new Map(Object.entries(EXCEPTIONS))
  for (const model of META) owner.set(model, 'meta')
  const claim = (model, group) => {
    if (!byName.has(model) || owner.has(model)) return
    owner.set(model, group)
    for (const property of byName.get(model).properties) for (const used of references(property.type)) claim(used, group)
  }
  const roots = apiRoots(dir)
  for (const group of GROUPS) for (const root of roots.get(group) ?? []) claim(root, group)
  const names = new Map()
  for (const { model } of models) {
    const group = owner.get(model)
    if (WHOLE[model]) names.set(model, WHOLE[model])
    else if (group) names.set(model, fullName(`${group}.${versionOf(model)}.${bareName(model)}`))
  }
  return names
}

/** Models that a type expression of the package refers to. */
export function references(type) {
  return type.match(/\b[A-Z]\w*/g)?.filter((word) => word !== 'Array' && word !== 'Date' && word !== 'IntOrString') ?? []
}

const versionOf = (model) => (model.startsWith('V2') ? 'v2' : 'v1')

const bareName = (model) => model.replace(/^([A-Z][a-z]+)?V[12](?=[A-Z])/, '')

// every model a served API reads or writes, by group
function apiRoots(dir) {
  const apis = join(dir, '../apis')
  const roots = new Map()
  for (const file of readdirSync(apis).sort()) {
    const hit = /^([A-Za-z]+?)V[12]Api\.js$/.exec(file)
    if (!hit) continue
    const group = API_CLASSES[hit[1]] ?? hit[1].toLowerCase()
    const source = readFileSync(join(apis, file), 'utf8')
    const models = new Set([...source.matchAll(/"((?:[A-Z][a-z]+)?V[12][A-Z]\w*)"/g)].map((match) => match[1]))
    roots.set(group, new Set([...(roots.get(group) ?? []), ...models]))
  }
  return roots
}
