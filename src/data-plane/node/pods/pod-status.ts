import { timestamp } from '../../../base/timestamp.ts'
import type { ContainerState, ContainerStatus as ApiContainerStatus, Pod, PodCondition, PodStatus } from '../../../api/generated/types.ts'
import type { ContainerStatus } from '../runtime.ts'
import type { ContainerView, PodView } from './pod-view.ts'
import { hasExited, hasSucceeded, isInitialized, isRunning, isTerminal, restarts } from './pod-view.ts'

/** What the node adds to what the view knows. */
export interface StatusContext {
  readonly hostIPs: readonly string[]
  readonly podIPs: readonly string[]
  /** `process://`, `fake://`: the scheme of container ids. */
  readonly runtimeName: string
}

/**
 * The status that a pod's view amounts to. Pure; transition times of unchanged conditions are kept from the pod's
 * present status. Source: kubernetes/pkg/kubelet/kubelet_pods.go (convertStatusToAPIStatus, getPhase).
 */
export function podStatus(view: PodView, context: StatusContext): PodStatus {
  const previous = view.pod.status ?? {}
  const now = timestamp(view.nowMs)
  const phase = podPhase(view)
  const statuses = (roles: readonly string[]): ApiContainerStatus[] =>
    view.containers.filter((container) => roles.includes(container.role)).map((container) => containerStatus(container, view, context))
  const init = statuses(['init', 'sidecar'])
  const main = statuses(['main'])
  const ready = phase === 'Running' && readyContainers(view)
  const conditions = mergeConditions(previous.conditions ?? [], podConditions(view, phase, ready), now)
  return {
    ...keep(previous),
    phase,
    conditions,
    ...whyEnded(view),
    hostIP: context.hostIPs[0],
    hostIPs: context.hostIPs.map((ip) => ({ ip })),
    ...(context.podIPs.length > 0 ? { podIP: context.podIPs[0], podIPs: context.podIPs.map((ip) => ({ ip })) } : {}),
    startTime: previous.startTime ?? now,
    ...(init.length > 0 ? { initContainerStatuses: init } : {}),
    containerStatuses: main,
    observedGeneration: view.pod.metadata.generation,
  }
}

/** Why the node ended the pod; stays once the pod has Failed. */
function whyEnded({ ended, pod }: PodView): Pick<PodStatus, 'reason' | 'message'> {
  const { reason, message } = ended ?? (isTerminal(pod) ? (pod.status ?? {}) : {})
  return { ...(reason ? { reason } : {}), ...(message ? { message } : {}) }
}

/** Fields that others own. */
function keep(previous: PodStatus): PodStatus {
  const { qosClass, nominatedNodeName, resourceClaimStatuses } = previous
  return {
    ...(qosClass ? { qosClass } : {}),
    ...(nominatedNodeName ? { nominatedNodeName } : {}),
    ...(resourceClaimStatuses ? { resourceClaimStatuses } : {}),
  }
}

/** Pending, Running, Succeeded or Failed. A terminal phase is never left. */
export function podPhase(view: PodView): string {
  if (isTerminal(view.pod)) return view.pod.status?.phase as string
  const anyRunning = view.containers.some(isRunning)
  if (view.ended && !anyRunning) return 'Failed'
  const init = view.containers.filter((container) => container.role === 'init')
  const main = view.containers.filter((container) => container.role === 'main')
  if (!isInitialized(view.containers)) {
    const failed = init.some((container) => hasExited(container) && !hasSucceeded(container) && !restarts(container, view.pod))
    return failed && !anyRunning ? 'Failed' : 'Pending'
  }
  // one that never ran waits, whatever the others do
  if (main.some((container) => !container.current || (container.current.state === 'created' && !container.previous))) return 'Pending'
  if (main.some((container) => isRunning(container) || (!view.terminating && willRun(container, view)))) return 'Running'
  if (anyRunning) return 'Running'
  return main.every(hasSucceeded) ? 'Succeeded' : 'Failed'
}

const willRun = (container: ContainerView, view: PodView): boolean => !hasExited(container) || restarts(container, view.pod)

function readyContainers(view: PodView): boolean {
  return view.containers.every((container) => container.role === 'init' || (isRunning(container) && container.started && container.ready))
}

