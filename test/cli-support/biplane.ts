import { spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { childrenOf, commandLineOf, processesWith } from '../support/processes.ts'
import { poll } from '../support/poll.ts'
import { REPOSITORY } from '../support/program.ts'

const COMMAND_LIMIT_MS = 60_000

/** Commands that fall back on a default data directory. */
const OWNS_DATA = new Set(['up', 'down', 'control-plane', 'node', 'token'])

export interface Ended {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A home directory of its own in which the built command is run. */
export class Home {
  readonly dir: string
  readonly dataDir: string
  readonly kubeconfig: string

  constructor() {
    this.dir = mkdtempSync(join(tmpdir(), 'biplane-cli-'))
    // containers run as another user, who must be able to come here
    chmodSync(this.dir, 0o755)
    this.dataDir = join(this.dir, 'data')
    this.kubeconfig = join(this.dir, '.kube', 'config')
  }

  write(name: string, text: string): string {
    const path = join(this.dir, name)
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(path, text)
    return path
  }

  /** Runs a command to its end. */
  async run(...args: readonly string[]): Promise<Ended> {
    const started = this.start(...args)
    return started.ended
  }

  start(...args: readonly string[]): Running {
    // the default directory of the user who runs the tests is not ours to touch
    if (OWNS_DATA.has(args[0] ?? '') && !args.includes('--data-dir')) throw new Error(`test of "${args[0]}" must name its --data-dir`)
    return new Running(this, args)
  }

  /** Processes that have anything to do with the data directory. */
  processes(): readonly number[] {
    return processesWith(this.dataDir)
  }

  /** Kills what is left and removes the directory. @returns the command lines of what was left */
  remove(): readonly string[] {
    const left = this.processes()
    const names = left.map((pid) => `${pid} ${commandLineOf(pid)}`)
    for (const pid of left) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // ended by itself meanwhile
      }
    }
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
    return names
  }
}

/** A command that runs. */
export class Running {
  readonly ended: Promise<Ended>
  readonly #child: ChildProcess
  readonly #home: Home
  #stdout = ''
  #stderr = ''

  constructor(home: Home, args: readonly string[]) {
    this.#home = home
    const child = spawn(process.execPath, [join(REPOSITORY, 'dist/biplane.js'), ...args], {
      cwd: home.dir,
      env: { PATH: process.env['PATH'], HOME: home.dir, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    child.stdout.on('data', (chunk) => (this.#stdout += String(chunk)))
    child.stderr.on('data', (chunk) => (this.#stderr += String(chunk)))
    const limit = setTimeout(() => child.kill('SIGKILL'), args[0] === 'up' || args[0] === 'demo' ? 3 * COMMAND_LIMIT_MS : COMMAND_LIMIT_MS)
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (exitCode) => {
        clearTimeout(limit)
        resolve({ exitCode, stdout: this.#stdout, stderr: this.#stderr })
      })
    })
  }

  get pid(): number {
    return this.#child.pid ?? -1
  }

  get output(): string {
    return this.#stdout + this.#stderr
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** Waits until the output has `text`. */
  async says(text: string | RegExp, withinMs = 60_000): Promise<void> {
    const find = (): true | undefined => {
      const found = typeof text === 'string' ? this.output.includes(text) : text.test(this.output)
      if (!found && this.#child.exitCode !== null) throw new Error(`it ended with exit code ${this.#child.exitCode}: ${this.output}`)
      return found ? true : undefined
    }
    await poll(`"${String(text)}" in ${this.output}`, find, { withinMs })
  }

  /** The supervised child of this role, once there is one other than `not`. */
  child(role: 'control-plane' | 'node', not?: number): Promise<number> {
    // by its title, which it takes when it has begun to work
    const title = `biplane ${role} ${this.#home.dataDir}`
    return poll(`child ${role}`, () => childrenOf(this.pid).find((pid) => pid !== not && commandLineOf(pid).trim() === title))
  }
}
