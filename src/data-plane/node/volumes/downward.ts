import type { Pod, ResourceFieldSelector } from '../../../api/generated/types.ts'
import { quantityMillis, quantityValue } from '../../../api/meta/quantity.ts'
import { containerRoles } from '../pods/pod-view.ts'

/** What the node knows and the pod's object may not say yet. */
export interface NodeFacts {
  readonly podIPs?: readonly string[]
  readonly hostIPs?: readonly string[]
  /** Of the node, for limits that are not set. */
  readonly allocatable?: { readonly cpuMillis: number; readonly memoryBytes: number }
}

/** A downward API field as text. Unknown paths give ''. Source: kubernetes/pkg/fieldpath. */
export function fieldValue(pod: Pod, path: string, facts: NodeFacts): string {
  const subscript = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(path)
  if (subscript) return pod.metadata[subscript[1] as 'labels' | 'annotations']?.[subscript[2] as string] ?? ''
  switch (path) {
    case 'metadata.name':
      return pod.metadata.name
    case 'metadata.namespace':
      return pod.metadata.namespace ?? ''
    case 'metadata.uid':
      return pod.metadata.uid ?? ''
    case 'metadata.labels':
      return formatMap(pod.metadata.labels)
    case 'metadata.annotations':
      return formatMap(pod.metadata.annotations)
    case 'spec.nodeName':
      return pod.spec?.nodeName ?? ''
    case 'spec.serviceAccountName':
      return pod.spec?.serviceAccountName ?? ''
    case 'status.hostIP':
      return facts.hostIPs?.[0] ?? pod.status?.hostIP ?? ''
    case 'status.hostIPs':
      return (facts.hostIPs ?? []).join(',')
    case 'status.podIP':
      return facts.podIPs?.[0] ?? pod.status?.podIP ?? ''
    case 'status.podIPs':
      return (facts.podIPs ?? []).join(',')
    default:
      return ''
  }
}

/** `key="value"` lines, sorted. */
function formatMap(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join('\n')
}

/** A container's request or limit in units of the divisor, rounded up; an unset limit is what the node can give. */
export function resourceFieldValue(pod: Pod, ref: ResourceFieldSelector, ownName: string, facts: NodeFacts = {}): string {
  const name = ref.containerName ?? ownName
  const container = containerRoles(pod).find((candidate) => candidate.spec.name === name)?.spec
  const [section, resource] = ref.resource.split('.', 2)
  const amount = container?.resources?.[section as 'limits' | 'requests']?.[resource as string]
  const isCpu = resource === 'cpu'
  const divisor = ref.divisor && ref.divisor !== '0' ? ref.divisor : '1'
  if (isCpu) {
    const millis = amount === undefined ? (section === 'limits' ? (facts.allocatable?.cpuMillis ?? 0) : 0) : quantityMillis(amount)
    return String(Math.ceil(millis / quantityMillis(divisor)))
  }
  const bytes = amount === undefined ? (section === 'limits' ? (facts.allocatable?.memoryBytes ?? 0) : 0) : quantityValue(amount)
  return String(Math.ceil(bytes / quantityValue(divisor)))
}