function podConditions(view: PodView, phase: string, ready: boolean): PodCondition[] {
  const over = phase === 'Succeeded' || phase === 'Failed'
  const unready = view.containers
    .filter((container) => container.role !== 'init' && !(isRunning(container) && container.started && container.ready))
    .map((container) => container.name)
  const notReady = over
    ? { reason: phase === 'Succeeded' ? 'PodCompleted' : 'PodFailed' }
    : { reason: 'ContainersNotReady', message: `containers with unready status: [${unready.join(' ')}]` }
  const initialized = phase === 'Succeeded' || isInitialized(view.containers)
  const incomplete = view.containers
    .filter((container) => container.role === 'init' && !hasSucceeded(container))
    .map((container) => container.name)
  const gates = (view.pod.spec?.readinessGates ?? []).filter(
    (gate) =>
      !(view.pod.status?.conditions ?? []).some((condition) => condition.type === gate.conditionType && condition.status === 'True'),
  )
  const readyCondition: Omit<PodCondition, 'type' | 'status'> = !ready
    ? notReady
    : gates.length > 0
      ? {
          reason: 'ReadinessGatesNotReady',
          message: `the status of pod readiness gate "${gates[0]?.conditionType}" is not "True", but False`,
        }
      : {}
  return [
    { type: 'PodReadyToStartContainers', status: bool(view.sandboxReady && !over) },
    {
      type: 'Initialized',
      status: bool(initialized),
      ...(initialized
        ? phase === 'Succeeded'
          ? { reason: 'PodCompleted' }
          : {}
        : { reason: 'ContainersNotInitialized', message: `containers with incomplete status: [${incomplete.join(' ')}]` }),
    },
    { type: 'Ready', status: bool(ready && gates.length === 0), ...readyCondition },
    { type: 'ContainersReady', status: bool(ready), ...(ready ? {} : notReady) },
    { type: 'PodScheduled', status: 'True' },
  ]
}

const bool = (value: boolean): string => (value ? 'True' : 'False')

/** Ours replace those of the same type; foreign ones (readiness gates) stay; an unchanged status keeps its transition time. */
function mergeConditions(previous: readonly PodCondition[], ours: readonly PodCondition[], now: string): PodCondition[] {
  const types = new Set(ours.map((condition) => condition.type))
  const merged = ours.map((condition): PodCondition => {
    const before = previous.find((candidate) => candidate.type === condition.type)
    return {
      ...condition,
      lastTransitionTime: before?.status === condition.status && before.lastTransitionTime ? before.lastTransitionTime : now,
    }
  })
  return [...merged, ...previous.filter((condition) => !types.has(condition.type))]
}

function containerStatus(container: ContainerView, view: PodView, context: StatusContext): ApiContainerStatus {
  const { current } = container
  const state = containerState(container, view, context)
  // what a waiting container did last is its last state; a finished one that stays finished is its state
  const last = state.waiting && current?.state === 'exited' ? current : container.previous
  const running = isRunning(container)
  return {
    name: container.name,
    state,
    lastState: last ? { terminated: terminated(last, context) } : {},
    ready: container.role === 'init' ? hasSucceeded(container) : running && container.started && container.ready,
    restartCount: current?.restartCount ?? 0,
    image: container.spec.image ?? '',
    imageID: current ? `${context.runtimeName}://${container.spec.image ?? ''}` : '',
    ...(current ? { containerID: `${context.runtimeName}://${current.id}` } : {}),
    started: running && container.started,
  }
}

function containerState(container: ContainerView, view: PodView, context: StatusContext): ContainerState {
  const { current, failure } = container
  if (current?.state === 'running') return { running: { startedAt: timestamp(current.startedAtMs ?? current.createdAtMs) } }
  const willStart =
    !view.terminating && !view.ended && !isTerminal(view.pod) && (!current || current.state === 'created' || needsRestart(container, view))
  if (current?.state === 'exited' && !willStart) return { terminated: terminated(current, context) }
  const waits = current?.state === 'exited' && (container.backOffMs ?? 0) > 0 && (container.notBeforeMs ?? 0) > view.monotonicMs
  // a program that cannot be started crashes like any other; everything else tells why it is not even tried
  if (failure && !(waits && failure.reason === 'RunContainerError'))
    return { waiting: { reason: failure.reason, message: failure.message } }
  if (waits) {
    const text = `back-off ${goDuration(container.backOffMs ?? 0)} restarting failed container=${container.name} pod=${podFullName(view.pod)}`
    return { waiting: { reason: 'CrashLoopBackOff', message: text } }
  }
  if (current?.state === 'exited') return { terminated: terminated(current, context) }
  const initializing =
    container.role === 'main' && view.containers.some((other) => other.role !== 'main') && !isInitialized(view.containers)
  return { waiting: { reason: initializing ? 'PodInitializing' : 'ContainerCreating' } }
}

function needsRestart(container: ContainerView, view: PodView): boolean {
  if (container.role === 'init' && hasSucceeded(container)) return false
  return restarts(container, view.pod)
}

function terminated(status: ContainerStatus, context: StatusContext): NonNullable<ContainerState['terminated']> {
  return {
    exitCode: status.exitCode ?? 137,
    ...(status.signal ? { signal: status.signal } : {}),
    reason: status.reason ?? (status.exitCode === 0 ? 'Completed' : 'Error'),
    ...(status.message ? { message: status.message } : {}),
    startedAt: timestamp(status.startedAtMs ?? status.createdAtMs),
    finishedAt: timestamp(status.finishedAtMs ?? status.createdAtMs),
    containerID: `${context.runtimeName}://${status.id}`,
  }
}

/** `1m20s`, as Go prints a duration of whole seconds. */
function goDuration(ms: number): string {
  const seconds = Math.round(ms / 1000)
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`
}

/** `name_namespace(uid)`, as kubelet's messages name a pod. */
export function podFullName(pod: Pod): string {
  return `${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`
}
