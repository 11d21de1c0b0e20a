import type { KindDefinition } from '../../../api/kind.ts'
import { resolveSchema, type Schema } from '../../../api/schema/index.ts'
import { apiVersionOf } from '../../../api/meta/object.ts'
import type { GroupResource } from './status-errors.ts'

/** A kind as the server works with it: names that are needed per request, worked out once. */
export interface Resource extends GroupResource {
  readonly kind: KindDefinition
  /** `apps/v1`. */
  readonly apiVersion: string
  /** `DeploymentList`. */
  readonly listKind: string
  /** Where its objects live: `/registry/apps/deployments/`. Kinds with `storedAs` share another kind's. */
  readonly prefix: string
  /** What the stored JSON of every object starts with: `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{`. */
  readonly head: Uint8Array
  /** Undefined where the kind has none: then anything goes. Resolved when first asked for. */
  readonly schema: () => Schema | undefined
}

/** Finds what a request path names. Kinds may come and go while the server runs. */
export interface ResourceTable {
  /** Undefined where no such resource is served. */
  find(group: string, version: string, plural: string): Resource | undefined
  all(): readonly Resource[]
  add(kind: KindDefinition): Resource
  remove(kind: KindDefinition): void
}

export function createResourceTable(kinds: readonly KindDefinition[]): ResourceTable {
  const table = new Map<string, Resource>()
  const keyOf = (group: string, version: string, plural: string): string => `${group}/${version}/${plural}`
  const add = (kind: KindDefinition): Resource => {
    const resource = resourceOf(kind)
    table.set(keyOf(kind.group, kind.version, kind.plural), resource)
    return resource
  }
  for (const kind of kinds) add(kind)
  return {
    find: (group, version, plural) => table.get(keyOf(group, version, plural)),
    all: () => [...table.values()],
    add,
    remove: (kind) => void table.delete(keyOf(kind.group, kind.version, kind.plural)),
  }
}

export function resourceOf(kind: KindDefinition): Resource {
  const apiVersion = apiVersionOf(kind)
  const home = kind.storedAs ?? kind
  let schema: { readonly found: Schema | undefined } | undefined
  return {
    kind,
    group: kind.group,
    plural: kind.plural,
    apiVersion,
    listKind: `${kind.kind}List`,
    prefix: `/registry/${home.group === '' ? 'core' : home.group}/${home.plural}/`,
    schema: () => (schema ??= { found: kind.schema === undefined ? undefined : resolveSchema(kind.schema) }).found,
    head: Buffer.from(`{"apiVersion":${JSON.stringify(apiVersion)},"kind":${JSON.stringify(kind.kind)},"metadata":{`),
  }
}

/** Key of one object; `namespace` is ignored for cluster-scoped kinds. */
export function storageKey(resource: Resource, namespace: string, name: string): string {
  return resource.kind.namespaced ? `${resource.prefix}${namespace}/${name}` : resource.prefix + name
}

/** Prefix of a namespace's objects, or of all with namespace ''. */
export function storagePrefix(resource: Resource, namespace: string): string {
  return resource.kind.namespaced && namespace !== '' ? `${resource.prefix}${namespace}/` : resource.prefix
}

/** The namespace ('' for cluster-scoped kinds) and name in a key. */
export function splitKey(resource: Resource, key: string): { namespace: string; name: string } {
  const rest = key.slice(resource.prefix.length)
  const slash = rest.indexOf('/')
  return slash < 0 ? { namespace: '', name: rest } : { namespace: rest.slice(0, slash), name: rest.slice(slash + 1) }
}
