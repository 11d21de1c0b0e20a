import type { Clock, Timer } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import { formatIp } from '../../../base/ip.ts'
import type { Logger } from '../../../base/log.ts'
import type { BfdState } from '../../../protocols/bfd/index.ts'
import type { BfdConfig } from '../config/index.ts'
import type { BfdReport, BfdThread, StartBfdThread } from './bfd-messages.ts'
import type { BfdListener, BfdPaths, BfdTarget, BfdWatch } from './bfd-paths.ts'

export interface ThreadedBfdDependencies {
  readonly start: StartBfdThread
  readonly clock: Clock
  readonly log: Logger
}

/** After a thread has died. */
const RESTART_MS = 1_000
/** How long neighbours may take to be told of the end. */
const CLOSE_MS = 1_000

interface Watched {
  readonly target: BfdTarget
  readonly config: BfdConfig
  readonly listener: BfdListener
  state: BfdState
}

/**
 * BFD sessions in a thread of their own, so that their packets leave in time while this one is at work on routes for longer than a neighbour waits.
 * What the thread finds is heard when this one comes to it. The thread starts with the first watch; one that dies is reported and replaced,
 * with all its sessions.
 */
export class ThreadedBfd implements BfdPaths {
  readonly #dependencies: ThreadedBfdDependencies
  readonly #watches = new Map<number, Watched>()
  #lastId = 0
  #thread: BfdThread | undefined
  /** Of the thread: what an earlier one says does not count. */
  #generation = 0
  #restart: Timer | undefined
  #isClosed = false
  #onClosed: (() => void) | undefined

  constructor(dependencies: ThreadedBfdDependencies) {
    this.#dependencies = dependencies
  }

  /** What is in the way is found out in the thread, and logged. */
  watch(target: BfdTarget, config: BfdConfig, listener: BfdListener): BfdWatch {
    if (this.#isClosed) throw new Error('BFD is closed')
    const id = ++this.#lastId
    const watched: Watched = { target, config, listener, state: 'Down' }
    this.#watches.set(id, watched)
    if (this.#thread) this.#post(this.#thread, id, watched)
    else if (!this.#restart) this.#start()
    return {
      get state() {
        return watched.state
      },
      close: () => {
        if (this.#watches.delete(id)) this.#thread?.post({ kind: 'unwatch', id })
      },
    }
  }

  async close(): Promise<void> {
    const thread = this.#thread
    this.#isClosed = true
    this.#watches.clear()
    this.#restart?.cancel()
    this.#thread = undefined
    if (!thread) return
    await new Promise<void>((resolve) => {
      const timer = this.#dependencies.clock.after(CLOSE_MS, resolve)
      this.#onClosed = () => {
        timer.cancel()
        resolve()
      }
      thread.post({ kind: 'close' })
    })
    await thread.end()
  }

  #start(): void {
    const generation = ++this.#generation
    this.#restart = undefined
    const ifCurrent =
      <T>(fn: (value: T) => void) =>
      (value: T): void => {
        if (generation === this.#generation) fn(value)
      }
    const onReport = ifCurrent((report: BfdReport) => this.#heard(report))
    const onEnd = ifCurrent((reason: string) => this.#ended(reason))
    try {
      const thread = this.#dependencies.start({ report: onReport, ended: onEnd })
      this.#thread = thread
      for (const [id, watched] of this.#watches) this.#post(thread, id, watched)
    } catch (error) {
      this.#ended(messageOf(error))
    }
  }

  #post(thread: BfdThread, id: number, { target: { address, device }, config }: Watched): void {
    thread.post({ kind: 'watch', id, address, ...(device === undefined ? {} : { device }), config })
  }

  #heard(report: BfdReport): void {
    const { log } = this.#dependencies
    switch (report.kind) {
      case 'log':
        return log[report.level](report.message, report.fields)
      case 'closed':
        return this.#onClosed?.()
      case 'failed': {
        const watched = this.#watches.get(report.id)
        if (watched) log.error('the path cannot be watched', { neighbor: formatIp(watched.target.address), error: report.error })
        return
      }
      case 'down':
        return this.#watches.get(report.id)?.listener.down(report.reason, report.graceful)
      case 'changed':
        return this.#changed(this.#watches.get(report.id), report.state)
    }
  }

  #changed(watched: Watched | undefined, state: BfdState): void {
    if (!watched || watched.state === state) return
    watched.state = state
    watched.listener.changed(state)
  }

  #ended(reason: string): void {
    this.#thread = undefined
    this.#onClosed?.()
    if (this.#isClosed) return
    const { clock, log } = this.#dependencies
    log.error('the thread of BFD has ended, another one is started', { reason, paths: this.#watches.size, afterMs: RESTART_MS })
    this.#restart = clock.after(RESTART_MS, () => this.#start())
    // nobody watches: that says nothing about the path
    for (const watched of this.#watches.values()) this.#changed(watched, 'Down')
  }
}
