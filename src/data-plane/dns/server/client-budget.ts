/** How much each client, and all together, may have under way: one that asks for more is refused, the others are served on. */
export class ClientBudget {
  readonly #perClient: number
  readonly #total: number
  readonly #underWay = new Map<string, number>()
  #sum = 0

  constructor(limits: { readonly perClient: number; readonly total: number }) {
    this.#perClient = limits.perClient
    this.#total = limits.total
  }

  get used(): number {
    return this.#sum
  }

  /** @returns false: no more; true: give it back with `release` */
  take(client: string): boolean {
    const mine = this.#underWay.get(client) ?? 0
    if (mine >= this.#perClient || this.#sum >= this.#total) return false
    this.#underWay.set(client, mine + 1)
    this.#sum++
    return true
  }

  release(client: string): void {
    const mine = this.#underWay.get(client)
    if (mine === undefined) return
    this.#sum--
    if (mine > 1) this.#underWay.set(client, mine - 1)
    else this.#underWay.delete(client)
  }
}
