import type { Pod } from '../../api/generated/types.ts'

/** What a runtime can do on this machine; found by probing, never assumed. */
export interface RuntimeCapabilities {
  /** cgroup limits are enforced. */
  readonly limits: boolean
  /** Volumes appear at their mountPath (private mount namespace). */
  readonly mounts: boolean
  /** Containers may run as another uid than the agent's. */
  readonly users: boolean
}

/** Something that is missing, in words a user can act on. */
export interface RuntimeProblem {
  readonly what: string
  readonly fix: string
}

export type ContainerState = 'created' | 'running' | 'exited'

/** The truth about one container, read from disk and kernel. */
export interface ContainerStatus {
  /** Unique for every (re)start: `<podUid>/<container>/<restart count>`. */
  readonly id: string
  readonly podUid: string
  readonly name: string
  readonly restartCount: number
  readonly image: string
  readonly state: ContainerState
  readonly pid?: number
  readonly createdAtMs: number
  readonly startedAtMs?: number
  readonly finishedAtMs?: number
  readonly exitCode?: number
  readonly signal?: number
  /** Set when exited. */
  readonly reason?: 'Completed' | 'Error' | 'OOMKilled' | 'ContainerStatusUnknown' | 'StartError'
  readonly message?: string
}

export interface Sandbox {
  readonly podUid: string
  /** Pod addresses, primary first. */
  readonly ips: readonly string[]
  /** Private directory of the pod: volumes and logs live below it. */
  readonly dir: string
  /** Path of the pod's own network namespace; absent: it uses the network of the node. */
  readonly networkNamespace?: string
  /** For pods in the network of the node that have an address of their own there: tells the kernel which sockets are theirs. Absent: it cannot know. */
  readonly cgroup?: PodCgroup
}

/** A cgroup of version 2 that all processes of a pod are in, and none else. */
export interface PodCgroup {
  /** Absolute; it is there while the pod is. */
  readonly path: string
  /** How far below the root of its tree. */
  readonly level: number
}

/** A pod found on the machine: what a restarted agent re-adopts. */
export interface RuntimePod {
  readonly sandbox: Sandbox
  /** The pod as it was when its sandbox was made or last recorded. */
  readonly pod: Pod
  /** Every container still on disk, the newest restart of each last. */
  readonly containers: readonly ContainerStatus[]
}

export interface Mount {
  readonly hostPath: string
  readonly mountPath: string
  readonly readOnly: boolean
}

/** A container ready to run: nothing left to expand or look up. */
export interface ResolvedContainer {
  readonly name: string
  readonly image: string
  readonly restartCount: number
  /** argv; never empty. */
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly workingDir?: string
  readonly mounts: readonly Mount[]
  readonly user?: { readonly uid: number; readonly gid: number }
  /** Of the container's limits; absent: unlimited. */
  readonly limits: { readonly cpuMillis?: number; readonly memoryBytes?: number }
}

export interface LogOptions {
  /** Lines from the end; absent: all. */
  readonly tailLines?: number
  /** Only lines written at or after this time, milliseconds since 1970. */
  readonly sinceMs?: number
  readonly follow?: boolean
  /** Prefix each line with its RFC 3339 time. */
  readonly timestamps?: boolean
  readonly limitBytes?: number
}

export interface ContainerUsage {
  readonly cpuNanos: bigint
  readonly memoryBytes: number
  readonly atMs: number
}

export interface ExecResult {
  readonly exitCode: number
  readonly stdout: Buffer
  readonly stderr: Buffer
}

/**
 * Runs pods on this machine. Restart-safe: `listPods` is the whole truth, re-adoption needs nothing else. Implementations:
 * process (host processes), fake (timers only, for hollow nodes); lite and cri come later.
 */
export interface Runtime {
  readonly name: 'process' | 'fake' | 'lite' | 'cri'
  probe(): Promise<{ readonly ok: boolean; readonly capabilities: RuntimeCapabilities; readonly problems: readonly RuntimeProblem[] }>
  listPods(): Promise<readonly RuntimePod[]>
  /** Idempotent. Records `pod` on disk (again, when it changed) and gives it its addresses. */
  ensureSandbox(pod: Pod): Promise<Sandbox>
  /** @throws RuntimeError `ImageNotRunnableAsProcess`, `InvalidArgument` */
  createContainer(sandbox: Sandbox, container: ResolvedContainer): Promise<string>
  /** Resolves when the program runs. @throws RuntimeError `StartError` (no such program, not executable) */
  startContainer(id: string): Promise<void>
  /** Signals, waits up to `graceMs`, then kills everything the container started. Idempotent; resolves when it has ended. */
  stopContainer(id: string, options: { readonly signal?: string; readonly graceMs: number }): Promise<void>
  /** Removes an exited container's files. */
  removeContainer(id: string): Promise<void>
  /** Removes the pod's directory and addresses; its containers must have been stopped. */
  removeSandbox(podUid: string): Promise<void>
  status(id: string): Promise<ContainerStatus | undefined>
  /** Hints that something changed; a relist every few seconds is the truth. */
  events(signal: AbortSignal): AsyncIterable<{ readonly podUid: string }>
  /** Runs a command beside the container (same env, mounts, user): exec probes and lifecycle hooks. Kills it after `timeoutMs`. */
  execSync(id: string, command: readonly string[], timeoutMs: number): Promise<ExecResult>
  logs(id: string, options: LogOptions, signal: AbortSignal): AsyncIterable<Uint8Array>
  /** By container id; containers that are not running are absent. */
  usage(): Promise<ReadonlyMap<string, ContainerUsage>>
  close(): Promise<void>
}

export type RuntimeErrorCode = 'ImageNotRunnableAsProcess' | 'StartError' | 'InvalidArgument' | 'NotFound' | 'Timeout'

/** Error of a Runtime. Match on `code`; the message is shown to users in pod status and events. */
export class RuntimeError extends Error {
  override readonly name = 'RuntimeError'
  readonly code: RuntimeErrorCode

  constructor(code: RuntimeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
