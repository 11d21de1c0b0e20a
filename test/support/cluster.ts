import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { KubeObject } from '../../src/api/meta/object.ts'
import { childrenOf, commandLineOf, processesWith } from './processes.ts'
import { poll } from './poll.ts'
import { REPOSITORY } from './program.ts'

const STARTS_WITHIN_MS = 60_000
const ENDS_WITHIN_MS = 30_000
const KUBECTL_TIMEOUT_MS = 120_000

export interface ClusterOptions {
  /** Path of kubectl. */
  readonly kubectl: string
  /** Files and directories to apply at the start, relative to the repository. */
  readonly manifests?: readonly string[]
  /** Runs `up` as this user instead of as the test's own. */
  readonly uid?: number
}

/** `biplane up` from dist/ with a data directory of its own, used through kubectl as a user does. */
export class Cluster {
  readonly dir: string
  readonly kubeconfig: string
  readonly #kubectl: string
  readonly #up: ChildProcess
  #output = ''

  private constructor(options: ClusterOptions) {
    this.#kubectl = options.kubectl
    this.dir = mkdtempSync(join(tmpdir(), 'biplane-cluster-'))
    // containers run as another user, who must be able to come here; another uid must be able to write
    chmodSync(this.dir, options.uid === undefined ? 0o755 : 0o777)
    this.kubeconfig = join(this.dir, 'kubeconfig')
    const flags = ['--listen', '127.0.0.1:0', '--data-dir', join(this.dir, 'data'), '--kubeconfig', this.kubeconfig]
    const files = (options.manifests ?? []).flatMap((path) => ['-f', join(REPOSITORY, path)])
    this.#up = spawn(process.execPath, [join(REPOSITORY, 'dist/biplane.js'), 'up', ...flags, ...files], {
      cwd: this.dir,
      env: { PATH: process.env['PATH'], HOME: this.dir, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
    })
    for (const stream of [this.#up.stdout, this.#up.stderr]) stream?.on('data', (chunk) => (this.#output += String(chunk)))
  }

  /** @returns once the API server is ready and a node takes pods */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(options)
    try {
      await poll('cluster is ready', () => cluster.#isReady(), { withinMs: STARTS_WITHIN_MS })
      return cluster
    } catch (error) {
      await cluster.stop().catch(() => {})
      throw new Error(`biplane up did not become ready; it said:\n${cluster.#output}`, { cause: error })
    }
  }

  /** What `up` has printed. */
  get output(): string {
    return this.#output
  }

  /** Runs kubectl. @returns what it prints; rejects with its error text */
  async kubectl(...args: readonly string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(this.#kubectl, ['--kubeconfig', this.kubeconfig, ...args], {
      env: { PATH: process.env['PATH'], HOME: this.dir },
      maxBuffer: 64 * 1024 * 1024,
      timeout: KUBECTL_TIMEOUT_MS,
    })
    return stdout
  }

  async get<T extends KubeObject>(...args: readonly string[]): Promise<T> {
    return JSON.parse(await this.kubectl('get', '-o', 'json', ...args)) as T
  }

  async list<T extends KubeObject>(...args: readonly string[]): Promise<readonly T[]> {
    return (await this.get<KubeObject & { items: readonly T[] }>(...args)).items
  }

  /** `http://address:port` of a service. */
  async serviceUrl(name: string): Promise<string> {
    const { spec } = await this.get<KubeObject & { spec: { clusterIP: string; ports: { port: number }[] } }>('service', name)
    return `http://${spec.clusterIP}:${spec.ports[0]?.port}`
  }

  /** The supervised process whose command line names `role`: `control-plane` or `node`. */
  child(role: string): number | undefined {
    return childrenOf(this.#up.pid ?? -1).find((pid) => commandLineOf(pid).includes(role))
  }

  /** Processes of a pod's containers, found by the variable that each has. */
  pidsOf(pod: KubeObject): readonly number[] {
    return processesWith(`BIPLANE_POD_UID=${pod.metadata.uid}`).filter((pid) => !commandLineOf(pid).includes('/shim-'))
  }

  /** Ends `up` as Ctrl-C does, and whatever is left of it by force. @throws Error when something was left */
  async stop(): Promise<void> {
    const ended = new Promise((resolve) => {
      if (this.#up.exitCode !== null || this.#up.signalCode !== null) resolve(true)
      else this.#up.once('exit', resolve)
    })
    this.#up.kill('SIGINT')
    const inTime = await Promise.race([ended.then(() => true), delay(ENDS_WITHIN_MS, false, { ref: false })])
    const left = new Set(inTime ? [] : [this.#up.pid ?? -1, ...childrenOf(this.#up.pid ?? -1)])
    for (const pid of processesWith(`${this.dir}/data`)) left.add(pid)
    const names = [...left].map((pid) => `${pid} ${commandLineOf(pid)}`)
    for (const pid of left) {
      try {
        if (pid > 0) process.kill(pid, 'SIGKILL')
      } catch {
        // ended by itself meanwhile
      }
    }
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
    if (!inTime) throw new Error(`biplane up did not end within ${ENDS_WITHIN_MS} ms of SIGINT; it said:\n${this.#output}`)
    if (names.length > 0) throw new Error(`biplane up left processes behind:\n${names.join('\n')}\nit said:\n${this.#output}`)
  }

  async #isReady(): Promise<true | undefined> {
    if (this.#up.exitCode !== null) throw new Error(`biplane up ended with exit code ${this.#up.exitCode}`)
    if (!existsSync(this.kubeconfig) || readFileSync(this.kubeconfig, 'utf8') === '') return undefined
    await this.kubectl('get', '--raw', '/readyz')
    await this.kubectl('wait', '--for=condition=Ready', 'node', '--all', '--timeout=10s')
    return true
  }
}
