interface Families {
  readonly v4: ReadonlySet<string>
  readonly v6: ReadonlySet<string>
}

const NONE: Families = { v4: new Set(), v6: new Set() }

/** Splits sets of addresses by family; the same set gives the same two sets. */
export class AddressFamilies {
  readonly #known = new WeakMap<ReadonlySet<string>, Families>()

  of(addresses: ReadonlySet<string> | undefined): Families {
    if (!addresses) return NONE
    let families = this.#known.get(addresses)
    if (families) return families
    const v4 = new Set<string>()
    const v6 = new Set<string>()
    for (const address of addresses) (address.includes(':') ? v6 : v4).add(address)
    families = { v4, v6 }
    this.#known.set(addresses, families)
    return families
  }
}
