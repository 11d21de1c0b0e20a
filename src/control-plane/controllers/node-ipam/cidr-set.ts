import { addressInPrefix, formatPrefix, parsePrefix, prefixContains, prefixOf, type IpPrefix } from '../../../base/ip.ts'
import type { ClusterCidr } from './cluster-cidrs.ts'

/**
 * Which parts of a range are in use. Taken ones are counted, for nodes may have been given the same by hand. Free ones are handed out
 * in turn, so that a part that came back rests as long as it can: somebody may still have a route to it.
 * Source: kubernetes/pkg/controller/nodeipam/ipam/cidrset.
 */
export class CidrSet {
  readonly range: ClusterCidr
  /** Number of parts. */
  readonly size: number
  readonly #taken = new Map<number, number>()
  /** In use and not one whole part: wider ones and narrower ones that somebody set by hand. */
  readonly #odd = new Map<string, { readonly prefix: IpPrefix; count: number }>()
  #next = 0

  constructor(range: ClusterCidr) {
    this.range = range
    this.size = 2 ** (range.nodeLength - range.prefix.length)
  }

  /** Parts in use. */
  get used(): number {
    return this.#taken.size
  }

  /** Notes that somebody uses a prefix. What lies outside of the range is no concern of this set. */
  occupy(text: string): void {
    const prefix = parsePrefix(text)
    if (!prefix) return
    const slot = this.#slotOf(prefix)
    if (slot !== undefined) {
      this.#taken.set(slot, (this.#taken.get(slot) ?? 0) + 1)
      this.#next = (slot + 1) % this.size
    } else if (prefixContains(this.range.prefix, prefix) || prefixContains(prefix, this.range.prefix)) {
      const key = formatPrefix(prefix)
      this.#odd.set(key, { prefix, count: (this.#odd.get(key)?.count ?? 0) + 1 })
    }
  }

  /** The way back from one `occupy` of the same prefix. */
  release(text: string): void {
    const prefix = parsePrefix(text)
    if (!prefix) return
    const slot = this.#slotOf(prefix)
    const key = formatPrefix(prefix)
    const odd = this.#odd.get(key)
    if (slot !== undefined) {
      const count = (this.#taken.get(slot) ?? 0) - 1
      if (count > 0) this.#taken.set(slot, count)
      else this.#taken.delete(slot)
    } else if (odd && --odd.count <= 0) this.#odd.delete(key)
  }

  /** A free part, occupied from now on; undefined when there is none. */
  allocate(): string | undefined {
    for (let tries = 0; tries < this.size; tries++) {
      const slot = (this.#next + tries) % this.size
      if (this.#taken.has(slot)) continue
      const part = this.#partAt(slot)
      const blocked = [...this.#odd.values()].find(({ prefix }) => prefixContains(prefix, part) || prefixContains(part, prefix))
      if (blocked) {
        // a wide one is passed in one step
        tries += this.#lastSlotWithin(blocked.prefix, slot) - slot
        continue
      }
      const text = formatPrefix(part)
      this.occupy(text)
      return text
    }
    return undefined
  }

  #partAt(slot: number): IpPrefix {
    const { prefix, nodeLength } = this.range
    const shift = BigInt(prefix.bytes.length * 8 - nodeLength)
    return prefixOf(addressInPrefix(prefix, BigInt(slot) << shift) ?? prefix.bytes, nodeLength)
  }

  /** Number of the part that is this prefix, or undefined. */
  #slotOf(prefix: IpPrefix): number | undefined {
    const { prefix: outer, nodeLength } = this.range
    if (prefix.length !== nodeLength || !prefixContains(outer, prefix)) return undefined
    let slot = 0
    for (let bit = outer.length; bit < nodeLength; bit++) slot = slot * 2 + (((prefix.bytes[bit >> 3] as number) >> (7 - (bit & 7))) & 1)
    return slot
  }

  #lastSlotWithin(prefix: IpPrefix, slot: number): number {
    if (prefix.length >= this.range.nodeLength) return slot
    const parts = 2 ** (this.range.nodeLength - Math.max(prefix.length, this.range.prefix.length))
    return slot - (slot % parts) + parts - 1
  }
}
