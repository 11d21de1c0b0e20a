import type { ContainerStatus, Pod } from '../../../api/generated/types.ts'

/** Which start's log is meant, or why there is none. */
export type FoundLog = { readonly id: string } | { readonly problem: string }

/**
 * The container id whose log `kubectl logs` shows: of the present start, of the last one while the next waits, or of the one before
 * with `previous`. Source: kubernetes/pkg/kubelet/kubelet_pods.go validateContainerLogStatus.
 */
export function findLog(pod: Pod, container: string, previous: boolean): FoundLog {
  const name = pod.metadata.name
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]
  const status = statuses.find((candidate) => candidate.name === container)
  if (!status) return { problem: `container "${container}" in pod "${name}" is not available` }
  const last = status.lastState?.terminated?.containerID
  if (previous) {
    return last ? { id: idOf(last) } : { problem: `previous terminated container "${container}" in pod "${name}" not found` }
  }
  const current = currentId(status) ?? last
  if (current) return { id: idOf(current) }
  const reason = status.state?.waiting?.reason ?? 'ContainerCreating'
  return { problem: `container "${container}" in pod "${name}" is waiting to start: ${reason}` }
}

function currentId({ state, containerID }: ContainerStatus): string | undefined {
  return state?.running ? containerID : state?.terminated?.containerID
}

/** A containerID without the runtime's scheme. */
export const idOf = (containerID: string): string => containerID.slice(containerID.indexOf('://') + 3)
