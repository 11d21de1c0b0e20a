import { sleep, type Timer } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Container, Pod, PodStatus } from '../../../api/generated/types.ts'
import type { ContainerStatus, Sandbox } from '../runtime.ts'
import { ContainerTrack, lost } from './container-track.ts'
import { lastingState } from './lasting-state.ts'
import { adoptStatus, mergeStatus } from './merge-status.ts'
import { pastDeadline, planPod, type PodAction } from './plan-pod.ts'
import { podFullName, podStatus } from './pod-status.ts'
import { containerRoles, gracePeriodMs, type ContainerView, type PodView } from './pod-view.ts'
import type { PodWorkerDeps } from './pod-worker-deps.ts'
import { RETRY_MS, startProblem } from './start-failure.ts'
import { ProtectionGate } from './protection-gate.ts'
import { terminationMessage } from './termination-message.ts'

/** A stop is hurried when its grace shrinks by more than this. */
const SHRINK_MS = 500

type StopAction = Extract<PodAction, { type: 'stop' }>

interface Stopping {
  /** Monotonic ms at which the container is killed. */
  deadlineMs: number
  /** Aborted when the grace was shortened: no hook is waited for any more. */
  readonly hurry: AbortController
  done: Promise<void>
}

/** Keeps one pod as its spec wants it: one serialized loop, nothing of one pod ever waits for another. */
export class PodWorker {
  readonly #deps: PodWorkerDeps
  #pod: Pod
  #sandbox: Sandbox | undefined
  readonly #gate: ProtectionGate
  readonly #tracks = new Map<string, ContainerTrack>()
  /** What an earlier agent knew of the probes of containers that still ran, by container id. */
  readonly #known = new Map<string, { readonly started: boolean; readonly ready: boolean }>()
  readonly #stopping = new Map<string, Stopping>()
  /** Starts whose postStart hook runs. */
  readonly #hooks = new Set<string>()
  /** The API server has told us of this pod in this process. */
  #confirmed: boolean
  #deleted = false
  #ended: { readonly reason: string; readonly message: string } | undefined
  #recorded = ''
  #wake: (() => void) | undefined
  #dirty = true
  #timer: Timer | undefined
  /** The pod is over, cleaned up, and needs no worker. */
  #finished = false
  #signal: AbortSignal | undefined
  #loop: Promise<void> | undefined
  #speak: () => void = () => {}
  /** Resolves once a status that holds for this process has been published, or none ever will be. */
  readonly spoken: Promise<void> = new Promise((resolve) => (this.#speak = resolve))

  /** @param adopted what an earlier agent left on this machine */
  constructor(deps: PodWorkerDeps, pod: Pod, adopted?: { readonly sandbox: Sandbox; readonly containers: readonly ContainerStatus[] }) {
    this.#deps = deps
    this.#gate = new ProtectionGate(deps)
    this.#pod = pod
    this.#sandbox = adopted?.sandbox
    this.#confirmed = adopted === undefined
    for (const status of adopted?.containers ?? []) {
      this.#track(status.name).set(status)
      const all = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]
      const said = all.find((candidate) => candidate.containerID?.endsWith(`//${status.id}`))
      if (said) this.#known.set(status.id, { started: said.started ?? false, ready: said.ready })
    }
  }

  get pod(): Pod {
    return this.#pod
  }

  get sandbox(): Sandbox | undefined {
    return this.#sandbox
  }

  start(signal: AbortSignal): void {
    this.#signal = signal
    // what runs already is told of too; its next start waits for it as any other
    if (this.#sandbox) this.#gate.adopt(this.#pod, this.#sandbox).catch((error: unknown) => this.#sandboxFailed(error))
    this.#loop ??= this.#run(signal)
  }

  /** Resolves when the loop has ended. */
  async stopped(): Promise<void> {
    await this.#loop
  }

  /** A newer version of the pod from the API server. */
  update(pod: Pod): void {
    const own = this.#pod.status
    this.#pod = { ...pod, status: this.#confirmed ? mergeStatus(pod.status, own) : adoptStatus(pod.status, own) }
    this.#confirmed = true
    this.nudge()
  }

  /** The API object is gone, or never was: stop and clean up. @param last what it was at the end, where known */
  remove(last?: Pod): void {
    this.#deleted = true
    this.#speak()
    if (last) this.#pod = { ...last, status: mergeStatus(last.status, this.#pod.status) }
    this.nudge()
  }

  /** Look again. */
  nudge(): void {
    this.#dirty = true
    this.#wake?.()
  }

  /** The recipes have changed: what only waited for one does not wait for its next turn. */
  recipesChanged(): void {
    for (const track of this.#tracks.values()) {
      if (track.failure?.reason === 'ImageNotRunnableAsProcess') track.retryAt(this.#deps.clock.monotonic())
    }
    this.nudge()
  }

  async #run(signal: AbortSignal): Promise<void> {
    const onAbort = (): void => this.#wake?.()
    signal.addEventListener('abort', onAbort)
    while (!signal.aborted && !this.#finished) {
      this.#dirty = false
      try {
        await this.#sync(signal)
      } catch (error) {
        const { name, namespace } = this.#pod.metadata
        this.#deps.log.warn('pod sync failed', { pod: name, namespace, error: messageOf(error) })
        this.#wakeIn(RETRY_MS)
      }
      if (this.#dirty || this.#finished || signal.aborted) continue
      await new Promise<void>((resolve) => (this.#wake = resolve))
      this.#wake = undefined
    }
    signal.removeEventListener('abort', onAbort)
    this.#timer?.cancel()
    this.#deps.probes.forgetPod(this.#pod.metadata.uid ?? '')
    this.#speak()
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
    await this.#record()
    const plan = planPod(view)
    this.#timer?.cancel()
    if (plan.wakeAtMs !== undefined) this.#wakeIn(Math.max(1, plan.wakeAtMs - this.#deps.clock.monotonic()))
    await Promise.all(plan.actions.map((action) => this.#act(action, view, signal)))
  }

  /** Reads the truth about each container's newest start. */
  async #refresh(): Promise<void> {
    for (const [name, track] of this.#tracks) {
      const { current } = track
      if (current && current.state !== 'exited') {
        track.set((await this.#deps.runtime.status(current.id)) ?? lost(current, this.#deps.clock.now()))
      }
      const now = track.current
      // a container whose hook still runs is not probed yet
      if (now?.state === 'running' && !this.#hooks.has(now.id) && !this.#stopping.has(now.id)) this.#probe(name, now)
      if (now && track.countExit(this.#deps.clock.monotonic())) await this.#exited(name, track, now)
    }
  }

  async #exited(name: string, track: ContainerTrack, status: ContainerStatus): Promise<void> {
    this.#deps.probes.forget(status.id)
    this.#known.delete(status.id)
    const spec = this.#spec(name)
    const message = spec && (await terminationMessage(this.#deps.runtime, spec, status).catch(() => undefined))
    if (message !== undefined) track.set({ ...status, message })
    if (track.backOff?.delayMs)
      this.#event('Warning', 'BackOff', `Back-off restarting failed container ${name} in pod ${podFullName(this.#pod)}`)
  }

  #probe(name: string, status: ContainerStatus): void {
    const known = this.#known.get(status.id)
    this.#deps.probes.watch({ pod: this.#pod, name, status, ip: this.#sandbox?.ips[0] ?? '127.0.0.1', known, changed: () => this.nudge() })
  }

  #view(): PodView {
    const { clock, probes } = this.#deps
    const containers = containerRoles(this.#pod).map(({ spec, role }): ContainerView => {
      const { current, previous, failure, backOff } = this.#track(spec.name)
      const probe = current?.state === 'running' ? probes.state(current.id) : { started: false, ready: false }
      return {
        name: spec.name,
        role,
        spec,
        ...(current ? { current } : {}),
        ...(previous ? { previous } : {}),
        ...(failure ? { failure } : {}),
        ...(backOff ? { notBeforeMs: backOff.notBeforeMs, backOffMs: backOff.delayMs } : {}),
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
    const { hostIPs, runtime } = this.#deps
    const status = podStatus(view, { hostIPs, podIPs: this.#sandbox?.ips ?? [], runtimeName: runtime.name })
    this.#pod = { ...this.#pod, status }
    if (!this.#deleted && this.#confirmed) {
      this.#deps.publish(this.#pod, status)
      this.#speak()
    }
    return status
  }

  /** Keeps on disk what the next agent must not forget: that the pod is over, ready, or being deleted, and since when. */
  async #record(): Promise<void> {
    const state = lastingState(this.#pod)
    if (!this.#sandbox || state === this.#recorded) return
    this.#recorded = state
    await this.#deps.runtime.ensureSandbox(this.#pod)
  }

  async #act(action: PodAction, view: PodView, signal: AbortSignal): Promise<void> {
    switch (action.type) {
      case 'ensureSandbox':
        return await this.#ensureSandbox()
      case 'start':
        return await this.#start(action.name, action.restartCount)
      case 'stop':
        return this.#stop(action, view)
      case 'finish':
        return await this.#finish(view, signal)
    }
  }

  async #ensureSandbox(): Promise<void> {
    try {
      const sandbox = await this.#deps.runtime.ensureSandbox(this.#pod)
      await this.#gate.pass(this.#pod, sandbox)
      this.#sandbox = sandbox
      this.#recorded = lastingState(this.#pod)
      this.nudge()
    } catch (error) {
      this.#sandboxFailed(error)
      throw error
    }
  }

  #sandboxFailed(error: unknown): void {
    this.#event('Warning', 'FailedCreatePodSandBox', `Failed to create pod sandbox: ${messageOf(error)}`)
  }

  async #start(name: string, restartCount: number): Promise<void> {
    const { runtime, log, clock } = this.#deps
    const sandbox = this.#sandbox
    if (!sandbox) return
    const track = this.#track(name)
    try {
      await this.#gate.beforeStart(this.#pod, sandbox)
      await this.#deps.prepareVolumes(this.#pod, sandbox)
      const resolved = await this.#deps.resolveContainer(this.#pod, sandbox, name, restartCount)
      const id = await runtime.createContainer(sandbox, resolved)
      await this.#look(track, id)
      // `kubectl logs --previous` needs the start before; older ones go
      for (const old of track.takeOld()) await runtime.removeContainer(old.id)
      this.#event('Normal', 'Created', `Container created: ${name}`)
      try {
        await runtime.startContainer(id)
      } finally {
        await this.#look(track, id)
      }
      track.started()
      this.#event('Normal', 'Started', `Container started: ${name}`)
      if (this.#spec(name)?.lifecycle?.postStart && track.current?.state === 'running') this.#postStart(name, id)
    } catch (error) {
      const problem = startProblem(error)
      if (track.failure?.message !== problem.message) this.#event('Warning', problem.event.reason, problem.event.message)
      track.failure = { reason: problem.reason, message: problem.message }
      if (problem.retryMs !== undefined) track.retryAt(clock.monotonic() + problem.retryMs)
      log.info('container did not start', { pod: this.#pod.metadata.name, container: name, error: problem.message })
    }
    this.nudge()
  }

  async #look(track: ContainerTrack, id: string): Promise<void> {
    const status = await this.#deps.runtime.status(id)
    if (status) track.set(status)
  }

  /** Runs beside the loop: a pod that is deleted meanwhile is stopped at once. Until it ends, the container is not started. */
  #postStart(name: string, id: string): void {
    const graceMs = gracePeriodMs(this.#pod)
    this.#hooks.add(id)
    void this.#deps
      .runHook(this.#pod, { container: name, id, hook: 'postStart', timeoutMs: graceMs })
      .then(async (problem) => {
        if (problem === undefined || this.#stopping.has(id)) return
        this.#event('Warning', 'FailedPostStartHook', `PostStartHook failed: ${problem}`)
        await this.#deps.runtime.stopContainer(id, { graceMs })
      })
      .catch((error: unknown) => this.#deps.log.warn('container did not stop', { container: name, error: messageOf(error) }))
      .finally(() => {
        this.#hooks.delete(id)
        this.nudge()
      })
  }

  /** Stops run beside the loop, so that a long grace period does not keep status and other containers waiting. */
  #stop(action: StopAction, view: PodView): void {
    const now = this.#deps.clock.monotonic()
    const running = this.#stopping.get(action.id)
    if (running) {
      if (now + action.graceMs >= running.deadlineMs - SHRINK_MS) return
      running.deadlineMs = now + action.graceMs
      running.hurry.abort()
      this.#deps.runtime.stopContainer(action.id, { graceMs: action.graceMs }).catch(() => {})
      return
    }
    const text =
      action.reason === 'Killing' ? `Stopping container ${action.name}` : `Container ${action.name} ${action.reason}, will be restarted`
    this.#event('Normal', 'Killing', text)
    this.#deps.probes.retire(action.id)
    const stopping: Stopping = { deadlineMs: now + action.graceMs, hurry: new AbortController(), done: Promise.resolve() }
    this.#stopping.set(action.id, stopping)
    const container = view.containers.find((candidate) => candidate.name === action.name)
    stopping.done = this.#stopOne(action, stopping, container?.spec).finally(() => {
      this.#stopping.delete(action.id)
      this.nudge()
    })
  }

  async #stopOne(action: StopAction, stopping: Stopping, spec: Container | undefined): Promise<void> {
    const { clock, runtime, log } = this.#deps
    try {
      if (spec?.lifecycle?.preStop && action.graceMs > 0) await this.#preStop(action, stopping.hurry.signal)
      const left = stopping.deadlineMs - clock.monotonic()
      // the hook spends the same budget; a program always gets a moment to react to its signal
      const graceMs = stopping.hurry.signal.aborted ? Math.max(0, left) : Math.max(Math.min(action.graceMs, 2_000), left)
      const signal = spec?.lifecycle?.stopSignal
      await runtime.stopContainer(action.id, { graceMs, ...(signal ? { signal } : {}) })
    } catch (error) {
      log.warn('container did not stop', { pod: this.#pod.metadata.name, container: action.name, error: messageOf(error) })
      await sleep(clock, RETRY_MS, this.#signal).catch(() => {})
    }
  }

  async #preStop(action: StopAction, hurry: AbortSignal): Promise<void> {
    const call = { container: action.name, id: action.id, hook: 'preStop', timeoutMs: action.graceMs, signal: hurry } as const
    const hurried = new Promise<undefined>((resolve) => hurry.addEventListener('abort', () => resolve(undefined), { once: true }))
    const problem = await Promise.race([this.#deps.runHook(this.#pod, call), hurried])
    if (problem !== undefined) this.#event('Warning', 'FailedPreStopHook', `PreStopHook failed: ${problem}`)
  }

  async #finish(view: PodView, signal: AbortSignal): Promise<void> {
    await Promise.all([...this.#stopping.values()].map((stopping) => stopping.done))
    const uid = this.#pod.metadata.uid ?? ''
    this.#gate.ended(uid)
    if (!view.terminating || signal.aborted) return
    const status = this.#publish(this.#view())
    this.#deps.probes.forgetPod(uid)
    await this.#deps.removeVolumes(uid)
    await this.#deps.runtime.removeSandbox(uid)
    this.#gate.release(uid)
    this.#finished = true
    this.#deps.released(this.#pod, this.#deleted ? undefined : status)
  }

  #event(type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#deps.record(this.#pod, type, reason, message)
  }

  #track(name: string): ContainerTrack {
    const track = this.#tracks.get(name) ?? new ContainerTrack()
    this.#tracks.set(name, track)
    return track
  }

  #spec(name: string): Container | undefined {
    return containerRoles(this.#pod).find((container) => container.spec.name === name)?.spec
  }
}
