import type { Pod } from '../../../../api/generated/types.ts'
import type { Clock, Timer } from '../../../../base/clock.ts'
import {
  type ContainerStatus,
  type ContainerUsage,
  type ExecResult,
  type LogOptions,
  type ResolvedContainer,
  type Runtime,
  type RuntimeCapabilities,
  RuntimeError,
  type RuntimePod,
  type RuntimeProblem,
  type Sandbox,
} from '../../runtime.ts'
import { AddressPool } from '../address-pool.ts'
import { readLog } from '../log-reader.ts'
import { PodEvents } from '../pod-events.ts'
import { FakeLog } from './fake-log.ts'

export interface FakeRuntimeOptions {
  readonly clock: Clock
  /** From startContainer to running. Default 0: at once. */
  readonly startDelayMs?: number
  /** From the stop signal to the end; a longer one than the grace is killed. Default 0. */
  readonly stopDelayMs?: number
  /** Default `10.244.0.0/16`. */
  readonly podCidr?: string
  /** Address of pods that use the machine's network. Default `127.0.0.1`. */
  readonly hostAddress?: string
  /** How a started container ends by itself; default: never. A `startError` fails the start. */
  readonly plan?: (container: ResolvedContainer, pod: Pod) => FakePlan | undefined
  /** Answers execSync; default: exit code 0 without output. */
  readonly exec?: (id: string, command: readonly string[]) => ExecResult
}

export interface FakePlan {
  readonly exitAfterMs?: number
  readonly exitCode?: number
  readonly startError?: string
}

/** A Runtime that runs nothing, with handles to play the containers' part. */
export interface FakeRuntime extends Runtime {
  /** Ends a running container. */
  exit(id: string, exitCode: number, reason?: ContainerStatus['reason']): void
  /** Lets a running container print. */
  print(id: string, text: string): void
}

/**
 * Pods that cost a few hundred bytes and a timer: hollow nodes run thousands of them in one process through the very code that real nodes run. All is
 * in memory; nothing survives the process.
 */
export function createFakeRuntime(options: FakeRuntimeOptions): FakeRuntime {
  return new MemoryRuntime(options)
}

interface FakePod {
  pod: Pod
  readonly sandbox: Sandbox
  readonly containers: Map<string, FakeContainer>
}

interface FakeContainer {
  readonly spec: ResolvedContainer
  readonly createdAtMs: number
  status: ContainerStatus
  timer: Timer | undefined
  log: FakeLog | undefined
}

class MemoryRuntime implements FakeRuntime {
  readonly name = 'fake'
  readonly #options: FakeRuntimeOptions
  readonly #clock: Clock
  readonly #addresses: AddressPool
  readonly #events = new PodEvents()
  readonly #pods = new Map<string, FakePod>()

  constructor(options: FakeRuntimeOptions) {
    this.#options = options
    this.#clock = options.clock
    this.#addresses = new AddressPool(options.podCidr ?? '10.244.0.0/16')
  }

  async probe(): Promise<{ ok: boolean; capabilities: RuntimeCapabilities; problems: readonly RuntimeProblem[] }> {
    return { ok: true, capabilities: { limits: true, mounts: true, users: true }, problems: [] }
  }

