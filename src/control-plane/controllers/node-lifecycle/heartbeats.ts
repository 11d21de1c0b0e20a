import type { Clock } from '../../../base/clock.ts'

/**
 * When each node was last heard of, by our own clock: theirs may be wrong. A sign of life is a value that has changed: the
 * time in its Lease, or the heartbeat time of its Ready condition.
 */
export class Heartbeats {
  readonly #clock: Clock
  readonly #heard = new Map<string, { readonly signs: Record<string, string>; atMs: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** @param source which of a node's signs this is: each is compared with its own last value */
  hear(node: string, source: 'lease' | 'status', sign: string | undefined): void {
    if (sign === undefined) return
    const known = this.#heard.get(node)
    if (known?.signs[source] === sign) return
    this.#heard.set(node, { signs: { ...known?.signs, [source]: sign }, atMs: this.#clock.monotonic() })
  }

  /** A node not heard of before is silent from now on. */
  silentForMs(node: string): number {
    const now = this.#clock.monotonic()
    const known = this.#heard.get(node)
    if (!known) this.#heard.set(node, { signs: {}, atMs: now })
    return now - (known?.atMs ?? now)
  }

  forget(node: string): void {
    this.#heard.delete(node)
  }

  /** Every silence begins now. */
  startAnew(): void {
    for (const known of this.#heard.values()) known.atMs = this.#clock.monotonic()
  }
}
