import type { KindDefinition } from '../kind.ts'
import { refTo } from './component-schemas.ts'
import { groupVersionPath, type GroupVersionKind } from './group-version.ts'
import * as parameters from './parameters.ts'
import type { Parameter } from './parameters.ts'

/** An OpenAPI v3 path item: lower-case method -> operation. */
export type PathItem = Readonly<Record<string, unknown>>

/** The paths of all `kinds`, which belong to one group version, and the schemas that they name. */
export function resourcePaths(kinds: readonly KindDefinition[]): {
  readonly paths: Readonly<Record<string, PathItem>>
  readonly schemas: ReadonlySet<string>
} {
  const writer = new PathWriter()
  for (const kind of kinds) writer.resource(kind)
  return { paths: Object.fromEntries([...writer.paths].sort(([a], [b]) => (a < b ? -1 : 1))), schemas: writer.schemas }
}

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1'
const SCALE = 'io.k8s.api.autoscaling.v1.Scale'
const ALL_VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']

/** What other kinds a resource takes or gives at paths below an object. */
interface Subresource {
  readonly name: string
  readonly schema: string
  readonly gvk: GroupVersionKind
  readonly methods: readonly ('get' | 'post' | 'put' | 'patch')[]
}

const OWN_SUBRESOURCES: Readonly<Record<string, readonly Subresource[]>> = {
  '/pods': [
    subresource('binding', 'io.k8s.api.core.v1.Binding', '/v1/Binding', ['post']),
    subresource('ephemeralcontainers', 'io.k8s.api.core.v1.Pod', '/v1/Pod', ['get', 'put', 'patch']),
    subresource('eviction', 'io.k8s.api.policy.v1.Eviction', 'policy/v1/Eviction', ['post']),
  ],
  '/namespaces': [subresource('finalize', 'io.k8s.api.core.v1.Namespace', '/v1/Namespace', ['put'])],
  '/serviceaccounts': [
    subresource('token', 'io.k8s.api.authentication.v1.TokenRequest', 'authentication.k8s.io/v1/TokenRequest', ['post']),
  ],
  'certificates.k8s.io/certificatesigningrequests': [
    subresource('approval', 'io.k8s.api.certificates.v1.CertificateSigningRequest', 'certificates.k8s.io/v1/CertificateSigningRequest', [
      'get',
      'put',
      'patch',
    ]),
  ],
}

function subresource(name: string, schema: string, gvk: string, methods: Subresource['methods']): Subresource {
  const [group = '', version = '', kind = ''] = gvk.split('/')
  return { name, schema, gvk: { group, version, kind }, methods }
}

interface Target {
  readonly kind: KindDefinition
  readonly gvk: GroupVersionKind
  /** Schema of what is taken and given. */
  readonly schema: string
  /** Part of operation ids: `NamespacedPodStatus`. */
  readonly id: string
}

interface OperationOptions {
  readonly parameters?: readonly Parameter[]
  readonly body?: string
  readonly patch?: boolean
  readonly answer: string
}

class PathWriter {
  readonly paths = new Map<string, PathItem>()
  readonly schemas = new Set<string>([`${META}.Status`, `${META}.DeleteOptions`, `${META}.Patch`, `${META}.WatchEvent`])

  resource(kind: KindDefinition): void {
    const schema = kind.schema ?? `${META}.PartialObjectMetadata`
    const gvk = { group: kind.group, version: kind.version, kind: kind.kind }
    const target: Target = { kind, gvk, schema, id: `${kind.namespaced ? 'Namespaced' : ''}${kind.kind}` }
    const root = `/${groupVersionPath(kind)}`
    const collection = kind.namespaced ? `${root}/namespaces/{namespace}/${kind.plural}` : `${root}/${kind.plural}`
    const verbs = new Set(kind.verbs ?? ALL_VERBS)
    this.#collection(collection, target, verbs)
    this.#object(`${collection}/{name}`, target, verbs)
    this.#subresources(`${collection}/{name}`, target)
    if (kind.namespaced && verbs.has('list')) {
      const everywhere = { ...target, id: `${kind.kind}ForAllNamespaces` }
      this.#add(`${root}/${kind.plural}`, [parameters.PRETTY], { get: this.#list(everywhere) })
    }
  }

