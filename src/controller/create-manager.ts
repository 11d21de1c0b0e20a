import { backoffMs, type Random } from '../base/backoff.ts'
import { sleep, type Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import { sharedSignal } from '../base/shared-signal.ts'
import type { Client } from '../client/client.ts'
import { createInformerFactory, type RunnableInformerFactory } from '../client/informer-factory.ts'
import { runAsLeader, type LeaderElectionOptions } from '../client/leader-election.ts'
import type { ControllerOptions, EventRecorder, Manager } from './contract.ts'
import { ControllerRunner } from './controller-runner.ts'
import { EventSink } from './event-recorder.ts'

export interface ManagerOptions {
  readonly client: Client
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
  /** Such as `Math.random`. */
  readonly random: Random
  /** Default: informers of its own. Ones that are shared are still run by this manager. */
  readonly informers?: RunnableInformerFactory
  /** Controllers and tasks wait for this lease. Default: they start at once. */
  readonly leaderElection?: Omit<LeaderElectionOptions, 'client' | 'clock' | 'log' | 'random'>
  /** `source.host` of recorded events. */
  readonly host?: string
}

/** Error of a manager. Match on `code`. */
export class ManagerError extends Error {
  override readonly name = 'ManagerError'
  readonly code = 'AlreadyRunning'
}

/** How often a manager says which informers it waits for. */
const SYNC_REPORT_MS = 10_000
/** A background task that failed is started again after these delays. */
const TASK_BACKOFF = { baseMs: 1_000, maxMs: 30_000, jitter: 0.1 }

/** A manager without controllers yet. Informers run from the start, so that a new leader has warm caches. */
export function createManager(options: ManagerOptions): Manager {
  return new ControllerManager(options)
}

class ControllerManager implements Manager {
  readonly client: Client
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
  readonly informers: RunnableInformerFactory
  readonly #options: ManagerOptions
  readonly #events: EventSink
  readonly #controllers: ControllerRunner[] = []
  readonly #tasks: { readonly name: string; readonly run: (signal: AbortSignal) => Promise<void> }[] = []

  #running = false

  constructor(options: ManagerOptions) {
    this.#options = options
    this.client = options.client
    this.clock = options.clock
    this.log = options.log
    this.metrics = options.metrics
    this.informers = options.informers ?? createInformerFactory(options)
    this.#events = new EventSink(options)
  }

  recorder(component: string): EventRecorder {
    return this.#events.recorder(component)
  }

  addController(options: ControllerOptions): void {
    if (this.#running) throw new ManagerError(`controller ${options.name}: add it before the manager runs`)
    this.#controllers.push(new ControllerRunner(options, this))
  }

  addTask(name: string, run: (signal: AbortSignal) => Promise<void>): void {
    if (this.#running) throw new ManagerError(`task ${name}: add it before the manager runs`)
    this.#tasks.push({ name, run })
  }

  async run(signal: AbortSignal): Promise<void> {
    if (this.#running) throw new ManagerError('the manager runs already')
    this.#running = true
    // aborts with the signal, and also when leadership is lost: then everything must end before the error is told
    const ended = new AbortController()
    const stop = sharedSignal(AbortSignal.any([signal, ended.signal]))
    const background = [this.informers.run(stop), this.#events.run(stop)]
    const { leaderElection, random } = this.#options
    const { client, clock, log } = this
    try {
      if (leaderElection) await runAsLeader({ client, clock, log, random, ...leaderElection }, (led) => this.#lead(led), stop)
      else await this.#lead(stop)
    } finally {
      ended.abort(new Error('manager ended'))
      await Promise.all(background)
    }
  }

  async #lead(signal: AbortSignal): Promise<void> {
    if (!(await this.#waitForSync(signal))) return
    const tasks = this.#tasks.map((task) => this.#runTask(task, signal))
    await Promise.all([...this.#controllers.map((controller) => controller.run(signal)), ...tasks])
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  }

  /** @returns false when the signal aborted first */
  async #waitForSync(signal: AbortSignal): Promise<boolean> {
    const synced = this.informers.whenSynced(signal).then(
      () => true,
      () => false,
    )
    const done = new AbortController()
    const report = async (): Promise<void> => {
      while (!done.signal.aborted) {
        await sleep(this.clock, SYNC_REPORT_MS, done.signal).catch(() => {})
        if (!done.signal.aborted) this.log.warn('waiting for informers to sync', { pending: this.informers.pending() })
      }
    }
    const reporting = report()
    const result = await synced
    done.abort(new Error('synced'))
    await reporting
    return result
  }

  async #runTask(
    task: { readonly name: string; readonly run: (signal: AbortSignal) => Promise<void> },
    signal: AbortSignal,
  ): Promise<void> {
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        return await task.run(signal)
      } catch (error) {
        if (signal.aborted) return
        this.log.error('task failed, starting it again', { task: task.name, failures, error })
        await sleep(this.clock, backoffMs(failures, TASK_BACKOFF, this.#options.random), signal).catch(() => {})
      }
    }
  }
}
