import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect } from 'vitest'

/** Tests with unmodified clients: a cluster of real processes, kubectl in several versions, and command lines with what they must print. */

const root = fileURLToPath(new URL('../..', import.meta.url))

interface Clients {
  readonly kubectl: Readonly<Partial<Record<string, string>>>
  readonly helm?: string
}

/** Unmodified clients that could be had on this machine. */
export const clients: Clients = JSON.parse(
  execFileSync(process.execPath, [join(root, 'scripts/test-clients.mjs')], { encoding: 'utf8' }),
) as Clients

export interface TestCluster {
  /** Holds the administrator's kubeconfig; removed at the end. */
  readonly dir: string
  readonly kubeconfig: string
  stop(): Promise<void>
}

/** A cluster for the tests of this file. */
export function useCluster(): () => TestCluster {
  let cluster: TestCluster | undefined
  beforeAll(async () => {
    cluster = await startCluster()
  })
  afterAll(async () => cluster?.stop())
  return () => {
    if (!cluster) throw new Error('the cluster did not start')
    return cluster
  }
}

/** Registers `body` once for each kubectl version; those that this machine has not are skipped with the reason. */
export function forEachKubectl(versions: readonly string[], cluster: () => TestCluster, body: (kubectl: () => Client) => void): void {
  for (const version of versions) {
    const binary = clients.kubectl[version]
    const name = binary ? `kubectl ${version}` : `kubectl ${version} (skipped: this client is not to be had on this machine)`
    describe.skipIf(!binary)(name, () => {
      let kubectl: Client | undefined
      beforeAll(async () => {
        kubectl = new Client(binary ?? '', { cluster: cluster(), namespace: `v${version.replace('.', '-')}` })
        await kubectl.makeNamespace()
      })
      body(() => {
        if (!kubectl) throw new Error('no kubectl')
        return kubectl
      })
    })
  }
}

export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  /** Default 30,000. */
  readonly timeoutMs?: number
}

/** A command line, what it prints (standard output, then standard error: all of it as a string, or a pattern), its exit code (default 0). */
export type Step = readonly [line: string, prints: string | RegExp, code?: number]

/** One client with a home, a folder for manifests and a namespace of its own. */
export class Client {
  readonly namespace: string
  /** Where commands run: manifests lie here. */
  readonly dir: string
  readonly #binary: string
  readonly #env: Readonly<Record<string, string>>

  constructor(binary: string, options: { readonly cluster: TestCluster; readonly namespace: string }) {
    this.#binary = binary
    this.namespace = options.namespace
    this.dir = join(options.cluster.dir, `client-${options.namespace}`)
    mkdirSync(this.dir, { recursive: true })
    const config = JSON.parse(readFileSync(options.cluster.kubeconfig, 'utf8')) as { contexts: { context: { namespace?: string } }[] }
    for (const { context } of config.contexts) context.namespace = options.namespace
    writeFileSync(join(this.dir, 'kubeconfig'), JSON.stringify(config), { mode: 0o600 })
    this.#env = { PATH: process.env['PATH'] ?? '', HOME: this.dir, KUBECONFIG: join(this.dir, 'kubeconfig') }
  }

