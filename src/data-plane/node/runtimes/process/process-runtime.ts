import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Pod } from '../../../../api/generated/types.ts'
import type { Clock } from '../../../../base/clock.ts'
import { messageOf } from '../../../../base/errors.ts'
import type { Logger } from '../../../../base/log.ts'
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
import { AddressPool, singleAddresses } from '../address-pool.ts'
import type { NetworkedPod, PodNetwork } from '../../network/pod-network.ts'
import { ContainerMonitor } from './container-monitor.ts'
import type { ContainerRecord } from './container-record.ts'
import { ContainerStore } from './container-store.ts'
import { runCommand } from './exec.ts'
import { POD_LEVEL } from './cgroups.ts'
import { detectHost, type Host, type User } from './host.ts'
import { planExec, planShim } from './launch.ts'
import { cgroupName, containerId, Layout, parseCgroupName, parseContainerId } from './layout.ts'
import type { LogLimits } from './log-file.ts'
import { LogKeeper } from './log-keeper.ts'
import { PodStore } from './pod-store.ts'
import { checkProgram } from './resolve-program.ts'
import { spawnIn } from './spawn-in.ts'
import { installShim } from './shim.ts'
import { stopContainer } from './stop-container.ts'
import { StraySweeper } from './strays.ts'
import { UsageSampler } from './usage.ts'

export interface ProcessRuntimeOptions {
  /** Absolute; made if missing. Other users must be able to enter the directories above it. */
  readonly rootDir: string
  readonly nodeName: string
  readonly clock: Clock
  readonly log: Logger
  /** Range of pod addresses, such as `127.64.1.0/24`; without a network of their own pods share the machine's, and each has one of these. */
  readonly podCidr: string
  /** Gives each pod a network of its own; `podCidr` is not used then. */
  readonly network?: (namespacesDir: string) => PodNetwork
  /** Addresses of pods that use the machine's network, primary first. Default `127.0.0.1`. */
  readonly hostAddresses?: readonly string[]
  /** PATH of containers that have none. Default: the usual system directories. */
  readonly searchPath?: string
  /** Directories that containers with a root of their own see as they are on the machine, sockets included. Default: none. */
  readonly shared?: readonly string[]
  /** Who containers run as that do not say, when the agent is root. Default 65534:65534. */
  readonly defaultUser?: User
  /** Processes one container may have; default: no limit. */
  readonly pidsLimit?: number
  /** Default 10 MiB x 5, as the kubelet has it. */
  readonly logLimits?: LogLimits
  /** Capabilities to do without though the machine has them. */
  readonly without?: Partial<RuntimeCapabilities>
}

const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const NOBODY: User = { uid: 65_534, gid: 65_534 }
const LOG_LIMITS: LogLimits = { maxBytes: 10 * 1024 * 1024, maxFiles: 5 }
const START_MS = 30_000

/** Runs pods as processes of this machine. Nothing is done, and nothing on disk touched, before the first call. */
export function createProcessRuntime(options: ProcessRuntimeOptions): Runtime {
  return new ProcessRuntime(options)
}

/** What exists once the machine has been looked at. */
interface Parts {
  readonly host: Host
  readonly shim: string
  readonly containers: ContainerStore
  readonly strays: StraySweeper
  readonly logs: LogKeeper
  readonly usage: UsageSampler
  readonly monitor: ContainerMonitor
}

class ProcessRuntime implements Runtime {
  readonly name = 'process'
  readonly #options: ProcessRuntimeOptions
  readonly #layout: Layout
  readonly #pods: PodStore
  readonly #network: PodNetwork | undefined
  #host: Promise<Host> | undefined
  #opening: Promise<Parts> | undefined

  constructor(options: ProcessRuntimeOptions) {
    const { rootDir, log, clock, podCidr, hostAddresses = ['127.0.0.1'] } = options
    this.#options = options
    this.#layout = new Layout(rootDir)
    this.#network = options.network?.(this.#layout.networkNamespaces)
    const addresses = this.#network?.addresses ?? singleAddresses(new AddressPool(podCidr))
    const namespaceOf = (uid: string): string | undefined => this.#network?.namespaceOf(uid) ?? this.#layout.networkNamespaceLeft(uid)
    this.#pods = new PodStore({ layout: this.#layout, addresses, hostAddresses, clock, log, namespaceOf })
  }

