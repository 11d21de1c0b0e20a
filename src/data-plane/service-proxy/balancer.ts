import type { Clock } from '../../base/clock.ts'
import type { Backend } from './plan-service-ports.ts'

/** Clients remembered for one service port; the oldest are forgotten first. */
const MAX_CLIENTS = 10_000

/** Round robin over the backends of one service port, with optional client affinity. */
export class Balancer {
  readonly #clock: Clock
  readonly #clients = new Map<string, { readonly backend: string; readonly untilMs: number }>()
  #backends: readonly Backend[] = []
  #affinityMs: number | undefined
  #next = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  update(backends: readonly Backend[], affinityMs: number | undefined): void {
    this.#backends = backends
    this.#affinityMs = affinityMs
    if (affinityMs === undefined) this.#clients.clear()
  }

  /** Whether a backend is still one of ours. */
  has(backend: Backend): boolean {
    return this.#backends.some(({ host, port }) => host === backend.host && port === backend.port)
  }

  /** Backends in the order in which to try them; the client's own first. */
  pick(client: string): Backend[] {
    const count = this.#backends.length
    if (count === 0) return []
    const start = this.#sticky(client) ?? this.#next++ % count
    const order = Array.from({ length: count }, (_, i) => this.#backends[(start + i) % count] as Backend)
    return order
  }

  /** The backend that took the connection: affinity counts from the last one. */
  connected(client: string, backend: Backend): void {
    if (this.#affinityMs === undefined) return
    this.#clients.delete(client)
    this.#clients.set(client, { backend: `${backend.host}:${backend.port}`, untilMs: this.#clock.monotonic() + this.#affinityMs })
    const oldest = this.#clients.size > MAX_CLIENTS ? this.#clients.keys().next().value : undefined
    if (oldest !== undefined) this.#clients.delete(oldest)
  }

  #sticky(client: string): number | undefined {
    const known = this.#clients.get(client)
    if (!known || known.untilMs <= this.#clock.monotonic()) return undefined
    const index = this.#backends.findIndex((backend) => `${backend.host}:${backend.port}` === known.backend)
    return index === -1 ? undefined : index
  }
}
