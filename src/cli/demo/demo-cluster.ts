import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { sleep } from '../../base/clock.ts'
import { isConditionTrue } from '../../api/conditions.ts'
import type { Pod } from '../../api/generated/types.ts'
import { nodes } from '../../api/core/v1/node.ts'
import { pods } from '../../api/core/v1/pod.ts'
import { services } from '../../api/core/v1/service.ts'
import { Layout } from '../../data-plane/node/runtimes/process/layout.ts'
import { dataLayout } from '../compose/layout.ts'
import { connect, type Session } from '../connect.ts'
import type { CliContext } from '../context.ts'
import { CliError } from '../errors/cli-error.ts'

const POLL_MS = 100
const START_MS = 30_000
/** Longer than `up` takes to kill what does not end. */
const STOP_MS = 30_000
const OUTPUT_LIMIT = 64 * 1024

/** The cluster of the tour: `biplane up` as a child process, and ways to use it. */
export class DemoCluster {
  readonly dataDir: string
  readonly #context: CliContext
  readonly #signal: AbortSignal
  #up: ChildProcess | undefined
  #upOutput = ''
  #session: Session | undefined

  constructor(context: CliContext, dataDir: string, signal: AbortSignal) {
    this.#context = context
    this.dataDir = dataDir
    this.#signal = signal
  }

  get kubeconfig(): string {
    return dataLayout(this.dataDir).adminKubeconfig
  }

  /** Starts it and waits until its node is Ready. @param args of `biplane up` */
  async start(args: readonly string[]): Promise<void> {
    const up = this.#spawn(['up', ...args])
    this.#up = up
    const keep = (chunk: Buffer): void => void (this.#upOutput = (this.#upOutput + chunk.toString()).slice(-OUTPUT_LIMIT))
    up.stdout?.on('data', keep)
    up.stderr?.on('data', keep)
    await this.until('the cluster is ready', START_MS, async () => {
      if (up.exitCode !== null) throw new CliError('the cluster of the tour did not start', { why: this.#upOutput.trim() })
      const session = this.#open()
      const { items } = (await session?.client.of(nodes).list()) ?? { items: [] }
      return items.some((node) => isConditionTrue(node.status?.conditions, 'Ready'))
    })
  }

  /** Ends it and waits for that. */
  async stop(): Promise<void> {
    await this.#session?.[Symbol.asyncDispose]()
    const up = this.#up
    if (!up || up.exitCode !== null || up.signalCode !== null) return
    const ended = new Promise((resolve) => up.once('exit', resolve))
    up.kill('SIGINT')
    const timer = this.#context.clock.after(STOP_MS, () => up.kill('SIGKILL'))
    await ended
    timer.cancel()
  }

  kill(): void {
    this.#up?.kill('SIGTERM')
  }

  /** Runs a command of biplane in this cluster. Its error output is part of the output. */
  async command(args: readonly string[]): Promise<{ readonly exitCode: number; readonly output: string }> {
    const child = this.#spawn(args)
    let output = ''
    const keep = (chunk: Buffer): void => void (output += chunk.toString())
    child.stdout?.on('data', keep)
    child.stderr?.on('data', keep)
    const exitCode = await new Promise<number>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code) => resolve(code ?? 1))
    })
    this.#signal.throwIfAborted()
    return { exitCode, output }
  }

  /** Waits until something is so, looking every 100 ms; errors count as not yet. @returns milliseconds it took */
  async until(what: string, limitMs: number, check: () => Promise<boolean>): Promise<number> {
    const { clock } = this.#context
    const startedAtMs = clock.monotonic()
    const alive = setInterval(() => {}, 1_000)
    try {
      for (;;) {
        this.#signal.throwIfAborted()
        const done = await check().catch((error: unknown) => {
          if (error instanceof CliError) throw error
          return false
        })
        const tookMs = clock.monotonic() - startedAtMs
        if (done) return tookMs
        if (tookMs > limitMs) throw new CliError(`the tour waited ${limitMs / 1000} s in vain until ${what}`)
        await sleep(clock, POLL_MS, this.#signal)
      }
    } finally {
      clearInterval(alive)
    }
  }

  /** Address of a service in namespace default. */
  async serviceUrl(name: string): Promise<string> {
    const service = await this.#opened().client.of(services).get(name, { namespace: 'default' })
    return `http://${service.spec?.clusterIP}:${service.spec?.ports?.[0]?.port}`
  }

  /** Pods with a label `app`, in namespace default. */
  async pods(app: string): Promise<readonly Pod[]> {
    return (
      await this.#opened()
        .client.of(pods)
        .list({ namespace: 'default', labelSelector: `app=${app}` })
    ).items
  }

  /** Process number of the first container of a pod. */
  processOf({ metadata, spec, status }: Pod): number {
    const container = status?.containerStatuses?.[0]
    const layout = new Layout(dataLayout(this.dataDir).node(spec?.nodeName ?? '').pods)
    const key = { podUid: metadata.uid ?? '', name: container?.name ?? '', restartCount: container?.restartCount ?? 0 }
    return Number(readFileSync(join(layout.container(key), 'pid'), 'utf8').split(' ')[0])
  }

  /** The body of a GET over a connection of its own. */
  get(url: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const asked = request(url, { agent: false, timeout: 3_000 }, (response) => {
        let body = ''
        response.on('data', (chunk: Buffer) => (body += chunk.toString()))
        response.once('end', () => (response.statusCode === 200 ? resolve(body) : reject(new Error(`status ${response.statusCode}`))))
        response.once('error', reject)
      })
      asked.once('timeout', () => asked.destroy(new Error('no answer')))
      asked.once('error', reject)
      asked.end()
    })
  }

  /** Asks again and again until told to stop. */
  traffic(url: string): { stop(): Promise<{ readonly sent: number; readonly failed: number }> } {
    const state = { sent: 0, failed: 0, stopping: false }
    const loop = (async () => {
      while (!state.stopping && !this.#signal.aborted) {
        state.sent++
        await this.get(url).catch(() => state.failed++)
        await sleep(this.#context.clock, 20)
      }
    })()
    return {
      stop: async () => {
        state.stopping = true
        await loop
        return state
      },
    }
  }

  #open(): Session | undefined {
    try {
      this.#session ??= connect(this.#context, { kubeconfig: this.kubeconfig })
    } catch {
      // not written yet
    }
    return this.#session
  }

  #opened(): Session {
    const session = this.#open()
    if (!session) throw new CliError('the cluster of the tour is gone', { why: this.#upOutput.trim() })
    return session
  }

  #spawn(args: readonly string[]): ChildProcess {
    const [file = '', ...rest] = this.#context.self
    // a group of its own: Ctrl-C is for the tour, which then ends its cluster
    return spawn(file, [...rest, ...args], {
      env: { ...this.#context.env, KUBECONFIG: this.kubeconfig, NO_COLOR: '1' },
      cwd: this.#context.cwd,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  }
}