  async probe(): Promise<{ ok: boolean; capabilities: RuntimeCapabilities; problems: readonly RuntimeProblem[] }> {
    const host = await this.#detect()
    return { ok: host.ok, capabilities: host.capabilities, problems: host.problems }
  }

  async listPods(): Promise<readonly RuntimePod[]> {
    const parts = await this.#open()
    const { containers, monitor } = parts
    return this.#pods.list().map(({ sandbox, pod }) => {
      const records = containers.ofPod(sandbox.podUid)
      for (const record of records) monitor.refresh(record)
      return { sandbox: withCgroup(sandbox, pod, parts), pod, containers: records.map((record) => record.status()) }
    })
  }

  async ensureSandbox(pod: Pod): Promise<Sandbox> {
    const parts = await this.#open()
    const sandbox = this.#pods.ensure(pod)
    await this.#attach(pod, sandbox, parts.containers)
    return withCgroup(sandbox, pod, parts)
  }

  async createContainer(sandbox: Sandbox, container: ResolvedContainer): Promise<string> {
    const { containers } = await this.#open()
    const stored = this.#pods.get(sandbox.podUid)
    if (!stored) throw new RuntimeError('NotFound', `pod ${sandbox.podUid} has no sandbox on this node`)
    const id = containerId({ ...container, podUid: sandbox.podUid })
    const existing = containers.get(id)
    existing?.refresh()
    if (existing?.isStarted || existing?.hasEnded) {
      throw new RuntimeError('InvalidArgument', `container ${id} has been started before: a new start needs a higher restart count`)
    }
    // a pod that an earlier agent left may have lost its network, or never had it
    await this.#attach(stored.pod, stored.sandbox, containers)
    const { spec, metadata } = stored.pod
    const hostname = spec?.hostNetwork ? this.#options.nodeName : (spec?.hostname ?? metadata.name)
    return containers.create(stored.sandbox, container, hostname).id
  }

  async startContainer(id: string): Promise<void> {
    const parts = await this.#open()
    const record = this.#find(parts, id)
    parts.monitor.refresh(record)
    if (record.isRunning) return
    if (record.hasEnded) throw new RuntimeError('InvalidArgument', `container ${id} has ended: a new start needs a higher restart count`)
    const earlier = parts.containers.ofPod(record.key.podUid).filter((other) => other.key.name === record.key.name && other.hasEnded)
    const last = earlier.at(-1)
    if (last) await parts.strays.sweep(last.key)
    try {
      this.#launch(parts, record)
      await this.#awaitStart(parts, record)
    } catch (error) {
      const failure = error instanceof RuntimeError ? error : new RuntimeError('StartError', messageOf(error), { cause: error })
      if (!record.isStarted && record.forbidStart()) {
        record.finish({ exitCode: 128, reason: 'StartError', message: failure.message })
        parts.monitor.changed(record)
      }
      throw failure
    }
  }

  async stopContainer(id: string, options: { readonly signal?: string; readonly graceMs: number }): Promise<void> {
    const { containers, monitor, strays } = await this.#open()
    const record = containers.get(id)
    if (!record) return
    monitor.refresh(record)
    await stopContainer(record, { ...options, waitFor: monitor.waitFor.bind(monitor) })
    await strays.sweep(record.key)
  }

  async removeContainer(id: string): Promise<void> {
    const parts = await this.#open()
    const record = parts.containers.get(id)
    if (!record) return
    this.#assertEnded(parts, record)
    await this.#remove(parts, record)
    await this.#pods.emptyTrash()
  }

  async removeSandbox(podUid: string): Promise<void> {
    const parts = await this.#open()
    const records = parts.containers.ofPod(podUid)
    for (const record of records) this.#assertEnded(parts, record)
    await Promise.all(records.map((record) => this.#remove(parts, record)))
    parts.host.cgroups?.removePod(podUid)
    await this.#network?.detach(podUid)
    await this.#pods.remove(podUid)
  }

  async status(id: string): Promise<ContainerStatus | undefined> {
    const { containers, monitor } = await this.#open()
    const record = containers.get(id)
    if (record) monitor.refresh(record)
    return record?.status()
  }

  async *events(signal: AbortSignal): AsyncGenerator<{ readonly podUid: string }, void> {
    const { monitor } = await this.#open()
    yield* monitor.events.subscribe(signal)
  }

  async execSync(id: string, command: readonly string[], timeoutMs: number): Promise<ExecResult> {
    const parts = await this.#open()
    const record = this.#find(parts, id)
    parts.monitor.refresh(record)
    if (!record.isRunning || !record.program) throw new RuntimeError('InvalidArgument', `container ${id} is not running`)
    const plan = planExec(parts.host, record.config.surroundings, { pid: record.program.pid, command })
    const networkNamespace = this.#pods.get(record.key.podUid)?.sandbox.networkNamespace
    return runCommand(plan, { clock: this.#options.clock, timeoutMs, networkNamespace })
  }

  async *logs(id: string, options: LogOptions, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    const parts = await this.#open()
    yield* parts.logs.read(this.#find(parts, id), options, signal)
  }

  async usage(): Promise<ReadonlyMap<string, ContainerUsage>> {
    const { containers, usage } = await this.#open()
    const running = containers.list().filter((record) => record.isRunning)
    return usage.sample(running, this.#options.clock.now())
  }

  /** Leaves the containers running. */
  async close(): Promise<void> {
    const parts = await this.#opening
    parts?.monitor.close()
    await parts?.logs.close()
    await parts?.strays.settled()
    parts?.host.cgroups?.removeParents()
    parts?.containers.removeStaleRoots()
  }

  async #attach(pod: Pod, sandbox: Sandbox, containers: ContainerStore): Promise<void> {
    if (sandbox.networkNamespace !== undefined) await this.#network?.attach(networked(pod, sandbox, containers))
  }

  #detect(): Promise<Host> {
    this.#host ??= detectHost(this.#options)
    return this.#host
  }

  #open(): Promise<Parts> {
    this.#opening ??= this.#adopt()
    return this.#opening
  }

  /** Looks at the machine, then takes over what an earlier agent has left. */
  async #adopt(): Promise<Parts> {
    const options = this.#options
    const { clock, log } = options
    const host = await this.#detect()
    if (!host.ok) throw new RuntimeError('InvalidArgument', host.problems[0]?.what ?? 'pods cannot run on this machine')
    this.#pods.load()
    const { defaultUser = NOBODY, searchPath = SEARCH_PATH, logLimits = LOG_LIMITS, shared = [] } = options
    const containers = new ContainerStore({ layout: this.#layout, host, clock, defaultUser, searchPath, shared })
    const strays = new StraySweeper(clock, host.cgroups)
    const logs = new LogKeeper({ limits: logLimits, fallocate: host.tools.fallocate, clock, log })
    const monitor = new ContainerMonitor({ containers, strays, logs, eventsDir: this.#layout.events, clock, log })
    const parts = { host, containers, strays, logs, monitor, shim: installShim(options.rootDir), usage: new UsageSampler(host.cgroups) }
    for (const { sandbox } of this.#pods.list()) containers.load(sandbox.podUid)
    monitor.open()
    containers.removeStaleRoots()
    const own = this.#pods.list().filter(({ sandbox }) => sandbox.networkNamespace !== undefined)
    await this.#network?.restore(own.map(({ pod, sandbox }) => networked(pod, sandbox, containers)))
    this.#cleanUp(parts)
    return parts
  }

  /** What ended, or was removed, while no agent ran may have left processes, cgroups and files. */
  #cleanUp({ host, containers, strays }: Parts): void {
    const ended = containers.list().filter((record) => record.hasEnded)
    const leftBehind = host.cgroups?.list().flatMap(({ podUid, name }) => {
      const key = parseCgroupName(podUid, name)
      const record = key && containers.get(containerId(key))
      return key && !record?.isStarted ? [key] : []
    })
    const work = [...(leftBehind ?? ended.map((record) => record.key)).map((key) => strays.sweep(key)), this.#pods.emptyTrash()]
    Promise.all(work)
      .then(() => {
        for (const uid of host.cgroups?.listPods() ?? []) if (!this.#pods.get(uid)) host.cgroups?.removePod(uid)
      })
      .catch((error: unknown) => this.#options.log.warn('cannot clean up after an earlier agent', { error: messageOf(error) }))
  }

  #launch(parts: Parts, record: ContainerRecord): void {
    const { host } = parts
    const { key, dir } = record
    const { command, surroundings, container } = record.config
    checkProgram(command[0] as string, { ...surroundings, mounts: surroundings.mode === 'none' ? [] : container.mounts })
    const { pidsLimit } = this.#options
    host.cgroups?.create(key.podUid, cgroupName(key), { ...container.limits, ...(pidsLimit === undefined ? {} : { pids: pidsLimit }) })
    const oomFile = host.cgroups?.oomFile(key.podUid, cgroupName(key)) ?? ''
    const files = { shim: parts.shim, dir, marker: this.#layout.marker(key), fstab: join(dir, 'fstab'), oomFile }
    const plan = planShim(host, surroundings, { files, command })
    const networkNamespace = this.#pods.get(key.podUid)?.sandbox.networkNamespace
    const child = spawnIn(networkNamespace, plan, 'ignore')
    child.unref()
    // an error to spawn shows as a container that does not start; the end of a shim is a hint like its marks
    child.on('error', (error) => this.#options.log.error('cannot spawn a shim', { id: record.id, error: messageOf(error) }))
    child.on('exit', () => parts.monitor.look(key))
  }

  async #awaitStart({ monitor }: Parts, record: ContainerRecord): Promise<void> {
    if (!(await monitor.waitFor(record, () => record.isRunning || record.hasEnded, START_MS))) {
      throw new RuntimeError('StartError', `the container did not start within ${START_MS / 1000} s`)
    }
    if (record.exit?.reason !== 'StartError') return
    throw new RuntimeError('StartError', record.exit.message ?? 'the container could not be started')
  }

  #find({ containers }: Parts, id: string): ContainerRecord {
    const record = containers.get(containerId(parseContainerId(id)))
    if (!record) throw new RuntimeError('NotFound', `container ${id} is not on this node`)
    return record
  }

  #assertEnded({ monitor }: Parts, record: ContainerRecord): void {
    monitor.refresh(record)
    if (record.isStarted) throw new RuntimeError('InvalidArgument', `container ${record.id} is running: stop it first`)
  }

  async #remove({ containers, strays, logs }: Parts, record: ContainerRecord): Promise<void> {
    if (!record.hasEnded) record.forbidStart()
    await strays.sweep(record.key)
    containers.forget(record.id)
    logs.forget(record.id)
    this.#pods.discard(record.dir)
    // gone already, unless it lies in shared memory
    await rm(containers.rootfs(record.key), { recursive: true, force: true })
  }
}

/**
 * A pod of the machine's network with its cgroup, where each of its processes is in that: some that an earlier version has started may not be, and what is
 * not known for the pod's own would be taken for a stranger.
 */
function withCgroup(sandbox: Sandbox, pod: Pod, { host, containers }: Parts): Sandbox {
  const path = host.cgroups?.podDir(sandbox.podUid)
  if (path === undefined || sandbox.networkNamespace !== undefined || pod.spec?.hostNetwork) return sandbox
  const running = containers.ofPod(sandbox.podUid).filter((record) => record.isStarted)
  if (running.some(({ config }) => !config.surroundings.cgroups.some((dir) => dir.startsWith(`${path}/`)))) return sandbox
  host.cgroups?.createPod(sandbox.podUid)
  return { ...sandbox, cgroup: { path, level: POD_LEVEL } }
}

/** A pod as its network knows it: a process of it keeps its namespace, whatever becomes of the name. */
function networked(pod: Pod, sandbox: Sandbox, containers: ContainerStore): NetworkedPod {
  const running = containers.ofPod(sandbox.podUid).find((record) => record.isRunning)
  return { podUid: sandbox.podUid, pod, ips: sandbox.ips, pid: running?.program?.pid }
}
