import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import { dataLayout } from '../../src/cli/compose/layout.ts'
import { accessOf, createClient, createHttpsTransport, parseKubeconfig, type Client, type Transport } from '../../src/client/index.ts'
import { createJoinTokens, formatJoinToken } from '../../src/control-plane/pki/join-tokens.ts'
import { createProcessRuntime } from '../../src/data-plane/node/runtimes/process/index.ts'

const READY_MS = 30_000
type Role = 'control-plane' | 'node'

/** A cluster of two processes on this machine, control plane and one node, each of which may be killed and started again. */
export class Processes {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'biplane-agent-'))
  readonly nodeName: string = `n${process.pid}`
  /** Services of tests that run beside this one have other addresses. */
  readonly #serviceCidr = `127.${128 + (process.pid % 100)}.0.0/16`
  readonly #bundle: string
  readonly #running = new Map<Role, ChildProcess>()
  readonly #transports: Transport[] = []
  /** What the processes said on standard error. */
  log = ''

  constructor() {
    // containers run as another user, who must get through
    chmodSync(this.dir, 0o711)
    // below node_modules, where the bundle finds lmdb
    this.#bundle = join(
      fileURLToPath(new URL('../..', import.meta.url)).split('/node_modules/')[0] ?? '',
      'node_modules/.cache/biplane',
      `agent-${process.pid}`,
    )
  }

  get kubeconfig(): string {
    return dataLayout(this.dir).adminKubeconfig
  }

  async bundle(root: string): Promise<void> {
    mkdirSync(this.#bundle, { recursive: true })
    const entry = 'test/node-agent-support/program.ts'
    const options = {
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      packages: 'external',
      logLevel: 'warning',
    } as const
    await build({ absWorkingDir: root, entryPoints: [entry], outdir: this.#bundle, outExtension: { '.js': '.mjs' }, ...options })
  }

  /** Starts a process and waits until it is ready, or only until it runs when what it needs is away. */
  async start(role: Role, options: { readonly awaitReady?: boolean } = {}): Promise<ChildProcess> {
    const args = [join(this.#bundle, 'program.mjs'), role, this.dir, role === 'node' ? this.nodeName : this.#serviceCidr]
    const env = { ...process.env, ...(role === 'node' ? { BIPLANE_TOKEN: await this.#token() } : {}) }
    const child = spawn(process.execPath, ['--cpu-prof','--cpu-prof-dir=/tmp/sp/me/prof', ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] })
    this.#running.set(role, child)
    child.stderr.on('data', (text: Buffer) => (this.log += text.toString()))
    if (options.awaitReady === false) return child
    const ended = once(child, 'exit').then(() => Promise.reject(new Error(`${role} ended: ${this.log}`)))
    const late = new Promise((_resolve, reject) =>
      setTimeout(() => reject(new Error(`${role} is not ready: ${this.log}`)), READY_MS).unref(),
    )
    await Promise.race([once(child.stdout, 'data'), ended, late])
    ended.catch(() => {})
    return child
  }

  async kill(role: Role, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#running.get(role)
    this.#running.delete(role)
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }

  /** CPU milliseconds and resident megabytes of a process so far. */
  async usage(role: Role): Promise<{ readonly cpuMs: number; readonly rssMb: number }> {
    const child = this.#running.get(role)
    if (!child?.stdout || !child.stdin) throw new Error(`no ${role} runs`)
    const answer = once(child.stdout, 'data') as Promise<[Buffer]>
    child.stdin.write('cpu\n')
    return JSON.parse((await answer)[0].toString()) as { cpuMs: number; rssMb: number }
  }

  /** As an administrator. */
  client(): Client {
    const config = parseKubeconfig(readFileSync(this.kubeconfig, 'utf8'), this.kubeconfig)
    const access = accessOf(config, { clock: systemClock, readFile: () => undefined })
    const transport = createHttpsTransport({ ...access, clock: systemClock, random: Math.random })
    this.#transports.push(transport)
    return createClient(transport)
  }

  /** Ends everything, also what runs in pods, and removes every file. */
  async close(): Promise<void> {
    for (const transport of this.#transports) await transport.close()
    for (const role of ['node', 'control-plane'] as const) await this.kill(role, 'SIGTERM')
    const rootDir = dataLayout(this.dir).node(this.nodeName).pods
    const runtime = createProcessRuntime({
      rootDir,
      nodeName: this.nodeName,
      clock: systemClock,
      log: silentLogger,
      podCidr: '127.64.254.0/24',
    })
    for (const { sandbox, containers } of await runtime.listPods()) {
      await Promise.all(containers.map(({ id }) => runtime.stopContainer(id, { graceMs: 0 })))
      await runtime.removeSandbox(sandbox.podUid)
    }
    await runtime.close()
    for (const dir of [this.dir, this.#bundle]) rmSync(dir, { recursive: true, force: true })
  }

  async #token(): Promise<string> {
    return formatJoinToken(await createJoinTokens(dataLayout(this.dir).joinTokens, { clock: systemClock }).create())
  }
}

/** Runs a client with this cluster's kubeconfig. */
export function kubectlOf(binary: string, processes: Processes): (...args: string[]) => Promise<string> {
  return async (...args) => {
    const options = { timeout: 30_000, env: { PATH: process.env['PATH'], HOME: processes.dir } }
    const { stdout } = await promisify(execFile)(binary, ['--kubeconfig', processes.kubeconfig, ...args], options)
    return stdout
  }
}
