import { canShare, type Sharer } from './sharing.ts'

interface Entry {
  readonly uid: string | undefined
  sharer: Sharer
  addresses: readonly string[]
}

/**
 * Who has which address. Filled from what services show when they are first seen, which is before the first decision; from then on the
 * book is the truth and what services show follows. Of holders that cannot share, the one that came first is in the right.
 */
export class AddressBook {
  readonly #entries = new Map<string, Entry>()
  /** Holders of each address, the one that came first in front. */
  readonly #holders = new Map<string, string[]>()

  /** A service as it is now. `shown` counts only for one that is not in the book. */
  observe(service: string, now: { readonly uid: string | undefined; readonly sharer: Sharer; readonly shown: readonly string[] }): void {
    const entry = this.#entries.get(service)
    if (entry && entry.uid === now.uid) {
      entry.sharer = now.sharer
      // who changed into somebody that the others cannot live with goes to the end
      for (const address of entry.addresses) {
        if (this.#others(address, service).every((other) => canShare(other, now.sharer))) continue
        const holders = this.#holders.get(address) ?? []
        this.#holders.set(address, [...holders.filter((one) => one !== service), service])
      }
      return
    }
    this.release(service)
    this.#entries.set(service, { uid: now.uid, sharer: now.sharer, addresses: [] })
    this.assign(
      service,
      now.shown.filter((address) => this.mayTake(service, address)),
    )
  }

  /** The service is gone, or wants nothing of us any more. */
  release(service: string): void {
    this.assign(service, [])
    this.#entries.delete(service)
  }

  /** What a service has from now on. It must be in the book. */
  assign(service: string, addresses: readonly string[]): void {
    const entry = this.#entries.get(service)
    if (!entry) return
    for (const address of entry.addresses) {
      if (addresses.includes(address)) continue
      const rest = (this.#holders.get(address) ?? []).filter((one) => one !== service)
      if (rest.length > 0) this.#holders.set(address, rest)
      else this.#holders.delete(address)
    }
    for (const address of addresses) {
      const holders = this.#holders.get(address) ?? []
      if (!holders.includes(service)) this.#holders.set(address, [...holders, service])
    }
    entry.addresses = [...addresses]
  }

  heldBy(service: string): readonly string[] {
    return this.#entries.get(service)?.addresses ?? []
  }

  /** Whether a service can have an address that it does not have yet. */
  mayTake(service: string, address: string): boolean {
    const sharer = this.#entries.get(service)?.sharer
    return sharer !== undefined && this.#others(address, service).every((other) => canShare(other, sharer))
  }

  /** Whether a service can go on having an address: those that came after it do not count. */
  mayKeep(service: string, address: string): boolean {
    const holders = this.#holders.get(address) ?? []
    const sharer = this.#entries.get(service)?.sharer
    const index = holders.indexOf(service)
    if (index < 0 || !sharer) return false
    return holders.slice(0, index).every((other) => canShare((this.#entries.get(other) as Entry).sharer, sharer))
  }

  isFree(address: string): boolean {
    return !this.#holders.has(address)
  }

  /** Addresses whose holders have a sharing key, sorted. */
  sharedUnder(key: string): readonly string[] {
    const found: string[] = []
    for (const [address, holders] of this.#holders)
      if (holders.some((one) => this.#entries.get(one)?.sharer.key === key)) found.push(address)
    return found.toSorted()
  }

  #others(address: string, service: string): Sharer[] {
    return (this.#holders.get(address) ?? []).filter((one) => one !== service).map((one) => (this.#entries.get(one) as Entry).sharer)
  }
}
