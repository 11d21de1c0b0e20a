import type { Clock, Timer } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import type { Pod, PodStatus } from '../../../api/generated/types.ts'
import type { ContainerStatus, ResolvedContainer, Runtime, Sandbox } from '../runtime.ts'
import { RuntimeError } from '../runtime.ts'
import { afterExit, type BackOffState } from './back-off.ts'
import { pastDeadline, planPod, type PodAction } from './plan-pod.ts'
import { podStatus, type StatusContext } from './pod-status.ts'
import { containerRoles, type ContainerView, type PodView, type StartFailure } from './pod-view.ts'

/** A container cannot be resolved yet (missing ConfigMap, bad reference): tried again after a while. */
export class ContainerConfigError extends Error {
  override readonly name = 'ContainerConfigError'
  readonly reason: string
  constructor(reason: string, message: string) {
    super(message)
    this.reason = reason
  }
}

export interface ProbeState {
  readonly started: boolean
  readonly ready: boolean
  readonly unhealthy?: string
}

/** What a worker needs of its agent. */
export interface PodWorkerDeps {
  readonly runtime: Runtime
  readonly clock: Clock
  readonly log: Logger
  readonly hostIPs: readonly string[]
  /** Makes the volumes ready. @throws ContainerConfigError while something they refer to is missing */
  prepareVolumes(pod: Pod, sandbox: Sandbox): Promise<void>
  removeVolumes(podUid: string): Promise<void>
  /** @throws ContainerConfigError, RuntimeError */
  resolveContainer(pod: Pod, sandbox: Sandbox, name: string, restartCount: number): Promise<ResolvedContainer>
  readonly probes: {
    /** Starts probing a running container (idempotent for the same id); `changed` is called when the state differs. */
    watch(pod: Pod, container: string, status: ContainerStatus, ip: string, changed: () => void): void
    state(id: string): ProbeState
    forget(id: string): void
    forgetPod(podUid: string): void
  }
  /** Runs a lifecycle hook; resolves to an error text when it failed. */
  runHook(pod: Pod, container: string, id: string, hook: 'postStart' | 'preStop', timeoutMs: number): Promise<string | undefined>
  record(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string): void
  publish(pod: Pod, status: PodStatus): void
  /** Everything has ended and is cleaned up: the API object may go (only called for deleted pods). */
  released(pod: Pod, status: PodStatus): void
}

/** How long a failed start or a missing ConfigMap waits before the next try: kubelet's sync period for such pods. */
const CONFIG_RETRY_MS = 2_000

/** Keeps one pod as its spec wants it: one serialized loop, nothing of one pod ever waits for another. */
export class PodWorker {
  readonly #deps: PodWorkerDeps
  #pod: Pod
  #sandbox: Sandbox | undefined
  readonly #containers = new Map<string, ContainerStatus[]>()
  readonly #failures = new Map<string, StartFailure>()
  readonly #backOff = new Map<string, BackOffState>()
  readonly #countedExits = new Set<string>()
  readonly #stopping = new Map<string, Promise<void>>()
  readonly #hooks = new Set<string>()
  #deleted = false
  #ended: { readonly reason: string; readonly message: string } | undefined
  #wake: (() => void) | undefined
  #dirty = true
  #timer: Timer | undefined
  #finished = false
  #loop: Promise<void> | undefined

  /** @param adopted what an earlier agent left on this machine */
  constructor(deps: PodWorkerDeps, pod: Pod, adopted?: { readonly sandbox: Sandbox; readonly containers: readonly ContainerStatus[] }) {
    this.#deps = deps
    this.#pod = pod
    this.#sandbox = adopted?.sandbox
    for (const status of adopted?.containers ?? [])
      this.#containers.set(status.name, [...(this.#containers.get(status.name) ?? []), status])
  }

  get pod(): Pod {
    return this.#pod
  }

  get sandbox(): Sandbox | undefined {
    return this.#sandbox
  }

  /** The pod is over, cleaned up, and needs no worker. */
  get finished(): boolean {
    return this.#finished
  }

  /** Id of a container's start, newest first: 0 the present one, 1 the one before. */
  containerId(name: string, back: number): string | undefined {
    return this.#containers.get(name)?.at(-1 - back)?.id
  }

