import type { PodAddresses } from '../network/addresses/pod-addresses.ts'
import { RuntimeError } from '../runtime.ts'

/**
 * IPv4 addresses of one node's pods. Remembers nothing beyond this process: the owner claims what its pods already have. Freed addresses
 * come back last, so that a client of a dead pod does not meet its successor.
 */
export class AddressPool {
  readonly #cidr: string
  readonly #first: number
  readonly #count: number
  readonly #used = new Set<string>()
  #next = 0

  /** @param cidr such as `127.64.1.0/24`, prefix 8 to 30; network and broadcast addresses are never given */
  constructor(cidr: string) {
    const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(cidr)
    const [a, b, c, d, prefix] = (match?.slice(1) ?? []).map(Number) as [number, number, number, number, number]
    if (!match || [a, b, c, d].some((part) => part > 255) || prefix < 8 || prefix > 30) {
      throw new RuntimeError('InvalidArgument', `pod CIDR "${cidr}" is not an IPv4 range with a prefix of 8 to 30`)
    }
    const size = 2 ** (32 - prefix)
    const address = ((a * 256 + b) * 256 + c) * 256 + d
    this.#cidr = cidr
    this.#first = address - (address % size) + 1
    this.#count = size - 2
  }

  /** @throws RuntimeError `InvalidArgument` when every address is in use */
  take(): string {
    for (let tried = 0; tried < this.#count; tried++) {
      const address = format(this.#first + this.#next)
      this.#next = (this.#next + 1) % this.#count
      if (this.claim(address)) return address
    }
    throw new RuntimeError(
      'InvalidArgument',
      `all ${this.#count} addresses of pod CIDR ${this.#cidr} are in use: give the node a larger range`,
    )
  }

  /** Marks an address as in use; false when another pod has it. */
  claim(address: string): boolean {
    if (this.#used.has(address)) return false
    this.#used.add(address)
    return true
  }

  release(address: string): void {
    this.#used.delete(address)
  }
}

/** One address a pod, out of an IPv4 range: what pods have that share the machine's network. */
export function singleAddresses(pool: AddressPool): PodAddresses {
  return {
    take: () => [pool.take()],
    claim: ([address = '']) => pool.claim(address),
    release: (addresses) => addresses.forEach((address) => pool.release(address)),
  }
}

function format(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')
}
