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
  return new Info(pod)
}

/** One for each pod of the cluster: what its template says is shared with its siblings, and what only a pod that waits for a node is asked for is made when asked. */
class Info implements PodInfo {
  readonly pod: Pod
  readonly group: string
  readonly #template: Template

  constructor(pod: Pod) {
    this.pod = pod
    this.group = pod.metadata.ownerReferences?.find((owner) => owner.controller)?.uid ?? ''
    this.#template = templateOf(pod)
  }

  get uid(): string {
    return this.pod.metadata.uid ?? ''
  }

  get key(): string {
    return `${this.pod.metadata.namespace}/${this.pod.metadata.name}`
  }

  get priority(): number {
    return this.pod.spec?.priority ?? 0
  }

  get requests(): Resources {
    return this.#template.requests
  }

  get nonZero(): PodInfo['nonZero'] {
    return this.#template.nonZero
  }

  get hostPorts(): readonly HostPort[] {
    return this.#template.hostPorts
  }

  get tolerations(): readonly Toleration[] {
    return this.pod.spec?.tolerations ?? NONE
  }

  get signature(): string {
    const spec = this.pod.spec
    return JSON.stringify([spec?.nodeName ?? '', spec?.nodeSelector ?? null, spec?.affinity?.nodeAffinity ?? null, this.tolerations])
  }
}

const NONE: readonly never[] = []

/** What follows from these parts of a spec alone. */
interface Template extends Pick<PodInfo, 'requests' | 'nonZero' | 'hostPorts'> {
  readonly from: readonly unknown[]
}

/** By the containers, which informers that save memory share between the pods of one template. */
const templates = new WeakMap<readonly Container[], Template>()

function templateOf(pod: Pod): Template {
  const { containers, initContainers, resources, overhead } = pod.spec ?? {}
  const known = containers && templates.get(containers)
  const from = [initContainers, resources, overhead]
  if (known?.from.every((part, i) => part === from[i])) return known
  const template = { from, requests: podRequests(pod), nonZero: nonZeroOf(containers ?? []), hostPorts: hostPorts(pod) }
  if (containers) templates.set(containers, template)
  return template
}

function nonZeroOf(containers: readonly Container[]): PodInfo['nonZero'] {
  const sum = (resource: string, amount: (text: string) => number, otherwise: number): number =>
    containers.reduce((total, container) => {
      const request = asked(container, resource)
      return total + (request === undefined ? otherwise : amount(request))
    }, 0)
  return { cpuMillis: sum('cpu', quantityMillis, DEFAULT_CPU_MILLIS), memoryBytes: sum('memory', quantityValue, DEFAULT_MEMORY_BYTES) }
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
