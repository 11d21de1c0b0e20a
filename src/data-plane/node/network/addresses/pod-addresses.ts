import { formatPrefix, type IpPrefix } from '../../../../base/ip.ts'
import { RuntimeError } from '../../runtime.ts'
import { describePool, PrefixPool } from './prefix-pool.ts'

/** Gives pods their addresses; who has which is remembered by its caller, who claims what its pods have already. */
export interface PodAddresses {
  /** One address per family, primary first. @throws RuntimeError `InvalidArgument` when there is none */
  take(): readonly string[]
  /** Marks addresses as in use; false, and nothing is marked, when another pod has one of them. */
  claim(addresses: readonly string[]): boolean
  release(addresses: readonly string[]): void
}

/** The text of the address given last, by the text of its range. */
export type PoolPositions = Readonly<Record<string, string>>

/** Addresses out of the node's pod ranges, one per family. The ranges may come later than the first claims. */
export class NodeAddressPool implements PodAddresses {
  readonly #used = new Set<string>()
  readonly #save: (positions: PoolPositions) => void
  #pools: readonly PrefixPool[] = []
  #positions: PoolPositions

  /** @param options positions: what the last pool saved; save: called after each address that was given */
  constructor(options: { readonly positions?: PoolPositions; readonly save?: (positions: PoolPositions) => void } = {}) {
    this.#positions = options.positions ?? {}
    this.#save = options.save ?? (() => {})
  }

  get ranges(): readonly IpPrefix[] {
    return this.#pools.map((pool) => pool.prefix)
  }

  /** Ranges to give addresses from, primary family first. What was given from others stays with its pods. */
  setRanges(ranges: readonly IpPrefix[]): void {
    const known = new Map(this.#pools.map((pool) => [formatPrefix(pool.prefix), pool]))
    this.#pools = ranges.map((prefix) => {
      const text = formatPrefix(prefix)
      return known.get(text) ?? new PrefixPool(prefix, { used: this.#used, last: this.#positions[text] })
    })
  }

  take(): readonly string[] {
    if (this.#pools.length === 0) {
      throw new RuntimeError(
        'InvalidArgument',
        'this node has no pod CIDR yet: the control plane gives it one (--cluster-cidr), or --pod-cidr',
      )
    }
    const addresses = this.#pools.map((pool) => pool.next())
    const empty = addresses.indexOf(undefined)
    if (empty >= 0) {
      const pool = describePool(this.#pools[empty] as PrefixPool)
      throw new RuntimeError('InvalidArgument', `all addresses of pod CIDR ${pool} are in use: remove pods, or give nodes larger ranges`)
    }
    const taken = addresses as string[]
    this.#positions = Object.fromEntries(this.#pools.map((pool, i) => [formatPrefix(pool.prefix), taken[i] as string]))
    this.#save(this.#positions)
    for (const address of taken) this.#used.add(address)
    return taken
  }

  claim(addresses: readonly string[]): boolean {
    if (addresses.some((address) => this.#used.has(address))) return false
    for (const address of addresses) this.#used.add(address)
    return true
  }

  release(addresses: readonly string[]): void {
    for (const address of addresses) this.#used.delete(address)
  }
}
