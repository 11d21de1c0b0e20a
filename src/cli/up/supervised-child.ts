import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import type { Clock, Timer } from '../../base/clock.ts'
import { decideChild, IDLE, type ChildEvent, type ChildState } from './decide-child.ts'
import { SUPERVISED, type ProgressMessage, type StopMessage } from './supervisor-link.ts'

/** How a child is started; asked anew for each start. */
export interface Launch {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
}

export interface SupervisedChildOptions {
  /** For messages: `control plane`, `node`. */
  readonly role: string
  readonly launch: () => Promise<Launch>
  /** Standard error goes there, also after the supervisor has died. */
  readonly logFile: string
  readonly clock: Clock
  /** Stage at which it counts as working. */
  readonly readyStage: string
  readonly onProgress: (stage: string, detail: string) => void
  /** Told why each life ended that was not asked to. */
  readonly onDied: (how: string, pauseMs: number) => void
}

const KILL_AFTER_MS = 20_000

/** One child of `up`, kept alive until it is stopped. */
export class SupervisedChild {
  readonly #options: SupervisedChildOptions
  #state: ChildState = IDLE
  #process: ChildProcess | undefined
  #timer: Timer | undefined
  #stopWorkloads = false
  #lastDeath = ''
  #resolveEnded: (how: 'done' | 'give-up') => void = () => {}
  /** How it ended for good. */
  readonly ended: Promise<'done' | 'give-up'>

  constructor(options: SupervisedChildOptions) {
    this.#options = options
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve))
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** How its last life ended. */
  get lastDeath(): string {
    return this.#lastDeath
  }

  start(): void {
    this.#handle({ type: 'start' })
  }

  /** Asks it to end, and kills it when it does not. Resolves once it has ended. */
  async stop(options: { readonly stopWorkloads: boolean }): Promise<void> {
    this.#stopWorkloads = options.stopWorkloads
    this.#handle({ type: 'stop' })
    await this.ended
  }

  kill(): void {
    this.#handle({ type: 'kill' })
  }

  #handle(event: ChildEvent): void {
    const [next, actions] = decideChild(this.#state, event, this.#options.clock.monotonic())
    this.#state = next
    for (const action of actions) {
      switch (action.type) {
        case 'spawn':
          void this.#spawn()
          break
        case 'pause':
          this.#options.onDied(this.#lastDeath, action.delayMs)
          this.#after(action.delayMs, { type: 'pause-over' })
          break
        case 'ask-to-end':
          this.#askToEnd()
          break
        case 'kill':
          this.#process?.kill('SIGKILL')
          break
        case 'done':
        case 'give-up':
          this.#timer?.cancel()
          this.#resolveEnded(action.type)
      }
    }
  }

  async #spawn(): Promise<void> {
    const { logFile } = this.#options
    let launched: ChildProcess
    try {
      const { argv, env } = await this.#options.launch()
      const [file = '', ...args] = argv
      const log = openSync(logFile, 'a', 0o600)
      try {
        // a group of its own: Ctrl-C on the terminal reaches the supervisor alone, which then asks for an orderly end
        launched = spawn(file, args, { env: { ...env, [SUPERVISED]: '1' }, detached: true, stdio: ['ignore', log, log, 'ipc'] })
      } finally {
        closeSync(log)
      }
    } catch (error) {
      this.#died(error instanceof Error ? error.message : String(error))
      return
    }
    this.#process = launched
    launched.on('message', (message: Partial<ProgressMessage> | null) => {
      if (message?.type !== 'progress') return
      if (message.stage === this.#options.readyStage) this.#handle({ type: 'ready' })
      this.#options.onProgress(message.stage ?? '', message.detail ?? '')
    })
    launched.once('error', (error) => {
      if (launched.pid === undefined) this.#died(error.message)
    })
    launched.once('exit', (code, signal) => this.#died(signal === null ? `exit code ${code}` : `signal ${signal}`))
    // it was asked to stop while it was being made
    if (this.#state.phase === 'stopping') this.#askToEnd()
  }

  #died(how: string): void {
    this.#lastDeath = how
    this.#process = undefined
    this.#handle({ type: 'exited' })
  }

  #askToEnd(): void {
    const child = this.#process
    if (!child) return
    const message: StopMessage = { type: 'stop', stopWorkloads: this.#stopWorkloads }
    child.send(message, (error) => {
      if (error) child.kill('SIGTERM')
    })
    this.#after(KILL_AFTER_MS, { type: 'kill' })
  }

  #after(delayMs: number, event: ChildEvent): void {
    this.#timer?.cancel()
    this.#timer = this.#options.clock.after(delayMs, () => this.#handle(event))
  }
}