  async listPods(): Promise<readonly RuntimePod[]> {
    return [...this.#pods.values()].map(({ sandbox, pod, containers }) => {
      const statuses = [...containers.values()].map((container) => container.status)
      return { sandbox, pod, containers: statuses.toSorted((a, b) => a.restartCount - b.restartCount) }
    })
  }

  async ensureSandbox(pod: Pod): Promise<Sandbox> {
    const uid = pod.metadata.uid
    if (!uid) throw new RuntimeError('InvalidArgument', `pod ${pod.metadata.name} has no uid`)
    const existing = this.#pods.get(uid)
    if (existing) {
      existing.pod = pod
      return existing.sandbox
    }
    const address = pod.spec?.hostNetwork ? (this.#options.hostAddress ?? '127.0.0.1') : this.#addresses.take()
    const sandbox = { podUid: uid, ips: [address], dir: `/nonexistent/pods/${uid}` }
    this.#pods.set(uid, { pod, sandbox, containers: new Map() })
    return sandbox
  }

  async createContainer(sandbox: Sandbox, spec: ResolvedContainer): Promise<string> {
    const pod = this.#pods.get(sandbox.podUid)
    if (!pod) throw new RuntimeError('NotFound', `pod ${sandbox.podUid} has no sandbox on this node`)
    if (spec.command.length === 0) throw new RuntimeError('InvalidArgument', `container ${spec.name} has an empty command`)
    const { name, restartCount, image } = spec
    const id = `${sandbox.podUid}/${name}/${restartCount}`
    const existing = pod.containers.get(id)
    if (existing && existing.status.state !== 'created') {
      throw new RuntimeError('InvalidArgument', `container ${id} has been started before: a new start needs a higher restart count`)
    }
    const createdAtMs = this.#clock.now()
    const status: ContainerStatus = { id, podUid: sandbox.podUid, name, restartCount, image, state: 'created', createdAtMs }
    pod.containers.set(id, { spec, createdAtMs, status, timer: undefined, log: undefined })
    return id
  }

  async startContainer(id: string): Promise<void> {
    const { container, pod } = this.#find(id)
    if (container.status.state === 'running') return
    if (container.status.state === 'exited') {
      throw new RuntimeError('InvalidArgument', `container ${id} has ended: a new start needs a higher restart count`)
    }
    const plan = this.#options.plan?.(container.spec, pod.pod)
    const { startDelayMs = 0 } = this.#options
    if (startDelayMs > 0) await new Promise<void>((resolve) => this.#clock.after(startDelayMs, resolve))
    if (container.status.state !== 'created') return
    if (plan?.startError !== undefined) {
      this.#end(container, { exitCode: 128, reason: 'StartError', message: plan.startError })
      throw new RuntimeError('StartError', plan.startError)
    }
    this.#change(container, { ...container.status, state: 'running', startedAtMs: this.#clock.now() })
    if (plan?.exitAfterMs === undefined) return
    container.timer = this.#clock.after(plan.exitAfterMs, () => this.exit(id, plan.exitCode ?? 0))
  }

  async stopContainer(id: string, options: { readonly signal?: string; readonly graceMs: number }): Promise<void> {
    const container = this.#lookUp(id)
    if (!container || container.status.state === 'exited') return
    if (container.status.state === 'created') {
      this.#end(container, { exitCode: 137, reason: 'Error', message: 'stopped before it was started' })
      return
    }
    const { stopDelayMs = 0 } = this.#options
    const killed = stopDelayMs > options.graceMs
    const delayMs = Math.min(stopDelayMs, options.graceMs)
    if (delayMs > 0) await new Promise<void>((resolve) => this.#clock.after(delayMs, resolve))
    this.exit(id, killed || options.graceMs === 0 ? 137 : 143)
  }

  async removeContainer(id: string): Promise<void> {
    const container = this.#lookUp(id)
    if (!container) return
    this.#assertEnded(container)
    this.#pods.get(container.status.podUid)?.containers.delete(id)
  }

  async removeSandbox(podUid: string): Promise<void> {
    const pod = this.#pods.get(podUid)
    if (!pod) return
    for (const container of pod.containers.values()) this.#assertEnded(container)
    this.#pods.delete(podUid)
    if (!pod.pod.spec?.hostNetwork) for (const address of pod.sandbox.ips) this.#addresses.release(address)
  }

  async status(id: string): Promise<ContainerStatus | undefined> {
    return this.#lookUp(id)?.status
  }

  events(signal: AbortSignal): AsyncIterable<{ readonly podUid: string }> {
    return this.#events.subscribe(signal)
  }

  async execSync(id: string, command: readonly string[]): Promise<ExecResult> {
    const { container } = this.#find(id)
    if (container.status.state !== 'running') throw new RuntimeError('InvalidArgument', `container ${id} is not running`)
    return this.#options.exec?.(id, command) ?? { exitCode: 0, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) }
  }

  async *logs(id: string, options: LogOptions, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    const { container } = this.#find(id)
    const log = (container.log ??= new FakeLog())
    const wake = (): void => log.wake()
    signal.addEventListener('abort', wake)
    const follower = {
      ended: () => container.status.state === 'exited',
      changed: (at: number) => (signal.aborted || container.status.state === 'exited' ? Promise.resolve() : log.changed(at)),
      now: () => this.#clock.now(),
    }
    try {
      yield* readLog(log, { ...options, follower, signal })
    } finally {
      signal.removeEventListener('abort', wake)
    }
  }

  /** A made-up constant load of 1 milli-CPU and 1 MiB. */
  async usage(): Promise<ReadonlyMap<string, ContainerUsage>> {
    const atMs = this.#clock.now()
    const usage = new Map<string, ContainerUsage>()
    for (const { containers } of this.#pods.values()) {
      for (const { status } of containers.values()) {
        if (status.state !== 'running') continue
        usage.set(status.id, { cpuNanos: BigInt(atMs - (status.startedAtMs ?? atMs)) * 1000n, memoryBytes: 1_048_576, atMs })
      }
    }
    return usage
  }

  async close(): Promise<void> {
    for (const { containers } of this.#pods.values()) for (const container of containers.values()) container.timer?.cancel()
    this.#events.close()
  }

  exit(id: string, exitCode: number, reason?: ContainerStatus['reason']): void {
    const { container } = this.#find(id)
    if (container.status.state === 'running') this.#end(container, { exitCode, reason: reason ?? (exitCode === 0 ? 'Completed' : 'Error') })
  }

  print(id: string, text: string): void {
    const { container } = this.#find(id)
    container.log ??= new FakeLog()
    container.log.write(text, this.#clock.now())
  }

  #end(container: FakeContainer, end: Pick<ContainerStatus, 'exitCode' | 'reason' | 'message'>): void {
    container.timer?.cancel()
    this.#change(container, { ...container.status, ...end, state: 'exited', finishedAtMs: this.#clock.now() })
    container.log?.wake()
  }

  #change(container: FakeContainer, status: ContainerStatus): void {
    container.status = status
    this.#events.publish(status.podUid)
  }

  #assertEnded({ status }: FakeContainer): void {
    if (status.state === 'running') throw new RuntimeError('InvalidArgument', `container ${status.id} is running: stop it first`)
  }

  #lookUp(id: string): FakeContainer | undefined {
    return this.#pods.get(id.slice(0, id.indexOf('/')))?.containers.get(id)
  }

  #find(id: string): { readonly container: FakeContainer; readonly pod: FakePod } {
    if (!/^[^/]+\/[^/]+\/\d+$/.test(id)) {
      throw new RuntimeError('InvalidArgument', `"${id}" is not a container id: expected <pod uid>/<container>/<restart count>`)
    }
    const container = this.#lookUp(id)
    const pod = container && this.#pods.get(container.status.podUid)
    if (!container || !pod) throw new RuntimeError('NotFound', `container ${id} is not on this node`)
    return { container, pod }
  }
}
