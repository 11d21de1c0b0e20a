import type { Upstream } from './plan-forwarding.ts'

interface Health {
  readonly failures: number
  /** Monotonic: not asked first before. */
  readonly downUntilMs: number
}

const FIRST_DOWN_MS = 500
const LONGEST_DOWN_MS = 15_000
/** One lost datagram says nothing yet. */
const FAILURES_UNTIL_DOWN = 2

/** What is known of servers that answer and servers that do not. Those that were down are tried again by a question of a client. */
export class UpstreamHealth {
  readonly #known = new Map<string, Health>()

  isDown(upstream: Upstream, nowMs: number): boolean {
    return (this.#known.get(keyOf(upstream))?.downUntilMs ?? 0) > nowMs
  }

  succeeded(upstream: Upstream): void {
    this.#known.delete(keyOf(upstream))
  }

  failed(upstream: Upstream, nowMs: number): void {
    const failures = (this.#known.get(keyOf(upstream))?.failures ?? 0) + 1
    const over = failures - FAILURES_UNTIL_DOWN
    const downUntilMs = over < 0 ? 0 : nowMs + Math.min(FIRST_DOWN_MS * 2 ** over, LONGEST_DOWN_MS)
    this.#known.set(keyOf(upstream), { failures, downUntilMs })
  }

  /** In what order to ask: those that answer by chance, those that are down behind. */
  order(upstreams: readonly Upstream[], nowMs: number, random: () => number): readonly Upstream[] {
    const weighed = upstreams.map((upstream) => ({ upstream, weight: random() + (this.isDown(upstream, nowMs) ? 1 : 0) }))
    return weighed.sort((a, b) => a.weight - b.weight).map(({ upstream }) => upstream)
  }
}

export const keyOf = ({ host, port }: Upstream): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)
