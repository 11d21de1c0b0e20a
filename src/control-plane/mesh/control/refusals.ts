import type { Clock, Timer } from '../../../base/clock.ts'
import { originName, type Origin } from '../../../policy/traffic/model/index.ts'
import type { ClientKind } from '../xds/index.ts'
import type { Quarantine } from './quarantine.ts'

/** One refusal, of as many proxies as there are. */
export interface Refusal {
  readonly origins: readonly Origin[]
  readonly kind: ClientKind
  readonly reason: string
}

export interface RefusalsOptions {
  readonly clock: Clock
  readonly quarantine: Quarantine
  /** Whether a proxy refuses what comes from an object as it is to be now. Costs a look at all proxies. */
  readonly isRefused: (origin: Origin) => boolean
  /** Something else is left out now. */
  readonly onChange: (because: Refusal) => void
}

const JUDGE_MS = 50
/** Different refusals that are judged together. */
const MAX_WAITING = 64

/** Judges what proxies refuse: thousands of them refuse the same within a moment, so that not each of their answers is looked at. */
export class Refusals {
  readonly #options: RefusalsOptions
  readonly #waiting = new Map<string, Refusal>()
  #timer: Timer | undefined

  constructor(options: RefusalsOptions) {
    this.#options = options
  }

  note(refusal: Refusal): void {
    const key = `${refusal.kind} ${refusal.origins.map(originName).join()}`
    if (this.#waiting.size < MAX_WAITING || this.#waiting.has(key)) this.#waiting.set(key, refusal)
    this.#timer ??= this.#options.clock.after(JUDGE_MS, () => this.#judge())
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #judge(): void {
    this.#timer = undefined
    const { quarantine, isRefused, onChange } = this.#options
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const refusal of waiting) {
      const { origins, kind, reason } = refusal
      // what has changed meanwhile is not what was refused
      if (origins.some(isRefused) && quarantine.refused(origins, kind, reason)) onChange(refusal)
    }
  }
}
