import type { Clock } from '../../../base/clock.ts'
import type { Logger } from '../../../base/log.ts'
import type { Pod, PodStatus } from '../../../api/generated/types.ts'
import type { ContainerStatus, ResolvedContainer, Runtime, Sandbox } from '../runtime.ts'
import type { PodProxies } from '../mesh/hosted-pods.ts'
import type { PodProtection } from '../network/pod-protection.ts'
import type { HookCall } from './lifecycle-hook.ts'

export interface ProbeState {
  readonly started: boolean
  readonly ready: boolean
  readonly unhealthy?: string
}

/** A running container to be probed. */
export interface ProbeTarget {
  readonly pod: Pod
  readonly name: string
  readonly status: ContainerStatus
  readonly ip: string
  /** Verdicts that an earlier agent had reached: they hold until a probe says otherwise. */
  readonly known?: { readonly started: boolean; readonly ready: boolean } | undefined
  /** Called when the state differs. */
  readonly changed: () => void
}

/** What a worker needs of its agent. */
export interface PodWorkerDeps {
  readonly runtime: Runtime
  readonly clock: Clock
  readonly log: Logger
  readonly hostIPs: readonly string[]
  /** Holds back the first process of a pod until its policies hold; absent: nothing judges packets here. */
  readonly protection?: PodProtection | undefined
  /** The proxy of this node, for pods that have no sidecar; absent: there is none. */
  readonly proxies?: PodProxies | undefined
  /** Makes the volumes ready. @throws ContainerConfigError while something they refer to is missing */
  prepareVolumes(pod: Pod, sandbox: Sandbox): Promise<void>
  removeVolumes(podUid: string): Promise<void>
  /** @throws ContainerConfigError, RuntimeError */
  resolveContainer(pod: Pod, sandbox: Sandbox, name: string, restartCount: number): Promise<ResolvedContainer>
  readonly probes: {
    /** Starts probing a running container; idempotent for one id. */
    watch(target: ProbeTarget): void
    state(id: string): ProbeState
    /** The container is being stopped: only its readiness is still asked for. */
    retire(id: string): void
    forget(id: string): void
    forgetPod(podUid: string): void
  }
  /** Runs a lifecycle hook; resolves to an error text when it failed. */
  runHook(pod: Pod, call: HookCall): Promise<string | undefined>
  record(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string): void
  publish(pod: Pod, status: PodStatus): void
  /** Everything has ended and is cleaned up. `status` is absent when the API object is gone already. */
  released(pod: Pod, status?: PodStatus): void
}