  #collection(path: string, target: Target, verbs: ReadonlySet<string>): void {
    this.#add(path, this.#pathParameters(target, false), {
      ...(verbs.has('list') && { get: this.#list(target) }),
      ...(verbs.has('create') && {
        post: this.#operation(target, 'post', { parameters: parameters.WRITE_PARAMETERS, body: target.schema, answer: target.schema }),
      }),
      ...(verbs.has('deletecollection') && {
        delete: this.#operation(target, 'deletecollection', {
          parameters: parameters.DELETE_COLLECTION_PARAMETERS,
          body: `${META}.DeleteOptions`,
          answer: `${META}.Status`,
        }),
      }),
    })
  }

  #object(path: string, target: Target, verbs: ReadonlySet<string>): void {
    const { schema } = target
    this.#add(path, this.#pathParameters(target, true), {
      ...(verbs.has('get') && { get: this.#operation(target, 'get', { answer: schema }) }),
      ...(verbs.has('update') && {
        put: this.#operation(target, 'put', { parameters: parameters.WRITE_PARAMETERS, body: schema, answer: schema }),
      }),
      ...(verbs.has('patch') && { patch: this.#patch(target) }),
      ...(verbs.has('delete') && {
        delete: this.#operation(target, 'delete', {
          parameters: parameters.DELETE_PARAMETERS,
          body: `${META}.DeleteOptions`,
          answer: `${META}.Status`,
        }),
      }),
    })
  }

  #subresources(path: string, target: Target): void {
    const { kind } = target
    const gvkOfScale = { group: 'autoscaling', version: 'v1', kind: 'Scale' }
    const all: readonly Subresource[] = [
      ...(kind.status ? [{ name: 'status', schema: target.schema, gvk: target.gvk, methods: ['get', 'put', 'patch'] as const }] : []),
      ...(kind.scale ? [{ name: 'scale', schema: SCALE, gvk: gvkOfScale, methods: ['get', 'put', 'patch'] as const }] : []),
      ...(OWN_SUBRESOURCES[`${kind.group}/${kind.plural}`] ?? []),
    ]
    for (const { name, schema, gvk, methods } of all) {
      const at: Target = { kind, gvk, schema, id: target.id + name[0]?.toUpperCase() + name.slice(1) }
      this.#add(
        `${path}/${name}`,
        this.#pathParameters(target, true),
        Object.fromEntries(methods.map((method) => [method, this.#write(at, method)])),
      )
    }
    if (kind.group === '' && kind.plural === 'pods')
      this.#add(`${path}/log`, this.#pathParameters(target, true), { get: this.#log(target) })
  }

  #write(target: Target, method: Subresource['methods'][number]): unknown {
    const { schema } = target
    if (method === 'get') return this.#operation(target, 'get', { answer: schema })
    if (method === 'patch') return this.#patch(target)
    return this.#operation(target, method, { parameters: parameters.WRITE_PARAMETERS, body: schema, answer: schema })
  }

  #list(target: Target): unknown {
    return this.#operation(target, 'list', { parameters: parameters.LIST_PARAMETERS, answer: `${target.schema}List` })
  }

  #patch(target: Target): unknown {
    return this.#operation(target, 'patch', {
      parameters: parameters.PATCH_PARAMETERS,
      body: `${META}.Patch`,
      patch: true,
      answer: target.schema,
    })
  }

  #log(target: Target): unknown {
    const text = { description: 'OK', content: { 'text/plain': { schema: { type: 'string' } } } }
    const operation = this.#operation(target, 'get', { parameters: parameters.LOG_PARAMETERS, answer: target.schema })
    return { ...operation, operationId: `${operation.operationId}Log`, responses: { 200: text, 401: UNAUTHORIZED } }
  }

  #operation(
    target: Target,
    action: string,
    options: OperationOptions,
  ): { readonly operationId: string } & Readonly<Record<string, unknown>> {
    this.schemas.add(options.answer)
    if (options.body) this.schemas.add(options.body)
    const { group, version } = target.kind
    const tag = `${group === '' ? 'core' : camel(group.replace(/\.k8s\.io$/, ''))}_${version}`
    const content = (name: string, types: readonly string[]): unknown =>
      Object.fromEntries(types.map((type) => [type, { schema: { $ref: refTo(name) } }]))
    const ok = { description: 'OK', content: content(options.answer, action === 'list' ? LIST_TYPES : ['application/json']) }
    return {
      tags: [tag],
      description: DESCRIPTIONS[action]?.replace('%', target.gvk.kind),
      operationId: `${OPERATIONS[action]}${pascal(tag)}${target.id}`,
      ...(options.parameters && { parameters: options.parameters }),
      ...(options.body && {
        requestBody: {
          content: content(options.body, options.patch ? PATCH_TYPES : BODY_TYPES),
          ...(action.startsWith('delete') ? {} : { required: true }),
        },
      }),
      responses: {
        200: ok,
        ...(CREATES.has(action) && { 201: { ...ok, description: 'Created' } }),
        ...(action === 'post' || action === 'delete' ? { 202: { ...ok, description: 'Accepted' } } : {}),
        401: UNAUTHORIZED,
      },
      'x-kubernetes-action': action,
      'x-kubernetes-group-version-kind': target.gvk,
    }
  }

  #pathParameters({ kind }: Target, named: boolean): readonly Parameter[] {
    return [...(named ? [parameters.NAME] : []), ...(kind.namespaced ? [parameters.NAMESPACE] : []), parameters.PRETTY]
  }

  #add(path: string, shared: readonly Parameter[], operations: Readonly<Record<string, unknown>>): void {
    if (Object.keys(operations).length > 0) this.paths.set(path, { ...operations, parameters: shared })
  }
}

const LIST_TYPES = ['application/json', 'application/json;stream=watch']
const BODY_TYPES = ['application/json', 'application/yaml']
const PATCH_TYPES = [
  'application/apply-patch+yaml',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
]
const CREATES: ReadonlySet<string> = new Set(['post', 'put', 'patch'])
const UNAUTHORIZED = { description: 'Unauthorized' }

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  get: 'read the specified %',
  list: 'list or watch objects of kind %',
  post: 'create a %',
  put: 'replace the specified %',
  patch: 'partially update the specified %',
  delete: 'delete a %',
  deletecollection: 'delete collection of %',
}
const OPERATIONS: Readonly<Record<string, string>> = {
  get: 'read',
  list: 'list',
  post: 'create',
  put: 'replace',
  patch: 'patch',
  delete: 'delete',
  deletecollection: 'deleteCollection',
}

const camel = (text: string): string => text.replace(/[.-](\w)/g, (_, letter: string) => letter.toUpperCase())
const pascal = (text: string): string => text.replace(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase())
