import type { KindDefinition } from '../api/kind.ts'
import { apiVersionOf } from '../api/meta/object.ts'
import { isStatus } from '../base/errors.ts'
import type { ApiRequest, Transport } from './transport.ts'

/** The kinds a server has, as it tells itself; asked once and remembered. */
export interface Discovery {
  /** All kinds, groups and versions in the server's order of preference. */
  kinds(): Promise<readonly KindDefinition[]>
  /** By what a manifest says. Undefined when the server does not have it (it is asked anew first). */
  byKind(type: { readonly apiVersion: string; readonly kind: string }): Promise<KindDefinition | undefined>
  /** By what a user types: `pods`, `po`, `Pod`, `deployments.apps`, `deployments.v1.apps`. */
  byResource(text: string): Promise<KindDefinition | undefined>
  /** Asks anew next time. */
  invalidate(): void
}

const ACCEPT = [
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
  'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList',
  'application/json',
].join(',')

const known = new WeakMap<Transport, Discovery>()

/** The kind of an object for which there is no definition at hand. One discovery is kept per transport. */
export function resolveKind(
  transport: Transport,
  type: { readonly apiVersion: string; readonly kind: string },
): Promise<KindDefinition | undefined> {
  let discovery = known.get(transport)
  if (!discovery) known.set(transport, (discovery = createDiscovery(transport)))
  return discovery.byKind(type)
}

/** Source: KEP-3352, aggregated discovery; servers without it (before 1.26) are walked group by group. */
export function createDiscovery(transport: Transport): Discovery {
  let cached: Promise<readonly KindDefinition[]> | undefined
  const kinds = (): Promise<readonly KindDefinition[]> => {
    const asked = (cached ??= discover(transport))
    // a failure is not remembered
    asked.catch(() => {
      if (cached === asked) cached = undefined
    })
    return asked
  }
  const find = async (match: (kind: KindDefinition) => boolean): Promise<KindDefinition | undefined> => {
    const fresh = cached === undefined
    const found = (await kinds()).find(match)
    if (found || fresh) return found
    // it may have been installed since
    cached = undefined
    return (await kinds()).find(match)
  }
  return {
    kinds,
    byKind: ({ apiVersion, kind }) => find((one) => one.kind === kind && apiVersionOf(one) === apiVersion),
    byResource: (text) => find((kind) => isCalled(kind, text)),
    invalidate: () => void (cached = undefined),
  }
}

/** Whether `text` names this kind: any of its names, with group or with version and group behind it. */
function isCalled(kind: KindDefinition, text: string): boolean {
  const dot = text.indexOf('.')
  const name = (dot < 0 ? text : text.slice(0, dot)).toLowerCase()
  const rest = dot < 0 ? '' : text.slice(dot + 1)
  if (rest !== '' && rest !== kind.group && rest !== `${kind.version}.${kind.group}`) return false
  const names = [kind.plural, kind.singular ?? kind.kind.toLowerCase(), kind.kind.toLowerCase(), ...(kind.shortNames ?? [])]
  return names.includes(name)
}

interface GroupDiscovery {
  readonly metadata?: { readonly name?: string }
  readonly versions?: readonly { readonly version: string; readonly resources?: readonly ResourceDiscovery[] }[]
}

interface ResourceDiscovery {
  readonly resource: string
  readonly responseKind?: { readonly kind: string }
  readonly scope: 'Namespaced' | 'Cluster'
  readonly singularResource?: string
  readonly shortNames?: readonly string[]
  readonly categories?: readonly string[]
  readonly verbs?: readonly string[]
  readonly subresources?: readonly { readonly subresource: string }[]
}

async function discover(transport: Transport): Promise<readonly KindDefinition[]> {
  const roots = await Promise.all([get(transport, '/api'), get(transport, '/apis')])
  return (await Promise.all(roots.map((root) => kindsOf(transport, root)))).flat()
}

async function get(transport: Transport, path: string): Promise<Record<string, unknown>> {
  const request: ApiRequest = { method: 'GET', path, headers: { accept: ACCEPT } }
  return (await (await transport.send(request)).object()) as Record<string, unknown>
}

async function kindsOf(transport: Transport, root: Record<string, unknown>): Promise<readonly KindDefinition[]> {
  if (root['kind'] === 'APIGroupDiscoveryList') return (root['items'] as readonly GroupDiscovery[]).flatMap(fromAggregated)
  const versions =
    root['kind'] === 'APIVersions'
      ? (root['versions'] as readonly string[])
      : (root['groups'] as readonly { versions: readonly { groupVersion: string }[] }[]).flatMap((group) =>
          group.versions.map(({ groupVersion }) => groupVersion),
        )
  return (await Promise.all(versions.map((version) => fromLegacy(transport, version)))).flat()
}

function fromAggregated(group: GroupDiscovery): KindDefinition[] {
  return (group.versions ?? []).flatMap(({ version, resources = [] }) =>
    resources.flatMap((resource) => {
      const kind = resource.responseKind?.kind
      if (!kind) return []
      const { shortNames, categories, verbs, singularResource } = resource
      const definition: KindDefinition = {
        group: group.metadata?.name ?? '',
        version,
        kind,
        plural: resource.resource,
        namespaced: resource.scope === 'Namespaced',
        ...(singularResource ? { singular: singularResource } : {}),
        ...(shortNames ? { shortNames } : {}),
        ...(categories ? { categories } : {}),
        ...(verbs ? { verbs } : {}),
        status: resource.subresources?.some(({ subresource }) => subresource === 'status') ?? false,
      }
      return [definition]
    }),
  )
}

interface LegacyResource {
  readonly name: string
  readonly kind: string
  readonly namespaced: boolean
  readonly singularName?: string
  readonly shortNames?: readonly string[]
  readonly categories?: readonly string[]
  readonly verbs?: readonly string[]
}

async function fromLegacy(transport: Transport, groupVersion: string): Promise<KindDefinition[]> {
  const [group, version] = groupVersion.includes('/') ? (groupVersion.split('/') as [string, string]) : ['', groupVersion]
  let resources: readonly LegacyResource[]
  try {
    const list = await get(transport, group === '' ? `/api/${version}` : `/apis/${groupVersion}`)
    resources = list['resources'] as readonly LegacyResource[]
  } catch (error) {
    // one broken aggregated API must not hide all others
    if (isStatus(error)) return []
    throw error
  }
  const named = resources.filter((resource) => !resource.name.includes('/'))
  return named.map(({ name, kind, namespaced, singularName, shortNames, categories, verbs }) => ({
    group,
    version,
    kind,
    plural: name,
    namespaced,
    ...(singularName ? { singular: singularName } : {}),
    ...(shortNames ? { shortNames } : {}),
    ...(categories ? { categories } : {}),
    ...(verbs ? { verbs } : {}),
    status: resources.some((resource) => resource.name === `${name}/status`),
  }))
}
