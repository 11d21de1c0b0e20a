import type { KumaTargetRef } from '../../../api/kuma.io/v1alpha1/index.ts'
import type { ProxySelector } from '../input/index.ts'
import { readServiceTag } from './service-tag.ts'

/** Tags that Kuma 2 makes itself: no labels of pods. */
const NAMESPACE_TAG = 'k8s.kuma.io/namespace'
const SERVICE_TAG = 'kuma.io/service'
const MADE_TAGS: ReadonlySet<string> = new Set([
  NAMESPACE_TAG,
  SERVICE_TAG,
  'kuma.io/zone',
  'kuma.io/protocol',
  'k8s.kuma.io/service-name',
  'k8s.kuma.io/service-port',
])

export interface ReadTags {
  readonly namespace?: string
  readonly service?: { readonly namespace: string; readonly name: string; readonly port?: number }
  readonly labels: Readonly<Record<string, string>>
}

/** Tags as what they say of a proxy: its namespace, a service that leads to it, and labels of its pod. */
export function readTags(tags: Readonly<Record<string, string>>): ReadTags {
  const labels = Object.fromEntries(Object.entries(tags).filter(([tag]) => !MADE_TAGS.has(tag)))
  const namespace = tags[NAMESPACE_TAG]
  const tag = tags[SERVICE_TAG]
  const short = tags['k8s.kuma.io/service-name']
  const service =
    tag === undefined ? (short !== undefined && namespace !== undefined ? { namespace, name: short } : undefined) : readServiceTag(tag)
  return { labels, ...(namespace === undefined ? {} : { namespace }), ...(service ? { service } : {}) }
}

/** Whose proxies a top-level targetRef means. `within`: the namespace that the policy is bound to; absent: it may reach all. */
export function selectProxies(ref: KumaTargetRef | undefined, within: string | undefined): ProxySelector {
  const kinds = ref?.proxyTypes?.map((type) => (type === 'Sidecar' ? 'sidecar' : 'gateway'))
  const { service, ...byRef } = selectByRef(ref)
  const namespace = within ?? byRef.namespace
  return {
    ...byRef,
    ...(service ? { service } : {}),
    ...(kinds ? { kinds } : {}),
    ...(namespace === undefined ? {} : { namespace }),
    ...(ref?.sectionName === undefined ? {} : { section: ref.sectionName }),
  }
}

function selectByRef(ref: KumaTargetRef | undefined): ProxySelector {
  switch (ref?.kind) {
    case 'Dataplane':
      return {
        ...(ref.name === undefined ? {} : { name: ref.name }),
        ...(ref.labels ? { labels: ref.labels } : {}),
        ...(ref.namespace === undefined ? {} : { namespace: ref.namespace }),
      }
    case 'MeshSubset': {
      const { labels, namespace, service } = readTags(ref.tags ?? {})
      return { labels, ...(namespace === undefined ? {} : { namespace }), ...(service ? { service } : {}) }
    }
    case 'MeshService':
    case 'MeshServiceSubset': {
      const service = readServiceTag(ref.name ?? '') ?? { namespace: ref.namespace ?? '', name: ref.name ?? '' }
      return { service, ...(ref.tags ? { labels: readTags(ref.tags).labels } : {}) }
    }
    case 'MeshGateway':
      return { kinds: ['gateway'], gateway: `${ref.namespace ?? ''}/${ref.name ?? ''}` }
    default:
      return {}
  }
}

/** How exactly a selector says whom it means: the second number of a policy's rank. */
export function selectorRank(selector: ProxySelector): number {
  if (selector.section !== undefined) return 3
  if (selector.name !== undefined || selector.gateway !== undefined || selector.service !== undefined) return 2
  return Object.keys(selector.labels ?? {}).length > 0 ? 1 : 0
}