  /** Makes the namespace unless it is there. */
  async makeNamespace(): Promise<void> {
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: this.namespace } }
    await this.ok('apply -f -', { input: JSON.stringify(namespace) })
  }

  /** Puts a manifest where commands find it by its name. */
  file(name: string, text: string): void {
    writeFileSync(join(this.dir, name), text)
  }

  /** Runs `line`, split at spaces outside of single quotes. */
  run(line: string | readonly string[], options: RunOptions = {}): Promise<Outcome> {
    const child = this.#spawn(line, options)
    return new Promise((resolve, reject) => {
      const [out, err]: [string[], string[]] = [[], []]
      child.stdout?.setEncoding('utf8').on('data', (text: string) => void out.push(text))
      child.stderr?.setEncoding('utf8').on('data', (text: string) => void err.push(text))
      child.on('error', reject)
      child.on('close', (code, signal) => {
        if (signal) return reject(new Error(`${String(line)}: ended by ${signal} after it printed ${out.join('')}${err.join('')}`))
        resolve({ code: code ?? -1, stdout: out.join(''), stderr: err.join('') })
      })
      child.stdin?.end(options.input ?? '')
    })
  }

  /** @returns standard output of a command that must succeed */
  async ok(line: string | readonly string[], options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(line, options)
    if (code !== 0) throw new Error(`kubectl ${String(line)}: exit code ${code}\n${stdout}${stderr}`)
    return stdout
  }

  async json<T>(line: string): Promise<T> {
    return JSON.parse(await this.ok(`${line} -o json`)) as T
  }

  /** Runs the steps in order and compares what they print. */
  async steps(...steps: readonly Step[]): Promise<void> {
    for (const [line, prints, code = 0] of steps) {
      const outcome = await this.run(line)
      const text = (outcome.stdout + outcome.stderr).trim()
      if (typeof prints === 'string') expect(text, line).toBe(prints)
      else expect(text, line).toMatch(prints)
      expect(outcome.code, `exit code of ${line}: ${text}`).toBe(code)
    }
  }

  /** A command that goes on: `get --watch`, `logs -f`. */
  follow(line: string, options: RunOptions = {}): Following {
    return new Following(line, this.#spawn(line, options))
  }

  #spawn(line: string | readonly string[], options: RunOptions): ChildProcess {
    return spawn(this.#binary, typeof line === 'string' ? words(line) : line, {
      cwd: this.dir,
      env: { ...this.#env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: options.timeoutMs ?? 30_000,
    })
  }
}

/** What a command prints while it runs. */
export class Following {
  readonly #line: string
  readonly #child: ChildProcess
  #text = ''
  #listener: (() => void) | undefined

  constructor(line: string, child: ChildProcess) {
    this.#line = line
    this.#child = child
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#text += text
        this.#listener?.()
      })
    }
  }

  get text(): string {
    return this.#text
  }

  /** Waits until all that was printed matches. @throws with what was printed, after `timeoutMs` (default 15,000) */
  async until(pattern: RegExp, timeoutMs = 15_000): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const give = (): void => reject(new Error(`kubectl ${this.#line} did not print ${pattern}, but:\n${this.#text}`))
      const timer = setTimeout(give, timeoutMs)
      this.#listener = () => {
        if (!pattern.test(this.#text)) return
        clearTimeout(timer)
        this.#listener = undefined
        resolve()
      }
      this.#listener()
    })
  }

  async stop(): Promise<void> {
    await endProcess(this.#child, 'SIGKILL')
  }
}

/** Splits at spaces; single quotes hold what is between them together. */
function words(line: string): string[] {
  return [...line.matchAll(/(?:'[^']*'|[^\s'])+/g)].map(([word]) => word.replaceAll("'", ''))
}

async function startCluster(): Promise<TestCluster> {
  const dir = mkdtempSync(join(tmpdir(), 'biplane-kubectl-'))
  // containers run as another user, who must get through to their own files
  chmodSync(dir, 0o711)
  const folder = join(root, 'node_modules/.cache/biplane', `kubectl-cluster-${process.pid}`)
  const children: ChildProcess[] = []
  const stop = async (): Promise<void> => {
    for (const child of children.reverse()) await endProcess(child, 'SIGTERM')
    rmSync(dir, { recursive: true, force: true })
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const file = await bundle(folder)
    for (const role of ['control-plane', 'node']) children.push(await startProcess(file, [role, join(dir, 'data')]))
  } catch (error) {
    await stop()
    throw error
  }
  return { dir, kubeconfig: join(dir, 'data/control-plane/admin.kubeconfig'), stop }
}

async function startProcess(file: string, args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--enable-source-maps', file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  await new Following(args.join(' '), child).until(/^ready$/m, 20_000).catch(async (error: unknown) => {
    await endProcess(child, 'SIGKILL')
    throw error
  })
  return child
}

/** Signals, waits, and after 20 s kills. */
async function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), 20_000)
    child.once('exit', () => {
      clearTimeout(timer)
      resolve()
    })
    child.kill(signal)
  })
}

/** @param folder below node_modules, where the bundle finds lmdb */
async function bundle(folder: string): Promise<string> {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, 'cluster.mjs')
  await build({
    absWorkingDir: root,
    entryPoints: ['test/kubectl-cluster.ts'],
    outfile: file,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    sourcemap: 'inline',
    logLevel: 'warning',
  })
  return file
}
