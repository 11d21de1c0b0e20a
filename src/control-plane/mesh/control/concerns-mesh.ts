import type { Pod, Node } from '../../../api/generated/types.ts'
import type { KubeObject } from '../../../api/meta/object.ts'

/**
 * Whether a change of an object can change what any proxy is told. Heartbeats and statuses come every few seconds: what depends on them is named here, and
 * the rest is no reason to compile anything.
 */
export function concernsMesh(kind: string, next: KubeObject | undefined, previous: KubeObject | undefined): boolean {
  if (!next || !previous) return true
  switch (kind) {
    case 'Pod':
      return podFacts(next as Pod) !== podFacts(previous as Pod)
    case 'Node':
      return JSON.stringify((next as Node).metadata.labels) !== JSON.stringify((previous as Node).metadata.labels)
    case 'EndpointSlice':
      return true
    case 'ConfigMap':
    case 'Secret':
      return true
    default:
      // of all others what is wanted counts, not what was reported about it
      return (
        next.metadata.generation !== previous.metadata.generation ||
        JSON.stringify([next.metadata.labels, next.metadata.annotations, next.metadata.deletionTimestamp]) !==
          JSON.stringify([previous.metadata.labels, previous.metadata.annotations, previous.metadata.deletionTimestamp]) ||
        JSON.stringify(specOf(next)) !== JSON.stringify(specOf(previous)) ||
        // addresses of Kuma's external services are given out in the status
        (kind.startsWith('Mesh') && JSON.stringify(vipsOf(next)) !== JSON.stringify(vipsOf(previous)))
      )
  }
}

function podFacts({ metadata, spec, status }: Pod): string {
  return JSON.stringify([
    metadata.labels,
    metadata.annotations,
    metadata.deletionTimestamp,
    spec?.nodeName,
    status?.phase,
    status?.podIPs,
    status?.initContainerStatuses?.map(({ name, ready }) => [name, ready]),
  ])
}

const specOf = (object: KubeObject): unknown => (object as { readonly spec?: unknown }).spec
const vipsOf = (object: KubeObject): unknown => {
  const status = (object as { readonly status?: { readonly vip?: unknown; readonly vips?: unknown } }).status
  return [status?.vip, status?.vips]
}
