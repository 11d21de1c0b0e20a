import { isConditionTrue } from '../conditions.ts'
import type { ContainerState, ContainerStatus, Pod } from '../generated/types.ts'
import type { Column } from '../kind.ts'
import { isPodReady, isSidecar, podPhaseIsTerminal } from '../pod-status.ts'
import { ageSince } from './human-duration.ts'

/** What one line of `kubectl get pods` says about the containers. */
export interface PodSummary {
  readonly ready: number
  readonly total: number
  readonly restarts: number
  /** RFC 3339; undefined when nothing was restarted. */
  readonly lastRestart: string | undefined
  /** `Running`, `Init:0/1`, `CrashLoopBackOff`, `Completed`, `Terminating`, ... */
  readonly status: string
}

/** Source: k8s.io/kubernetes pkg/printers/internalversion printPod. */
export function summarizePod(pod: Pod): PodSummary {
  const init = summarizeInit(pod)
  const started = init.reason === undefined || isConditionTrue(pod.status?.conditions, 'Initialized')
  const main = started ? summarizeMain(pod) : undefined
  const sidecars = (pod.spec?.initContainers ?? []).filter(isSidecar).length
  const counted = main ? [...main.counted, ...init.sidecars] : init.counted
  return {
    ready: init.ready + (main?.ready ?? 0),
    total: (pod.spec?.containers?.length ?? 0) + sidecars,
    restarts: counted.reduce((sum, status) => sum + (status.restartCount ?? 0), 0),
    lastRestart: lastOf(counted.map((status) => status.lastState?.terminated?.finishedAt)),
    status: deletionReason(pod) ?? main?.reason ?? init.reason ?? phaseReason(pod),
  }
}

export const podColumns: readonly Column<Pod>[] = [
  {
    name: 'Ready',
    type: 'string',
    description: 'The aggregate readiness state of this pod for accepting traffic.',
    value: (pod) => {
      const { ready, total } = summarizePod(pod)
      return `${ready}/${total}`
    },
  },
  {
    name: 'Status',
    type: 'string',
    description: 'The aggregate status of the containers in this pod.',
    value: (pod) => summarizePod(pod).status,
  },
  {
    name: 'Restarts',
    type: 'string',
    description:
      'The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.',
    value: (pod, nowMs) => {
      const { restarts, lastRestart } = summarizePod(pod)
      return restarts !== 0 && lastRestart ? `${restarts} (${ageSince(lastRestart, nowMs)} ago)` : `${restarts}`
    },
  },
  {
    name: 'IP',
    type: 'string',
    priority: 1,
    description: 'First address of the pod.',
    value: (pod) => pod.status?.podIPs?.[0]?.ip || pod.status?.podIP || '<none>',
  },
  {
    name: 'Node',
    type: 'string',
    priority: 1,
    description: 'Node that the pod is bound to.',
    value: (pod) => pod.spec?.nodeName || '<none>',
  },
  {
    name: 'Nominated Node',
    type: 'string',
    priority: 1,
    description: 'Node that is being freed for the pod by preemption.',
    value: (pod) => pod.status?.nominatedNodeName || '<none>',
  },
  {
    name: 'Readiness Gates',
    type: 'string',
    priority: 1,
    description: 'How many of the readiness gates are met.',
    value: readinessGates,
  },
]

interface InitSummary {
  readonly ready: number
  /** Every init container up to the one that holds up the pod. */
  readonly counted: readonly ContainerStatus[]
  readonly sidecars: readonly ContainerStatus[]
  /** Why the pod is still initializing; undefined when it is not. */
  readonly reason: string | undefined
}

function summarizeInit(pod: Pod): InitSummary {
  const specs = pod.spec?.initContainers ?? []
  const sidecarNames = new Set(specs.filter(isSidecar).map((container) => container.name))
  const counted: ContainerStatus[] = []
  let ready = 0
  let reason: string | undefined
  for (const [i, status] of (pod.status?.initContainerStatuses ?? []).entries()) {
    counted.push(status)
    if (status.state?.terminated?.exitCode === 0) continue
    if (sidecarNames.has(status.name) && status.started) {
      if (status.ready) ready++
      continue
    }
    reason = initReason(status.state, `${i}/${specs.length}`)
    break
  }
  return { ready, counted, sidecars: counted.filter((status) => sidecarNames.has(status.name)), reason }
}

function initReason(state: ContainerState | undefined, progress: string): string {
  if (state?.terminated) return `Init:${terminationReason(state)}`
  const waiting = state?.waiting?.reason
  return waiting && waiting !== 'PodInitializing' ? `Init:${waiting}` : `Init:${progress}`
}

function summarizeMain(pod: Pod): { ready: number; counted: readonly ContainerStatus[]; reason: string | undefined } {
  const counted = pod.status?.containerStatuses ?? []
  let ready = 0
  let reason: string | undefined
  // the first container has the last word
  for (const status of counted.toReversed()) {
    const { state } = status
    if (state?.waiting?.reason) reason = state.waiting.reason
    else if (state?.terminated) reason = terminationReason(state)
    else if (status.ready && state?.running) ready++
  }
  if ((reason ?? phaseReason(pod)) === 'Completed' && ready > 0) reason = isPodReady(pod) ? 'Running' : 'NotReady'
  return { ready, counted, reason }
}

function terminationReason(state: ContainerState): string {
  const { reason, signal, exitCode } = state.terminated!
  if (reason) return reason
  return signal ? `Signal:${signal}` : `ExitCode:${exitCode}`
}

function phaseReason(pod: Pod): string {
  const gated = pod.status?.conditions?.some((one) => one.type === 'PodScheduled' && one.reason === 'SchedulingGated')
  if (gated) return 'SchedulingGated'
  return pod.status?.reason || pod.status?.phase || ''
}

function deletionReason(pod: Pod): string | undefined {
  if (!pod.metadata.deletionTimestamp) return undefined
  if (pod.status?.reason === 'NodeLost') return 'Unknown'
  return podPhaseIsTerminal(pod.status?.phase) ? undefined : 'Terminating'
}

function readinessGates(pod: Pod): string {
  const gates = pod.spec?.readinessGates ?? []
  if (gates.length === 0) return '<none>'
  const met = gates.filter((gate) => isConditionTrue(pod.status?.conditions, gate.conditionType))
  return `${met.length}/${gates.length}`
}

function lastOf(timestamps: readonly (string | undefined)[]): string | undefined {
  let last: string | undefined
  for (const one of timestamps) if (one && (last === undefined || Date.parse(one) > Date.parse(last))) last = one
  return last
}
