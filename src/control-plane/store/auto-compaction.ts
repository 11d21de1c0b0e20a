import type { Clock, Timer } from '../../base/clock.ts'

export interface CompactionOptions {
  /** How much history stays readable at least. Default 5 minutes, as kube-apiserver keeps. */
  readonly retentionMs?: number
  /** How often to compact. Default 1 minute. */
  readonly intervalMs?: number
}

const DEFAULT_RETENTION_MS = 5 * 60_000
const DEFAULT_INTERVAL_MS = 60_000

interface Sample {
  readonly atMs: number
  readonly revision: bigint
}

/** The newest revision that was current at least `retentionMs` ago, and the samples still needed. */
export function planCompaction(
  samples: readonly Sample[],
  nowMs: number,
  retentionMs: number,
): { readonly revision: bigint | undefined; readonly keep: readonly Sample[] } {
  const due = samples.filter((sample) => sample.atMs <= nowMs - retentionMs)
  return { revision: due.at(-1)?.revision, keep: samples.slice(due.length) }
}

/** Compacts on a timer, so that history spans `retentionMs` to `retentionMs + intervalMs`. Time is counted from the start of the process. */
export class AutoCompaction {
  readonly #clock: Clock
  readonly #retentionMs: number
  readonly #intervalMs: number
  readonly #revision: () => bigint
  readonly #compact: (revision: bigint) => void
  #samples: readonly Sample[] = []
  #timer: Timer | undefined

  constructor(clock: Clock, options: CompactionOptions, store: { revision: () => bigint; compact: (revision: bigint) => void }) {
    this.#clock = clock
    this.#retentionMs = options.retentionMs ?? DEFAULT_RETENTION_MS
    this.#intervalMs = options.intervalMs ?? DEFAULT_INTERVAL_MS
    this.#revision = store.revision
    this.#compact = store.compact
  }

  start(): void {
    this.#samples = [...this.#samples, { atMs: this.#clock.monotonic(), revision: this.#revision() }]
    this.#timer = this.#clock.after(this.#intervalMs, () => this.#tick())
  }

  close(): void {
    this.#timer?.cancel()
  }

  #tick(): void {
    const { revision, keep } = planCompaction(this.#samples, this.#clock.monotonic(), this.#retentionMs)
    this.#samples = keep
    if (revision !== undefined) this.#compact(revision)
    this.start()
  }
}
