import { addressInPrefix, formatIp, formatPrefix, parseIp, prefixContains, type IpBytes, type IpPrefix } from '../../../../base/ip.ts'

/** Given to nobody: the network's own address, and the node's end of tunnels (`tunnelAddress`). */
const RESERVED = 2n

/** The address of a pod range that stands for its node on the tunnel between nodes: the second one. */
export function tunnelAddress(prefix: IpPrefix): IpBytes {
  return addressInPrefix(prefix, RESERVED - 1n) ?? prefix.bytes
}

/**
 * Addresses of one range, each given to one pod. The next is looked for behind the one given last, so that freed addresses come back last: a client of
 * a dead pod does not meet its successor. The first two addresses are reserved, and the last of an IPv4 range.
 */
export class PrefixPool {
  readonly prefix: IpPrefix
  readonly #used: ReadonlySet<string>
  readonly #end: bigint
  #last: bigint

  /** @param options used: shared with the owner, by text of the address; last: where an earlier pool had come to */
  constructor(prefix: IpPrefix, options: { readonly used: ReadonlySet<string>; readonly last?: string | undefined }) {
    const size = 1n << BigInt(prefix.bytes.length * 8 - prefix.length)
    this.prefix = prefix
    this.#used = options.used
    this.#end = prefix.family === 4 ? size - 1n : size
    this.#last = offsetOf(prefix, options.last) ?? RESERVED - 1n
  }

  /** How many addresses can be given in all. */
  get capacity(): bigint {
    return this.#end > RESERVED ? this.#end - RESERVED : 0n
  }

  /** A free address, which the owner marks as used; undefined when there is none. */
  next(): string | undefined {
    // at most every used address lies in between
    const tries = BigInt(this.#used.size) + 1n
    const bound = tries < this.capacity ? tries : this.capacity
    let offset = this.#last
    for (let tried = 0n; tried < bound; tried++) {
      offset = offset + 1n < this.#end ? offset + 1n : RESERVED
      const address = formatIp(addressInPrefix(this.prefix, offset) as IpBytes)
      if (this.#used.has(address)) continue
      this.#last = offset
      return address
    }
    return undefined
  }
}

/** Where in the range an address lies. */
function offsetOf(prefix: IpPrefix, text: string | undefined): bigint | undefined {
  const bytes = text === undefined ? undefined : parseIp(text)
  if (!bytes || !prefixContains(prefix, bytes)) return undefined
  const value = (part: IpBytes): bigint => part.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
  const offset = value(bytes) - value(prefix.bytes)
  return offset < RESERVED ? undefined : offset
}

/** Text of a pool for errors. */
export function describePool(pool: PrefixPool): string {
  return `${formatPrefix(pool.prefix)} (${pool.capacity})`
}
