import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sleep, systemClock } from '../src/base/clock.ts'
import { silentLogger } from '../src/base/log.ts'
import { createProcessRuntime, type ProcessRuntimeOptions } from '../src/data-plane/node/runtimes/process/index.ts'
import type { ContainerStatus, LogOptions, ResolvedContainer, Runtime } from '../src/data-plane/node/runtime.ts'

/** A directory for one test's runtimes, whose containers end with the test. */
export class RuntimeFixture {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'biplane-runtime-'))
  readonly #open: Runtime[] = []
  #pods = 0

  constructor() {
    // containers run as another user, who must be able to come here
    chmodSync(this.dir, 0o755)
  }

  get rootDir(): string {
    return join(this.dir, 'node')
  }

  /** A runtime on this directory; opened again, it is the next agent. */
  runtime(options: Partial<ProcessRuntimeOptions> = {}): Runtime {
    const base = { rootDir: this.rootDir, nodeName: 'test', clock: systemClock, log: silentLogger, podCidr: '127.64.1.0/24' }
    const runtime = createProcessRuntime({ ...base, ...options })
    this.#open.push(runtime)
    return runtime
  }

  /** Creates and starts a container in a pod of its own. */
  async start(runtime: Runtime, command: readonly string[], options: Partial<ResolvedContainer> & { uid?: string } = {}): Promise<string> {
    const id = await this.create(runtime, command, options)
    await runtime.startContainer(id)
    return id
  }

  async create(runtime: Runtime, command: readonly string[], options: Partial<ResolvedContainer> & { uid?: string } = {}): Promise<string> {
    const { uid = `pod-${this.#pods++}`, ...overrides } = options
    const sandbox = await runtime.ensureSandbox({ metadata: { name: uid, uid } })
    return runtime.createContainer(sandbox, {
      name: 'main',
      image: 'host',
      restartCount: 0,
      env: {},
      mounts: [],
      limits: {},
      ...overrides,
      command,
    })
  }

  /** A pipe that a container reads commands from: every user may. */
  fifo(name: string): string {
    const path = join(this.dir, name)
    if (!existsSync(path)) execFileSync('mkfifo', ['-m', '666', path])
    return path
  }

  /** Stops and removes everything, then this directory. */
  async close(): Promise<void> {
    for (const runtime of this.#open) await runtime.close()
    const last = this.runtime()
    for (const { sandbox, containers } of await last.listPods()) {
      for (const { id } of containers) await last.stopContainer(id, { graceMs: 0 })
      await last.removeSandbox(sandbox.podUid)
    }
    await last.close()
    const owner = `test-${createHash('sha256').update(this.rootDir).digest('hex').slice(0, 8)}`
    const left = listOr('/sys/fs/cgroup').map((name) => `/sys/fs/cgroup/${name}/biplane/${owner}`)
    if (left.some((dir) => existsSync(dir))) throw new Error(`cgroups are left over: ${left.filter((dir) => existsSync(dir)).join(' ')}`)
    rmSync(this.dir, { recursive: true })
  }
}

function listOr(dir: string): readonly string[] {
  return existsSync(dir) ? ['.', ...readdirSync(dir)] : []
}

/** Waits, for at most 10 s, until `test` holds; says what was there when it never does. */
export async function until<T>(read: () => T | Promise<T>, test: (value: T) => boolean): Promise<T> {
  for (let tries = 0; ; tries++) {
    const value = await read()
    if (test(value)) return value
    if (tries === 1000) throw new Error(`still ${JSON.stringify(value)} after 10 s`)
    await sleep(systemClock, 10)
  }
}

/** Waits until the container has ended. */
export async function ended(runtime: Runtime, id: string): Promise<ContainerStatus> {
  const status = await until(
    () => runtime.status(id),
    (value) => value?.state === 'exited',
  )
  return status as ContainerStatus
}

export async function logsOf(runtime: Runtime, id: string, options: LogOptions = {}): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of runtime.logs(id, options, new AbortController().signal)) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

/** Runs a command as a container to its end and gives what it printed. */
export async function output(
  fixture: RuntimeFixture,
  runtime: Runtime,
  command: readonly string[],
  options: Partial<ResolvedContainer> = {},
): Promise<string> {
  const id = await fixture.start(runtime, command, options)
  await ended(runtime, id)
  return logsOf(runtime, id)
}
