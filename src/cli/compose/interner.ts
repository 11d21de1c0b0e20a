/** Values kept at most for sharing; when they are more all are forgotten, and only sharing begins anew. */
const MAX_VALUES = 16_384
const MAX_TEXTS = 65_536

/** Gives equal JSON values one frozen copy, and equal strings one string. Bounded. */
export class Interner {
  readonly #values = new Map<string, unknown>()
  readonly #texts = new Map<string, string>()

  /** The shared value equal to `value`, frozen in depth. Members in another order make another value. */
  value<T extends object>(value: T): T {
    const key = JSON.stringify(value)
    const found = this.#values.get(key)
    if (found !== undefined) return found as T
    if (this.#values.size >= MAX_VALUES) this.#values.clear()
    this.#values.set(key, freeze(value))
    return value
  }

  text(text: string): string {
    const found = this.#texts.get(text)
    if (found !== undefined) return found
    if (this.#texts.size >= MAX_TEXTS) this.#texts.clear()
    this.#texts.set(text, text)
    return text
  }
}

function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const member of Object.values(value)) freeze(member)
  return Object.freeze(value)
}
