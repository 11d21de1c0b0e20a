import type { Clock, Timer } from '../../../base/clock.ts'
import type { BfdState } from '../../../protocols/bfd/index.ts'

export interface PathGuardOptions {
  readonly clock: Clock
  /** After so long without BFD a session that began on an old word of it ends after all. */
  readonly patienceMs: number
  /** The path of the BGP session is dead. */
  readonly dead: (reason: string, graceful: boolean) => void
}

/**
 * Decides which ends of a BFD session count for the BGP session beside it. A peer whose process was killed comes back faster than BFD notices: its new BGP
 * session is up while the BFD session of its earlier life still runs out here, or is put down by the new one. That says nothing about the
 * path. So BFD counts once it has been up beside this BGP session: it came up after it, or stayed up for a while. Source: RFC 5882 section 4.3.
 */
export class PathGuard {
  readonly #options: PathGuardOptions
  #state: BfdState = 'Down'
  /** BGP is up, and BFD has not proved itself since. */
  #proving: Timer | undefined
  #ignored: { readonly reason: string; readonly graceful: boolean } | undefined

  constructor(options: PathGuardOptions) {
    this.#options = options
  }

  sessionUp(): void {
    this.#proving?.cancel()
    this.#ignored = undefined
    this.#proving = this.#options.clock.after(this.#options.patienceMs, () => this.#proved())
  }

  sessionDown(): void {
    this.#proving?.cancel()
    this.#proving = undefined
    this.#ignored = undefined
  }

  bfdChanged(state: BfdState): void {
    const cameUp = state === 'Up' && this.#state !== 'Up'
    this.#state = state
    if (cameUp) this.sessionDown()
  }

  bfdDown(reason: string, graceful: boolean): void {
    if (this.#proving) this.#ignored = { reason, graceful }
    else this.#options.dead(reason, graceful)
  }

  #proved(): void {
    const ignored = this.#ignored
    this.sessionDown()
    if (ignored && this.#state !== 'Up') this.#options.dead(ignored.reason, ignored.graceful)
  }
}
