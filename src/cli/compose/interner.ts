import { encodeJson } from '../../base/json.ts'
import { deepEqual } from '../../api/meta/equality.ts'

/** Values kept at most for sharing; when they are more all are forgotten, and only sharing begins anew. */
const MAX_VALUES = 16_384
const MAX_TEXTS = 65_536

/** Gives equal JSON values one frozen copy, and equal strings one string. Bounded. */
export class Interner {
  readonly #values = new Map<string, unknown>()
  readonly #latest = new Map<string, Map<string, unknown>>()
  readonly #texts = new Map<string, string>()

  /** The shared value equal to `value`, frozen in depth. Members in another order make another value. */
  value<T extends object>(value: T): T {
    const key = encodeJson(value)
    const found = this.#values.get(key)
    if (found !== undefined) return found as T
    if (this.#values.size >= MAX_VALUES) this.#values.clear()
    this.#values.set(key, freeze(value))
    return value
  }

  /** As `value`, for the parts of siblings, which are nearly always equal: to compare costs less than to write out. */
  like<T extends object>(family: string, part: string, value: T): T {
    const found = this.#latest.get(family)
    const latest = found?.get(part) as T | undefined
    if (latest !== undefined && deepEqual(value, latest)) return latest
    const shared = this.value(value)
    if (found) found.set(part, shared)
    else this.#remember(family, part, shared)
    return shared
  }

  text(text: string): string {
    const found = this.#texts.get(text)
    if (found !== undefined) return found
    if (this.#texts.size >= MAX_TEXTS) this.#texts.clear()
    this.#texts.set(text, text)
    return text
  }

  #remember(family: string, part: string, value: unknown): void {
    if (this.#latest.size >= MAX_VALUES) this.#latest.clear()
    this.#latest.set(family, new Map([[part, value]]))
  }
}

function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const member of Object.values(value)) freeze(member)
  return Object.freeze(value)
}
