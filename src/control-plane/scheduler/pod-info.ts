import type { Container, Pod, Toleration } from '../../api/generated/types.ts'
import { quantityMillis, quantityValue } from '../../api/meta/quantity.ts'

/** Amounts a pod asks for, or a node has: whole numbers, in the unit each name says. */
export interface Resources {
  cpuMillis: number
  memoryBytes: number
  ephemeralBytes: number
  /** Extended resources by name; absent when there are none, which is nearly always. */
  extended?: Map<string, number>
}

/** What a container without requests is counted as when nodes are compared. Source: kubernetes/pkg/scheduler/util/pod_resources.go. */
const DEFAULT_CPU_MILLIS = 100
const DEFAULT_MEMORY_BYTES = 200 * 1024 * 1024

export interface HostPort {
  readonly ip: string
  readonly protocol: string
  readonly port: number
}

/** All that scheduling asks of a pod, computed once. */
export interface PodInfo {
  readonly pod: Pod
  readonly uid: string
  /** `namespace/name`. */
  readonly key: string
  readonly priority: number
  readonly requests: Resources
  /** As `requests`, with defaults for containers that ask for nothing: only for scoring. */
  readonly nonZero: { readonly cpuMillis: number; readonly memoryBytes: number }
  readonly hostPorts: readonly HostPort[]
  readonly tolerations: readonly Toleration[]
  /** Pods of one group are spread: the uid of the controller, or ''. */
  readonly group: string
  /** Pods with equal signatures pass and fail the node-only filters alike. */
  readonly signature: string
}

export function podInfo(pod: Pod): PodInfo {
  const spec = pod.spec
  const containers = spec?.containers ?? []
  const requests = podRequests(pod)
  const tolerations = spec?.tolerations ?? []
  return {
    pod,
    uid: pod.metadata.uid ?? '',
    key: `${pod.metadata.namespace}/${pod.metadata.name}`,
    priority: spec?.priority ?? 0,
    requests,
    nonZero: {
      cpuMillis: containers.reduce(
        (sum, container) =>
          sum + (asked(container, 'cpu') === undefined ? DEFAULT_CPU_MILLIS : quantityMillis(asked(container, 'cpu') as string)),
        0,
      ),
      memoryBytes: containers.reduce(
        (sum, container) =>
          sum + (asked(container, 'memory') === undefined ? DEFAULT_MEMORY_BYTES : quantityValue(asked(container, 'memory') as string)),
        0,
      ),
    },
    hostPorts: hostPorts(pod),
    tolerations,
    group: pod.metadata.ownerReferences?.find((owner) => owner.controller)?.uid ?? '',
    signature: JSON.stringify([spec?.nodeName ?? '', spec?.nodeSelector ?? null, spec?.affinity?.nodeAffinity ?? null, tolerations]),
  }
}

/**
 * Effective requests: the larger of all containers with sidecars together and of each init container with the sidecars
 * before it, plus overhead. Source: KEP-753, k8s.io/component-helpers/resource.
 */
export function podRequests(pod: Pod): Resources {
  const total = empty()
  for (const container of pod.spec?.containers ?? []) add(total, requestsOf(container))
  const sidecars = empty()
  const peak = empty()
  for (const container of pod.spec?.initContainers ?? []) {
    const own = requestsOf(container)
    if (container.restartPolicy === 'Always') {
      add(sidecars, own)
      raise(peak, sidecars)
    } else {
      add(own, sidecars)
      raise(peak, own)
    }
  }
  add(total, sidecars)
  raise(total, peak)
  const wholePod = pod.spec?.resources?.requests
  if (wholePod) {
    // what the pod asks for as a whole counts instead (KEP-2837)
    const own = parse(wholePod)
    if (wholePod['cpu'] !== undefined) total.cpuMillis = own.cpuMillis
    if (wholePod['memory'] !== undefined) total.memoryBytes = own.memoryBytes
  }
  if (pod.spec?.overhead) add(total, parse(pod.spec.overhead))
  return total
}

export function emptyResources(): Resources {
  return empty()
}

/** Parses a resource list such as `{ cpu: '500m', memory: '1Gi' }`. */
export function parse(list: Readonly<Record<string, string>> | undefined): Resources {
  const result = empty()
  for (const [name, amount] of Object.entries(list ?? {})) {
    if (name === 'cpu') result.cpuMillis = quantityMillis(amount)
    else if (name === 'memory') result.memoryBytes = quantityValue(amount)
    else if (name === 'ephemeral-storage') result.ephemeralBytes = quantityValue(amount)
    else if (name !== 'pods') (result.extended ??= new Map()).set(name, quantityValue(amount))
  }
  return result
}

/** `into += more`. */
export function add(into: Resources, more: Resources, sign: 1 | -1 = 1): void {
  into.cpuMillis += sign * more.cpuMillis
  into.memoryBytes += sign * more.memoryBytes
  into.ephemeralBytes += sign * more.ephemeralBytes
  if (!more.extended) return
  into.extended ??= new Map()
  for (const [name, amount] of more.extended) into.extended.set(name, (into.extended.get(name) ?? 0) + sign * amount)
}

function raise(into: Resources, other: Resources): void {
  into.cpuMillis = Math.max(into.cpuMillis, other.cpuMillis)
  into.memoryBytes = Math.max(into.memoryBytes, other.memoryBytes)
  into.ephemeralBytes = Math.max(into.ephemeralBytes, other.ephemeralBytes)
  for (const [name, amount] of other.extended ?? []) {
    into.extended ??= new Map()
    into.extended.set(name, Math.max(into.extended.get(name) ?? 0, amount))
  }
}

const empty = (): Resources => ({ cpuMillis: 0, memoryBytes: 0, ephemeralBytes: 0 })
const requestsOf = (container: Container): Resources => parse(container.resources?.requests)
const asked = (container: Container, resource: string): string | undefined => container.resources?.requests?.[resource]

function hostPorts(pod: Pod): HostPort[] {
  const ports = [
    ...(pod.spec?.containers ?? []),
    ...(pod.spec?.initContainers ?? []).filter((container) => container.restartPolicy === 'Always'),
  ].flatMap((container) => container.ports ?? [])
  return ports
    .filter((port) => port.hostPort)
    .map((port) => ({ ip: port.hostIP || '0.0.0.0', protocol: port.protocol ?? 'TCP', port: port.hostPort as number }))
}
