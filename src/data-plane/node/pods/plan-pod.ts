import type { ContainerView, PodView } from './pod-view.ts'
import { hasExited, hasSucceeded, isFinished, isInitialized, isRunning, isTerminal, isWorkOver, restarts } from './pod-view.ts'

/** One thing to do next. Starts of one plan may run in parallel, stops too. */
export type PodAction =
  | { readonly type: 'ensureSandbox' }
  | { readonly type: 'start'; readonly name: string; readonly restartCount: number }
  | { readonly type: 'stop'; readonly name: string; readonly id: string; readonly graceMs: number; readonly reason: string }
  /** The pod is over and nothing runs: clean up, and tell the API server if it waits for that. */
  | { readonly type: 'finish' }

export interface PodPlan {
  readonly actions: readonly PodAction[]
  /** Monotonic ms at which to plan again even if nothing happens. */
  readonly wakeAtMs?: number
}

const DEFAULT_GRACE_S = 30

/**
 * Decides what brings a pod from what is to what its spec asks for. Pure.
 *
 * Order: sandbox, init containers one by one (a sidecar only has to start), then all main containers together. A pod
 * that ends stops its main containers first and its sidecars in reverse order afterwards (KEP-753).
 */
export function planPod(view: PodView): PodPlan {
  if (view.terminating || view.ended || isTerminal(view.pod)) return planEnd(view)
  if (isFinished(view)) return { actions: [{ type: 'finish' }] }
  if (isWorkOver(view)) return { actions: stopSidecars(view, graceMs(view)) }
  if (!view.sandboxReady) return { actions: [{ type: 'ensureSandbox' }] }

  const stops = view.containers.filter(isRunning).flatMap((container) => {
    const reason = container.unhealthy ?? (isOutdated(container, view) ? 'definition changed' : undefined)
    return reason === undefined ? [] : [stop(container, probeGraceMs(view, container), reason)]
  })
  const starts = planStarts(view)
  const wakeAtMs = earliest([starts.wakeAtMs, deadlineMs(view)])
  return { actions: [...stops, ...starts.actions], ...(wakeAtMs === undefined ? {} : { wakeAtMs }) }
}

/** The image is the one thing of a container that may change; only a pod that always restarts can follow. */
function isOutdated(container: ContainerView, view: PodView): boolean {
  return container.current?.image !== (container.spec.image ?? '') && (view.pod.spec?.restartPolicy ?? 'Always') === 'Always'
}

function planStarts(view: PodView): PodPlan {
  const wanted: ContainerView[] = []
  if (isInitialized(view.containers)) {
    wanted.push(...view.containers.filter((container) => container.role !== 'init'))
  } else {
    // everything up to the first init container that is not done yet; sidecars before it are kept alive
    for (const container of view.containers) {
      if (container.role === 'main') break
      wanted.push(container)
      const done = container.role === 'init' ? hasSucceeded(container) : isRunning(container) && container.started
      if (!done) break
    }
  }
  const actions: PodAction[] = []
  const wakes: (number | undefined)[] = []
  for (const container of wanted) {
    if (!needsStart(container, view)) continue
    if (container.notBeforeMs !== undefined && container.notBeforeMs > view.monotonicMs) wakes.push(container.notBeforeMs)
    else actions.push({ type: 'start', name: container.name, restartCount: nextRestartCount(container) })
  }
  const wakeAtMs = earliest(wakes)
  return { actions, ...(wakeAtMs === undefined ? {} : { wakeAtMs }) }
}

function needsStart(container: ContainerView, view: PodView): boolean {
  if (!container.current) return true
  // created but never seen running: the agent died between the two steps
  if (container.current.state === 'created') return true
  if (container.role === 'init' && hasSucceeded(container)) return false
  return hasExited(container) && restarts(container, view.pod)
}

/** A container that was created but never ran keeps its number; the next start after an exit gets the next one. */
function nextRestartCount(container: ContainerView): number {
  if (!container.current) return 0
  return container.current.state === 'created' ? container.current.restartCount : container.current.restartCount + 1
}

function planEnd(view: PodView): PodPlan {
  const running = view.containers.filter(isRunning)
  if (running.length === 0) return { actions: [{ type: 'finish' }] }
  const grace = remainingGraceMs(view)
  const first = running.filter((container) => container.role !== 'sidecar')
  if (first.length > 0) return { actions: first.map((container) => stop(container, grace, 'Killing')) }
  return { actions: stopSidecars(view, grace) }
}

/** Sidecars stop one at a time, the last started first. */
function stopSidecars(view: PodView, grace: number): PodAction[] {
  const last = view.containers.filter((container) => container.role === 'sidecar' && isRunning(container)).at(-1)
  return last ? [stop(last, grace, 'Killing')] : []
}

function stop(container: ContainerView, grace: number, reason: string): PodAction {
  return { type: 'stop', name: container.name, id: container.current?.id ?? '', graceMs: grace, reason }
}

function graceMs(view: PodView): number {
  return (view.pod.spec?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_S) * 1000
}

/** Grace for a container killed by its probe: the probe's own, else the pod's. */
function probeGraceMs(view: PodView, { spec, started, unhealthy }: ContainerView): number {
  const probe = unhealthy === undefined ? undefined : started ? spec.livenessProbe : spec.startupProbe
  const own = probe?.terminationGracePeriodSeconds
  return own === undefined ? graceMs(view) : own * 1000
}

/** What is left of the grace period that the API server granted; survives a restart of the agent because it counts from deletionTimestamp. */
export function remainingGraceMs(view: PodView): number {
  const { deletionTimestamp, deletionGracePeriodSeconds } = view.pod.metadata
  if (!deletionTimestamp) return graceMs(view)
  const granted = (deletionGracePeriodSeconds ?? DEFAULT_GRACE_S) * 1000
  return Math.max(0, Math.min(granted, Date.parse(deletionTimestamp) - view.nowMs))
}

/** Monotonic ms at which `activeDeadlineSeconds` runs out. */
function deadlineMs(view: PodView): number | undefined {
  const seconds = view.pod.spec?.activeDeadlineSeconds
  const startTime = view.pod.status?.startTime
  if (seconds === undefined || !startTime) return undefined
  return view.monotonicMs + Math.max(0, Date.parse(startTime) + seconds * 1000 - view.nowMs)
}

/** Whether `activeDeadlineSeconds` is over. */
export function pastDeadline(view: PodView): boolean {
  const at = deadlineMs(view)
  return at !== undefined && at <= view.monotonicMs
}

const earliest = (times: readonly (number | undefined)[]): number | undefined => {
  const known = times.filter((time) => time !== undefined)
  return known.length > 0 ? Math.min(...known) : undefined
}
