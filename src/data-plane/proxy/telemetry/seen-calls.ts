import type { SeenConnections } from '../../../protocols/mesh-link.ts'
import type { Downstream } from '../contract.ts'

/** Different callers that are told of. */
const MAX_DIFFERENT = 500

/** Counts connections that come in, by who called how. Costs one look into a map for each. */
export class SeenCalls {
  readonly #seen = new Map<string, { readonly first: Omit<SeenConnections, 'count'>; count: number; told: number }>()
  readonly #limit: number

  constructor(limit: number = MAX_DIFFERENT) {
    this.#limit = limit
  }

  /** @param port of the application */
  note({ remote, tls }: Downstream, port: number, transport: SeenConnections['transport']): void {
    const caller = tls?.peer
    this.add({ address: plain(remote.address), port, transport, count: 1, ...(caller === undefined ? {} : { caller }) })
  }

  /** Connections that were counted elsewhere. */
  add({ count, ...first }: SeenConnections): void {
    const { caller, address, port, transport } = first
    // who has an identity may come from many addresses
    const key = `${caller ?? address} ${port} ${transport}`
    const known = this.#seen.get(key)
    if (known) known.count += count
    else if (this.#seen.size < this.#limit) this.#seen.set(key, { first, count, told: 0 })
  }

  /** What has not been told yet; `told` has to be called once it is. @param all what has been told, too */
  report(all: boolean): { readonly connections: readonly SeenConnections[]; readonly told: () => void } {
    const entries = [...this.#seen.values()].map((entry) => ({ entry, count: entry.count }))
    return {
      connections: entries.flatMap(({ entry, count }) => {
        const untold = all ? count : count - entry.told
        return untold > 0 ? [{ ...entry.first, count: untold }] : []
      }),
      told() {
        for (const { entry, count } of entries) entry.told = count
      },
    }
  }
}

/** IPv4 inside of IPv6 as IPv4. */
const plain = (address: string): string => (address.startsWith('::ffff:') ? address.slice(7) : address)
