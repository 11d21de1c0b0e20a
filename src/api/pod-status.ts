import type { Container, ContainerStatus, EphemeralContainer, Pod, PodSpec, PodTemplateSpec } from './generated/types.ts'
import { findCondition, isConditionTrue } from './conditions.ts'
import { quantityMillis } from './meta/quantity.ts'

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort'

/** A pod, or a template of pods: whatever has a pod's spec. */
export type WithPodSpec = { readonly spec?: PodSpec | undefined }

/** Init containers, then containers, in the order they start. Ephemeral ones are not among them. */
export function containersOf(pod: WithPodSpec | PodTemplateSpec): readonly Container[] {
  return [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])]
}

/** Every container of a spec with its path below that of the spec, such as `spec.initContainers[0]`. */
export function* containersWithPath(
  spec: PodSpec,
  path: string,
): Generator<{ readonly path: string; readonly container: Container | EphemeralContainer }> {
  for (const list of ['initContainers', 'containers', 'ephemeralContainers'] as const) {
    for (const [i, container] of (spec[list] ?? []).entries()) yield { path: `${path}.${list}[${i}]`, container }
  }
}

/** An init container that stays: starts before the next one, runs beside the pod's containers (`restartPolicy: Always`). */
export function isSidecar(container: Container | undefined): boolean {
  return container?.restartPolicy === 'Always'
}

/** Whether the condition Ready is True. */
export function isPodReady(pod: Pod): boolean {
  return isConditionTrue(pod.status?.conditions, 'Ready')
}

/**
 * Whether the pod has been ready for `minReadySeconds` (0: is ready).
 * Source: k8s.io/kubernetes pkg/api/v1/pod.IsPodAvailable.
 */
export function isPodAvailable(pod: Pod, minReadySeconds: number, nowMs: number): boolean {
  const ready = findCondition(pod.status?.conditions, 'Ready')
  if (ready?.status !== 'True') return false
  if (minReadySeconds === 0) return true
  const since = ready.lastTransitionTime ? Date.parse(ready.lastTransitionTime) : Number.NaN
  return !Number.isNaN(since) && since + minReadySeconds * 1000 <= nowMs
}

/** Succeeded and Failed are final: no container of the pod will run again. */
export function podPhaseIsTerminal(phase: string | undefined): boolean {
  return phase === 'Succeeded' || phase === 'Failed'
}

/** Neither finished nor being deleted. */
export function isPodActive(pod: Pod): boolean {
  return !podPhaseIsTerminal(pod.status?.phase) && pod.metadata.deletionTimestamp === undefined
}

/** The status of a container, whatever its sort. */
export function containerStatusOf(pod: Pod, name: string): ContainerStatus | undefined {
  const { containerStatuses, initContainerStatuses, ephemeralContainerStatuses } = pod.status ?? {}
  for (const list of [containerStatuses, initContainerStatuses, ephemeralContainerStatuses]) {
    const found = list?.find((status) => status.name === name)
    if (found) return found
  }
  return undefined
}

/**
 * Guaranteed: every container limits CPU and memory and asks for exactly that. BestEffort: none asks for or limits
 * either. Else Burstable. Resources of the pod itself, where given, count instead of the containers'.
 * Source: k8s.io/kubernetes pkg/apis/core/v1/helper/qos.ComputePodQOS.
 */
export function qosClassOf(pod: WithPodSpec): QosClass {
  const wholePod = pod.spec?.resources
  const all = wholePod ? [wholePod] : containersOf(pod).map((container) => container.resources ?? {})
  let some = false
  let guaranteed = true
  for (const { requests, limits } of all) {
    for (const name of ['cpu', 'memory']) {
      const request = quantityOf(requests?.[name])
      const limit = quantityOf(limits?.[name])
      if (request > 0 || limit > 0) some = true
      if (limit === 0 || (request > 0 && request !== limit)) guaranteed = false
    }
  }
  if (!some) return 'BestEffort'
  return guaranteed ? 'Guaranteed' : 'Burstable'
}

// computed before validation: what is no quantity is reported there
function quantityOf(text: string | undefined): number {
  if (text === undefined) return 0
  try {
    return quantityMillis(text)
  } catch {
    return 0
  }
}