  start(signal: AbortSignal): void {
    this.#loop ??= this.#run(signal)
  }

  /** Resolves when the loop has ended. */
  async stopped(): Promise<void> {
    await this.#loop
  }

  /** A newer version of the pod from the API server. */
  update(pod: Pod): void {
    this.#pod = { ...pod, status: mergeStatus(pod.status, this.#pod.status) }
    this.nudge()
  }

  /** The API object is gone, or never was: stop and clean up. */
  remove(): void {
    this.#deleted = true
    this.nudge()
  }

  /** Look again. */
  nudge(): void {
    this.#dirty = true
    this.#wake?.()
  }

  async #run(signal: AbortSignal): Promise<void> {
    const onAbort = (): void => this.#wake?.()
    signal.addEventListener('abort', onAbort)
    while (!signal.aborted && !this.#finished) {
      this.#dirty = false
      try {
        await this.#sync(signal)
      } catch (error) {
        this.#deps.log.warn('pod sync failed', {
          pod: this.#pod.metadata.name,
          namespace: this.#pod.metadata.namespace,
          error: messageOf(error),
        })
        this.#wakeIn(CONFIG_RETRY_MS)
      }
      if (this.#dirty || this.#finished || signal.aborted) continue
      await new Promise<void>((resolve) => (this.#wake = resolve))
      this.#wake = undefined
    }
    signal.removeEventListener('abort', onAbort)
    this.#timer?.cancel()
    this.#deps.probes.forgetPod(this.#pod.metadata.uid ?? '')
  }

  #wakeIn(ms: number): void {
    this.#timer?.cancel()
    this.#timer = this.#deps.clock.after(ms, () => this.nudge())
  }

  async #sync(signal: AbortSignal): Promise<void> {
    await this.#refresh()
    let view = this.#view()
    if (!this.#ended && pastDeadline(view)) {
      this.#ended = { reason: 'DeadlineExceeded', message: 'Pod was active on the node longer than the specified deadline' }
      view = this.#view()
    }
    this.#publish(view)
    const plan = planPod(view)
    this.#timer?.cancel()
    if (plan.wakeAtMs !== undefined) this.#wakeIn(Math.max(1, plan.wakeAtMs - this.#deps.clock.monotonic()))
    await Promise.all(plan.actions.map((action) => this.#act(action, view, signal)))
  }

  /** Reads the truth about each container's newest start. */
  async #refresh(): Promise<void> {
    for (const [name, starts] of this.#containers) {
      const newest = starts.at(-1)
      if (!newest || newest.state === 'exited') continue
      const status = (await this.#deps.runtime.status(newest.id)) ?? newest
      starts[starts.length - 1] = status
      if (status.state === 'exited') this.#countExit(name, status)
      // adopted containers too; a container whose hook still runs is not probed yet
      else if (status.state === 'running' && !this.#hooks.has(status.id) && !this.#stopping.has(status.id)) this.#probe(name, status)
    }
  }

  #probe(name: string, status: ContainerStatus): void {
    this.#deps.probes.watch(this.#pod, name, status, this.#sandbox?.ips[0] ?? '127.0.0.1', () => this.nudge())
  }

  #countExit(name: string, status: ContainerStatus): void {
    if (this.#countedExits.has(status.id)) return
    this.#countedExits.add(status.id)
    this.#deps.probes.forget(status.id)
    const ran = (status.finishedAtMs ?? 0) - (status.startedAtMs ?? 0)
    this.#backOff.set(name, afterExit(this.#backOff.get(name), this.#deps.clock.monotonic(), ran))
  }

  #view(): PodView {
    const { clock, probes } = this.#deps
    const containers = containerRoles(this.#pod).map(({ spec, role }): ContainerView => {
      const starts = this.#containers.get(spec.name) ?? []
      const [current, previous, failure, backOff] = [
        starts.at(-1),
        starts.at(-2),
        this.#failures.get(spec.name),
        this.#backOff.get(spec.name),
      ]
      const probe = current?.state === 'running' ? probes.state(current.id) : { started: false, ready: false }
      return {
        name: spec.name,
        role,
        spec,
        ...(current ? { current } : {}),
        ...(previous ? { previous } : {}),
        ...(failure ? { failure } : {}),
        ...(backOff ? { notBeforeMs: backOff.notBeforeMs } : {}),
        started: probe.started,
        ready: probe.ready,
        ...('unhealthy' in probe && probe.unhealthy !== undefined ? { unhealthy: probe.unhealthy } : {}),
      }
    })
    return {
      pod: this.#pod,
      containers,
      sandboxReady: this.#sandbox !== undefined,
      nowMs: clock.now(),
      monotonicMs: clock.monotonic(),
      terminating: this.#deleted || this.#pod.metadata.deletionTimestamp !== undefined,
      ...(this.#ended ? { ended: this.#ended } : {}),
    }
  }

  #publish(view: PodView): PodStatus {
    const status = podStatus(view, this.#context())
    this.#pod = { ...this.#pod, status }
    if (!this.#deleted) this.#deps.publish(this.#pod, status)
    return status
  }

  #context(): StatusContext {
    return { hostIPs: this.#deps.hostIPs, podIPs: this.#sandbox?.ips ?? [], runtimeName: this.#deps.runtime.name }
  }

  async #act(action: PodAction, view: PodView, signal: AbortSignal): Promise<void> {
    switch (action.type) {
      case 'ensureSandbox':
        this.#sandbox = await this.#deps.runtime.ensureSandbox(this.#pod)
        this.nudge()
        return
      case 'start':
        return await this.#start(action.name, action.restartCount)
      case 'stop':
        return this.#stop(action, view)
      case 'remove':
        return await this.#deps.runtime.removeContainer(action.id)
      case 'finish':
        return await this.#finish(view, signal)
    }
  }

  async #start(name: string, restartCount: number): Promise<void> {
    const { runtime, log } = this.#deps
    const sandbox = this.#sandbox
    if (!sandbox) return
    try {
      await this.#deps.prepareVolumes(this.#pod, sandbox)
      const resolved = await this.#deps.resolveContainer(this.#pod, sandbox, name, restartCount)
      const id = await runtime.createContainer(sandbox, resolved)
      await this.#forgetOldStarts(name)
      await this.#remember(name, id)
      this.#deps.record(this.#pod, 'Normal', 'Created', `Container created: ${name}`)
      await runtime.startContainer(id)
      this.#failures.delete(name)
      await this.#remember(name, id)
      this.#deps.record(this.#pod, 'Normal', 'Started', `Container started: ${name}`)
      await this.#postStart(name, id)
    } catch (error) {
      this.#startFailed(name, error)
      log.info('container did not start', { pod: this.#pod.metadata.name, container: name, error: messageOf(error) })
    }
    this.nudge()
  }

  async #postStart(name: string, id: string): Promise<void> {
    const spec = containerRoles(this.#pod).find((container) => container.spec.name === name)?.spec
    if (!spec?.lifecycle?.postStart || this.#containers.get(name)?.at(-1)?.state !== 'running') return
    this.#hooks.add(id)
    const problem = await this.#deps.runHook(this.#pod, name, id, 'postStart', graceOf(this.#pod))
    this.#hooks.delete(id)
    if (problem === undefined) return
    this.#deps.record(this.#pod, 'Warning', 'FailedPostStartHook', `PostStartHook failed: ${problem}`)
    await this.#deps.runtime.stopContainer(id, { graceMs: graceOf(this.#pod) })
  }

  #startFailed(name: string, error: unknown): void {
    const reason =
      error instanceof ContainerConfigError
        ? error.reason
        : error instanceof RuntimeError && error.code === 'ImageNotRunnableAsProcess'
          ? error.code
          : error instanceof RuntimeError && error.code === 'StartError'
            ? 'RunContainerError'
            : 'CreateContainerError'
    const message = messageOf(error)
    const known = this.#failures.get(name)
    this.#failures.set(name, { reason, message })
    if (known?.message !== message) this.#deps.record(this.#pod, 'Warning', 'Failed', `Error: ${message}`)
    const now = this.#deps.clock.monotonic()
    const state = afterExit(this.#backOff.get(name), now, 0)
    // a missing ConfigMap is looked for often; a program that cannot start backs off like a crash
    const soon = error instanceof ContainerConfigError || state.delayMs === 0
    this.#backOff.set(name, soon ? { delayMs: 0, notBeforeMs: now + CONFIG_RETRY_MS } : state)
  }

  async #remember(name: string, id: string): Promise<void> {
    const status = await this.#deps.runtime.status(id)
    if (!status) return
    const starts = this.#containers.get(name) ?? []
    this.#containers.set(name, starts.at(-1)?.id === id ? [...starts.slice(0, -1), status] : [...starts, status])
  }

  /** `kubectl logs --previous` needs the start before; older ones go. */
  async #forgetOldStarts(name: string): Promise<void> {
    const starts = this.#containers.get(name) ?? []
    for (const old of starts.slice(0, -1)) {
      await this.#deps.runtime.removeContainer(old.id)
      this.#countedExits.delete(old.id)
    }
    this.#containers.set(name, starts.slice(-1))
  }

  /** Stops run beside the loop, so that a long grace period does not keep status and other containers waiting. */
  #stop(action: Extract<PodAction, { type: 'stop' }>, view: PodView): void {
    if (this.#stopping.has(action.id)) return
    const container = view.containers.find((candidate) => candidate.name === action.name)
    if (action.reason === 'Killing') this.#deps.record(this.#pod, 'Normal', 'Killing', `Stopping container ${action.name}`)
    else this.#deps.record(this.#pod, 'Normal', 'Killing', `Container ${action.name} ${action.reason}, will be restarted`)
    const done = this.#stopOne(action, container).finally(() => {
      this.#stopping.delete(action.id)
      this.nudge()
    })
    this.#stopping.set(action.id, done)
  }

  async #stopOne(action: Extract<PodAction, { type: 'stop' }>, container: ContainerView | undefined): Promise<void> {
    const { clock, runtime, log } = this.#deps
    const begin = clock.monotonic()
    this.#deps.probes.forget(action.id)
    try {
      if (container?.spec.lifecycle?.preStop && action.graceMs > 0) {
        const problem = await this.#deps.runHook(this.#pod, action.name, action.id, 'preStop', action.graceMs)
        if (problem !== undefined) this.#deps.record(this.#pod, 'Warning', 'FailedPreStopHook', `PreStopHook failed: ${problem}`)
      }
      // the hook spends the same budget; a program always gets a moment to react to its signal
      const left = Math.max(Math.min(action.graceMs, 2_000), action.graceMs - (clock.monotonic() - begin))
      const signal = container?.spec.lifecycle?.stopSignal
      await runtime.stopContainer(action.id, { graceMs: left, ...(signal ? { signal } : {}) })
    } catch (error) {
      log.warn('container did not stop', { pod: this.#pod.metadata.name, container: action.name, error: messageOf(error) })
      this.#wakeIn(CONFIG_RETRY_MS)
    }
  }

  async #finish(view: PodView, signal: AbortSignal): Promise<void> {
    await Promise.all(this.#stopping.values())
    if (!view.terminating || signal.aborted) return
    const status = this.#publish(this.#view())
    const uid = this.#pod.metadata.uid ?? ''
    this.#deps.probes.forgetPod(uid)
    await this.#deps.removeVolumes(uid)
    await this.#deps.runtime.removeSandbox(uid)
    this.#finished = true
    this.#deps.released(this.#pod, status)
  }
}

const OWN_CONDITIONS = new Set(['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'])

/** Our own status is newer than the one that came back, unless the server's has something we never write. */
function mergeStatus(server: PodStatus | undefined, own: PodStatus | undefined): PodStatus {
  if (!own?.phase) return server ?? {}
  const ours = (own.conditions ?? []).filter((condition) => OWN_CONDITIONS.has(condition.type))
  const foreign = (server?.conditions ?? []).filter((condition) => !OWN_CONDITIONS.has(condition.type))
  return { ...own, conditions: [...ours, ...foreign] }
}

const graceOf = (pod: Pod): number => (pod.spec?.terminationGracePeriodSeconds ?? 30) * 1000
