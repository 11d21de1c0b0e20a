import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ContainerStatus, ResolvedContainer } from '../../runtime.ts'
import {
  type Claim,
  decideState,
  type Exit,
  formatExit,
  LOST_EXIT,
  parseClaim,
  parseExit,
  parseProgram,
  type StateDecision,
} from './container-state.ts'
import { type ContainerKey, containerId } from './layout.ts'
import type { Surroundings } from './launch.ts'
import { isAlive, type ProcessIdentity } from './proc.ts'
import { readJsonState, readState, writeState } from './state-file.ts'

/** What createContainer leaves on disk for ever: nothing else is needed to start the container or to run commands beside it. */
export interface ContainerConfig {
  readonly container: ResolvedContainer
  readonly command: readonly string[]
  readonly surroundings: Surroundings
  readonly createdAtMs: number
}

/** One start of a container. Its files are written once and never change, so what has been read is kept. */
export class ContainerRecord {
  readonly key: ContainerKey
  readonly id: string
  readonly dir: string
  readonly config: ContainerConfig
  readonly #bootId: string
  #claim: Claim | undefined
  #program: ProcessIdentity | undefined
  #startedAtMs: number | undefined
  #exit: Exit | undefined
  #finishedAtMs: number | undefined
  #state: StateDecision = 'created'

  constructor(key: ContainerKey, dir: string, options: { readonly config: ContainerConfig; readonly bootId: string }) {
    this.key = key
    this.id = containerId(key)
    this.dir = dir
    this.config = options.config
    this.#bootId = options.bootId
  }

  /** Reads a container from its directory; undefined when its creation was not finished. */
  static load(key: ContainerKey, dir: string, bootId: string): ContainerRecord | undefined {
    const config = readJsonState<ContainerConfig>(join(dir, 'config.json'))
    if (!config) return undefined
    const record = new ContainerRecord(key, dir, { config, bootId })
    record.refresh()
    return record
  }

  get claim(): Claim | undefined {
    return this.#claim
  }

  /** The running program; also known after its end. */
  get program(): ProcessIdentity | undefined {
    return this.#program
  }

  get exit(): Exit | undefined {
    return this.#exit
  }

  get isRunning(): boolean {
    return this.#state === 'running'
  }

  get hasEnded(): boolean {
    return this.#state === 'exited'
  }

  /** Started, but perhaps not yet to the point where the program runs. */
  get isStarted(): boolean {
    return this.#state !== 'created' && this.#state !== 'exited'
  }

  /** Reads what has become true meanwhile. @returns whether the state differs from before */
  refresh(): boolean {
    const before = this.#state
    if (before === 'exited') return false
    this.#read()
    this.#state = this.#decide()
    if (this.#state === 'lost') {
      // the shim may have written its last word before it went
      this.#read()
      if (!this.#exit) this.finish(LOST_EXIT)
      this.#state = 'exited'
    }
    return this.#state !== before
  }

  /** Writes down how the container ended, in place of its shim. */
  finish(exit: Exit): void {
    this.#state = 'exited'
    try {
      writeState(join(this.dir, 'exit'), formatExit(exit))
      this.#read()
    } catch {
      // a full disk must not keep an ended container alive: it stays ended in memory, and the next agent finds it lost again
      this.#exit = exit
      this.#finishedAtMs = modifiedAt(this.dir)
    }
  }

  /** Makes sure that no shim can start the container any more. @returns false when one has already */
  forbidStart(): boolean {
    try {
      writeFileSync(join(this.dir, 'claim'), '1 0 never\n', { flag: 'wx' })
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
      throw error
    }
  }

  status(): ContainerStatus {
    const { key, config } = this
    const running = this.#state === 'running'
    return {
      id: this.id,
      podUid: key.podUid,
      name: key.name,
      restartCount: key.restartCount,
      image: config.container.image,
      state: this.#state === 'exited' ? 'exited' : running ? 'running' : 'created',
      createdAtMs: config.createdAtMs,
      ...(running && this.#program ? { pid: this.#program.pid } : {}),
      ...(this.#startedAtMs === undefined ? {} : { startedAtMs: this.#startedAtMs }),
      ...(this.#exit && this.#finishedAtMs !== undefined ? { finishedAtMs: this.#finishedAtMs, ...this.#exit } : {}),
    }
  }

  #decide(): StateDecision {
    return decideState({ claim: this.#claim, program: this.#program, exit: this.#exit, bootId: this.#bootId, isAlive })
  }

  #read(): void {
    this.#claim ??= parseClaim(readState(join(this.dir, 'claim')))
    if (this.#claim && !this.#program) {
      this.#program = parseProgram(readState(join(this.dir, 'pid')))
      if (this.#program) this.#startedAtMs = modifiedAt(join(this.dir, 'pid'))
    }
    if (this.#exit) return
    this.#exit = parseExit(readState(join(this.dir, 'exit')))
    if (this.#exit) this.#finishedAtMs = modifiedAt(join(this.dir, 'exit'))
  }
}

function modifiedAt(path: string): number {
  return Math.floor(statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0)
}
