import type { KumaTargetRef } from '../../../api/kuma.io/v1alpha1/index.ts'
import type { CallerMatch, ProxyView } from '../input/index.ts'
import { readTags, type ReadTags } from './select-proxies.ts'
import { readServiceTag } from './service-tag.ts'

/** Callers that Kuma 2's `from` means. */
export interface Callers {
  /** `everybody`: identities or not. */
  readonly everybody: boolean
  /** None: nobody that is known. */
  readonly matches: readonly CallerMatch[]
  /** SPIFFE ids that callers have which are not meant: the labels do not separate them. */
  readonly shared: readonly string[]
}

/** SPIFFE id of a proxy by its service account. */
export function proxyIdentity(trustDomain: string, { namespace, serviceAccount }: Pick<ProxyView, 'namespace' | 'serviceAccount'>): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`
}

/**
 * Callers by tags. A connection shows a SPIFFE id, which says namespace and service account and no labels; so labels become the ids of the service accounts
 * of the proxies that carry them. A namespace alone is a prefix of ids, and needs no proxies to be known.
 */
export function callersOf(ref: KumaTargetRef, proxies: readonly ProxyView[], trustDomain: string): Callers {
  const tags = refTags(ref)
  if (!tags) return { everybody: true, matches: [{}], shared: [] }
  const isNamespaceAlone = tags.namespace !== undefined && !tags.service && Object.keys(tags.labels).length === 0
  if (isNamespaceAlone) {
    return { everybody: false, matches: [{ spiffeId: { prefix: `spiffe://${trustDomain}/ns/${tags.namespace}/` } }], shared: [] }
  }
  const meant = new Set<string>()
  const others = new Set<string>()
  for (const proxy of proxies) (carries(proxy, tags) ? meant : others).add(proxyIdentity(trustDomain, proxy))
  const ids = [...meant].sort()
  return { everybody: false, matches: ids.map((exact) => ({ spiffeId: { exact } })), shared: ids.filter((id) => others.has(id)) }
}

function refTags(ref: KumaTargetRef): ReadTags | undefined {
  const tags = readTags(ref.tags ?? {})
  if (ref.kind === 'MeshService' || ref.kind === 'MeshServiceSubset') {
    const service = readServiceTag(ref.name ?? '') ?? { namespace: ref.namespace ?? '', name: ref.name ?? '' }
    return { ...tags, service }
  }
  const isEmpty = tags.namespace === undefined && !tags.service && Object.keys(tags.labels).length === 0
  return ref.kind === 'Mesh' || isEmpty ? undefined : tags
}

function carries(proxy: ProxyView, { namespace, service, labels }: ReadTags): boolean {
  if (namespace !== undefined && proxy.namespace !== namespace) return false
  if (service && !proxy.ports.some((port) => port.services.some((one) => isService(one, service)))) return false
  return Object.entries(labels).every(([label, value]) => proxy.labels[label] === value)
}

const isService = (
  one: { readonly namespace: string; readonly name: string; readonly port: number },
  service: { readonly namespace: string; readonly name: string; readonly port?: number },
): boolean => one.name === service.name && one.namespace === service.namespace && (service.port === undefined || one.port === service.port)
