import type { Container, Pod } from '../../../api/generated/types.ts'
import type { ContainerStatus } from '../runtime.ts'

/** Init containers run once and in order; sidecars are init containers with restartPolicy Always (KEP-753). */
export type ContainerRole = 'init' | 'sidecar' | 'main'

/** Why a container could not be created or started; kept until the next try succeeds. */
export interface StartFailure {
  /** Waiting reason: `CreateContainerConfigError`, `RunContainerError`, `ImageNotRunnableAsProcess`, ... */
  readonly reason: string
  readonly message: string
}

/** Everything the planner and the status know about one container. */
export interface ContainerView {
  readonly name: string
  readonly role: ContainerRole
  readonly spec: Container
  /** The newest start, if there was one. */
  readonly current?: ContainerStatus
  /** The start before. */
  readonly previous?: ContainerStatus
  readonly failure?: StartFailure
  /** Earliest next start after crashes or failures, monotonic ms; absent: at once. */
  readonly notBeforeMs?: number
  /** Length of the crash back-off that the latest exit earned; 0 or absent: none. */
  readonly backOffMs?: number
  /** The startup probe has passed, or there is none. */
  readonly started: boolean
  /** The readiness probe passes, or there is none. */
  readonly ready: boolean
  /** Set while the liveness or startup probe wants the container killed: what the event says of it. */
  readonly unhealthy?: string
}

/** One pod at one moment. */
export interface PodView {
  readonly pod: Pod
  readonly containers: readonly ContainerView[]
  readonly sandboxReady: boolean
  /** Wall clock of the moment. */
  readonly nowMs: number
  /** Monotonic clock of the moment, to compare with `notBeforeMs`. */
  readonly monotonicMs: number
  /** The pod was deleted at the API server, or is being evicted: everything has to stop. */
  readonly terminating: boolean
  /** Set once the node itself ended the pod (deadline, eviction): phase Failed with this reason. */
  readonly ended?: { readonly reason: string; readonly message: string }
}

/** The containers of a pod in start order with their roles. */
export function containerRoles(pod: Pod): { readonly spec: Container; readonly role: ContainerRole }[] {
  const init = (pod.spec?.initContainers ?? []).map((spec) => ({
    spec,
    role: spec.restartPolicy === 'Always' ? ('sidecar' as const) : ('init' as const),
  }))
  return [...init, ...(pod.spec?.containers ?? []).map((spec) => ({ spec, role: 'main' as const }))]
}

/** What the pod's containers are given to end, unless less is granted. */
export const gracePeriodMs = (pod: Pod): number => (pod.spec?.terminationGracePeriodSeconds ?? 30) * 1000

export const isRunning = (view: ContainerView): boolean => view.current?.state === 'running'
export const hasExited = (view: ContainerView): boolean => view.current?.state === 'exited'
export const hasSucceeded = (view: ContainerView): boolean => hasExited(view) && view.current?.exitCode === 0

/** Whether an exited container of a live pod is to be started again. */
export function restarts(view: ContainerView, pod: Pod): boolean {
  const policy = pod.spec?.restartPolicy ?? 'Always'
  if (view.role === 'sidecar') return true
  const failed = view.current?.exitCode !== 0
  if (view.role === 'init') return failed && policy !== 'Never'
  return policy === 'Always' || (policy === 'OnFailure' && failed)
}

/** All init containers are done and all sidecars have started once. Main containers that exist prove it too. */
export function isInitialized(containers: readonly ContainerView[]): boolean {
  if (containers.some((view) => view.role === 'main' && view.current)) return true
  return containers.every((view) =>
    view.role === 'init' ? hasSucceeded(view) : view.role === 'sidecar' ? isRunning(view) && view.started : true,
  )
}

/** The phase says that nothing of the pod runs again; it is never left. */
export const isTerminal = (pod: Pod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'

/** The pod's own work is over: its main containers have ended for good, or an init container has failed for good. Sidecars may still run. */
export function isWorkOver({ containers, pod }: Pick<PodView, 'containers' | 'pod'>): boolean {
  const main = containers.filter((container) => container.role === 'main')
  const over = (container: ContainerView): boolean => hasExited(container) && !restarts(container, pod)
  const initFailed = containers.some((container) => container.role === 'init' && over(container) && !hasSucceeded(container))
  if (initFailed && !main.some((container) => container.current)) return true
  return main.every(over)
}

/** The pod will never run anything again, and nothing of it runs. */
export function isFinished(view: PodView): boolean {
  if (view.containers.some(isRunning)) return false
  return view.ended !== undefined || view.terminating || isTerminal(view.pod) || isWorkOver(view)
}
