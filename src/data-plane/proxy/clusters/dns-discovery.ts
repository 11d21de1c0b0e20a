import type { Clock, Timer } from '../../../base/clock.ts'
import type { Cluster, Endpoint } from '../../../policy/traffic/model/index.ts'

/** Addresses of a host name and how long they hold. Rejects when the name cannot be resolved now. */
export type ResolveHost = (host: string) => Promise<{ readonly addresses: readonly string[]; readonly ttlMs: number }>

const MIN_TTL = 1_000
const MAX_TTL = 300_000
const RETRY = 5_000

/** Keeps the addresses of host names fresh. A name that stops resolving keeps the addresses it had. */
export class DnsDiscovery {
  readonly #hosts: (Cluster['discovery'] & { readonly type: 'dns' })['hosts']
  readonly #resolve: ResolveHost
  readonly #clock: Clock
  readonly #onChange: (endpoints: readonly Endpoint[]) => void
  readonly #onFailure: () => void
  readonly #addresses: (readonly string[])[]
  readonly #timers: (Timer | undefined)[] = []
  #closed = false

  constructor(options: {
    readonly hosts: (Cluster['discovery'] & { readonly type: 'dns' })['hosts']
    readonly resolve: ResolveHost
    readonly clock: Clock
    readonly onChange: (endpoints: readonly Endpoint[]) => void
    readonly onFailure: () => void
  }) {
    this.#hosts = options.hosts
    this.#resolve = options.resolve
    this.#clock = options.clock
    this.#onChange = options.onChange
    this.#onFailure = options.onFailure
    this.#addresses = options.hosts.map(() => [])
    for (const i of options.hosts.keys()) this.#look(i)
  }

  close(): void {
    this.#closed = true
    for (const timer of this.#timers) timer?.cancel()
  }

  #look(i: number): void {
    const again = (delayMs: number): void => {
      this.#timers[i] = this.#clock.after(delayMs, () => this.#look(i))
    }
    this.#resolve((this.#hosts[i] as { host: string }).host).then(
      ({ addresses, ttlMs }) => {
        if (this.#closed) return
        const sorted = [...new Set(addresses)].sort()
        if (sorted.length > 0 && sorted.join() !== this.#addresses[i]?.join()) {
          this.#addresses[i] = sorted
          this.#onChange(this.#endpoints())
        }
        again(Math.min(Math.max(ttlMs, MIN_TTL), MAX_TTL))
      },
      () => {
        if (this.#closed) return
        this.#onFailure()
        again(RETRY)
      },
    )
  }

  #endpoints(): Endpoint[] {
    return this.#hosts.flatMap(({ port, priority }, i) =>
      (this.#addresses[i] ?? []).map((address) => ({
        address: { address, port },
        state: 'ready' as const,
        ...(priority === undefined ? {} : { priority }),
      })),
    )
  }
}
