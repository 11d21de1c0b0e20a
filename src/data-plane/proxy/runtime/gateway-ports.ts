import type { Clock, Timer } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import type { Listener } from '../../../policy/traffic/model/index.ts'

/** A port that is taken is tried again after this time: whoever has it may be about to go. */
const RETRY_MS = 1_000

export interface GatewayPortsOptions {
  /** Bound already: nothing happens. @throws Error when it cannot be bound */
  readonly listen: (key: string, target: { readonly host: string; readonly port: number }, listener: string) => Promise<void>
  readonly close: (key: string) => Promise<void>
  readonly clock: Clock
  readonly log: Logger
}

/** The addresses that a gateway binds: kept equal to its listeners, one change after another. */
export class GatewayPorts {
  readonly #options: GatewayPortsOptions
  readonly #bound = new Set<string>()
  /** Why some are not bound, by key. */
  readonly #problems = new Map<string, string>()
  #listeners: readonly Listener[] = []
  #binding: Promise<void> = Promise.resolve()
  #retry: Timer | undefined
  #isStopped = false

  constructor(options: GatewayPortsOptions) {
    this.#options = options
  }

  /** What could not be bound when it was tried last; undefined: nothing. */
  get problem(): string | undefined {
    return this.#problems.size === 0 ? undefined : [...this.#problems.values()].join('; ')
  }

  /** Resolves when all that can be bound is; the rest is tried again by itself. Never rejects. */
  bind(listeners: readonly Listener[]): Promise<void> {
    this.#listeners = listeners
    return (this.#binding = this.#binding.then(() => this.#bind()))
  }

  /** Binds nothing any more; what is bound is the caller's to close. */
  stop(): void {
    this.#isStopped = true
    this.#listeners = []
    this.#bound.clear()
    this.#problems.clear()
    this.#retry?.cancel()
  }

  async #bind(): Promise<void> {
    const { listen, close, clock, log } = this.#options
    const wanted = new Map(
      this.#listeners.map(({ name, address: { address: host, port } }) => [`gateway ${name} ${host} ${port}`, { name, host, port }]),
    )
    for (const key of [...this.#bound, ...this.#problems.keys()]) {
      if (wanted.has(key)) continue
      this.#problems.delete(key)
      if (this.#bound.delete(key)) await close(key)
    }
    for (const [key, { name, host, port }] of wanted) {
      if (this.#isStopped) return
      try {
        await listen(key, { host, port }, name)
        this.#bound.add(key)
        this.#problems.delete(key)
      } catch (error) {
        if (!this.#problems.has(key))
          log.error('a gateway cannot listen, will be tried again', { listener: name, host, port, error: messageOf(error) })
        this.#problems.set(key, `port ${port} of ${host} cannot be listened on: ${messageOf(error)}`)
      }
    }
    this.#retry?.cancel()
    if (this.#isStopped) return
    this.#retry = this.#problems.size > 0 ? clock.after(RETRY_MS, () => void this.bind(this.#listeners)) : undefined
  }
}
