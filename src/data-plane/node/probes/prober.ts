import type { Clock, Timer } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Container, Pod, Probe } from '../../../api/generated/types.ts'
import { containerRoles } from '../pods/pod-view.ts'
import type { ProbeState, ProbeTarget } from '../pods/pod-worker-deps.ts'
import type { Runtime } from '../runtime.ts'
import { probeGrpc } from './probe-grpc.ts'
import { probeHttp } from './probe-http.ts'
import {
  exhausted,
  initialProgress,
  nextProgress,
  probeTiming,
  resolvePort,
  type ProbeKind,
  type ProbeOutcome,
  type ProbeProgress,
} from './probe-schedule.ts'
import { probeTcp } from './probe-tcp.ts'

export interface ProberDeps {
  readonly runtime: Runtime
  readonly clock: Clock
  /** 0 <= x < 1; spreads first probes over a period after a restart of the agent. */
  readonly random: () => number
  record(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string): void
}

/** A container older than this when it is first seen was started by an agent before us. */
const ADOPTED_MS = 5_000
const PASSING: ProbeProgress = { successes: 1, failures: 0, passing: true }

interface Watched {
  readonly pod: Pod
  readonly container: Container
  readonly id: string
  readonly ip: string
  readonly startedAtMs: number
  readonly changed: () => void
  readonly progress: Map<ProbeKind, ProbeProgress>
  readonly timers: Map<ProbeKind, Timer>
  unhealthy?: string
  /** Being stopped: only readiness is still asked for. */
  retired?: boolean
}

/**
 * Runs the probes of every running container: startup first, liveness and readiness once it has passed. One timer per
 * probe; a probe never overlaps itself. Source: kubernetes/pkg/kubelet/prober.
 */
export class Prober {
  readonly #deps: ProberDeps
  readonly #watched = new Map<string, Watched>()

  constructor(deps: ProberDeps) {
    this.#deps = deps
  }

  watch({ pod, name, status, ip, known, changed }: ProbeTarget): void {
    if (this.#watched.has(status.id)) return
    const container = containerRoles(pod).find((candidate) => candidate.spec.name === name)?.spec
    if (!container) return
    const startedAtMs = status.startedAtMs ?? this.#deps.clock.now()
    const watched: Watched = { pod, container, id: status.id, ip, startedAtMs, changed, progress: new Map(), timers: new Map() }
    this.#watched.set(status.id, watched)
    // the first verdicts of this process follow at once; until then nothing falls out of a service because an agent restarted
    if (known?.started) watched.progress.set('startup', PASSING)
    if (known?.ready) watched.progress.set('readiness', PASSING)
    if (container.startupProbe && !known?.started) this.#schedule(watched, 'startup', container.startupProbe)
    else this.#scheduleRest(watched)
  }

  state(id: string): ProbeState {
    const watched = this.#watched.get(id)
    if (!watched) return { started: false, ready: false }
    const { container, progress } = watched
    const started = !container.startupProbe || (progress.get('startup')?.passing ?? false)
    const ready = started && (!container.readinessProbe || (progress.get('readiness')?.passing ?? false))
    return { started, ready, ...(watched.unhealthy === undefined ? {} : { unhealthy: watched.unhealthy }) }
  }

  retire(id: string): void {
    const watched = this.#watched.get(id)
    if (!watched) return
    watched.retired = true
    for (const kind of ['startup', 'liveness'] as const) watched.timers.get(kind)?.cancel()
  }

  forget(id: string): void {
    const watched = this.#watched.get(id)
    for (const timer of watched?.timers.values() ?? []) timer.cancel()
    this.#watched.delete(id)
  }

  forgetPod(podUid: string): void {
    for (const [id, watched] of this.#watched) if (watched.pod.metadata.uid === podUid) this.forget(id)
  }

  #scheduleRest(watched: Watched): void {
    const { livenessProbe, readinessProbe } = watched.container
    if (livenessProbe) this.#schedule(watched, 'liveness', livenessProbe)
    if (readinessProbe) this.#schedule(watched, 'readiness', readinessProbe)
  }

  #schedule(watched: Watched, kind: ProbeKind, probe: Probe): void {
    const { initialDelayMs, periodMs } = probeTiming(probe)
    const ageMs = Math.max(0, this.#deps.clock.now() - watched.startedAtMs)
    // a fresh container is probed at once; the first probes of many adopted ones are spread over a second
    const jitter = !watched.timers.has(kind) && ageMs > ADOPTED_MS ? this.#deps.random() * Math.min(periodMs, 1_000) : 0
    this.#arm(watched, kind, probe, Math.max(0, initialDelayMs - ageMs) + jitter)
  }

  #arm(watched: Watched, kind: ProbeKind, probe: Probe, delayMs: number): void {
    watched.timers.set(
      kind,
      this.#deps.clock.after(delayMs, () => void this.#run(watched, kind, probe)),
    )
  }

  async #run(watched: Watched, kind: ProbeKind, probe: Probe): Promise<void> {
    const outcome = await this.#probe(watched, probe)
    if (this.#watched.get(watched.id) !== watched || (watched.retired && kind !== 'readiness')) return
    const before = this.state(watched.id)
    const progress = nextProgress(watched.progress.get(kind) ?? initialProgress(kind), probe, outcome.ok)
    watched.progress.set(kind, progress)
    if (!outcome.ok) {
      const title = `${kind[0]?.toUpperCase()}${kind.slice(1)}`
      this.#deps.record(watched.pod, 'Warning', 'Unhealthy', `${title} probe failed: ${outcome.message}`)
      if (kind !== 'readiness' && exhausted(progress, probe)) watched.unhealthy = `failed ${kind} probe`
    }
    const passed = kind === 'startup' && progress.passing
    if (passed && !watched.retired) this.#scheduleRest(watched)
    if (!passed && watched.unhealthy === undefined) this.#arm(watched, kind, probe, probeTiming(probe).periodMs)
    const after = this.state(watched.id)
    if (before.ready !== after.ready || before.started !== after.started || before.unhealthy !== after.unhealthy) watched.changed()
  }

  async #probe(watched: Watched, probe: Probe): Promise<ProbeOutcome> {
    const { timeoutMs } = probeTiming(probe)
    const port = (value: number | string): number => {
      const found = resolvePort(value, watched.container)
      if (found === undefined) throw new Error(`no container port is named "${value}"`)
      return found
    }
    try {
      if (probe.httpGet) return await probeHttp(probe.httpGet, { host: watched.ip, port: port(probe.httpGet.port) }, timeoutMs)
      if (probe.tcpSocket) return await probeTcp({ host: probe.tcpSocket.host ?? watched.ip, port: port(probe.tcpSocket.port) }, timeoutMs)
      if (probe.grpc) return await probeGrpc({ host: watched.ip, port: probe.grpc.port, service: probe.grpc.service ?? '' }, timeoutMs)
      const result = await this.#deps.runtime.execSync(watched.id, probe.exec?.command ?? [], timeoutMs)
      return result.exitCode === 0
        ? { ok: true }
        : {
            ok: false,
            message: Buffer.concat([result.stdout, result.stderr]).toString().slice(0, 1024) || `command exited with ${result.exitCode}`,
          }
    } catch (error) {
      return { ok: false, message: messageOf(error) }
    }
  }
}
