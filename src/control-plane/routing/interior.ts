import type { IpBytes, IpPrefix } from '../../base/ip.ts'

/** A route of the kernel that is not of this router: connected, of the node agent, or of somebody else. */
export interface InteriorRoute {
  readonly prefix: IpPrefix
  readonly metric: number
  /** Absent: the destination is on the link. */
  readonly gateway?: IpBytes
  readonly device?: string
}

/** The routes by which next hops are reached. */
export interface InteriorRoutes {
  list(): Iterable<InteriorRoute>
  /** Called after changes, not for each of them. @returns a function that stops it */
  onChange(fn: () => void): () => void
}

/** Longest match over routes that change seldom. */
export class InteriorTable {
  readonly #lengths: Readonly<Record<4 | 6, number[]>> = { 4: [], 6: [] }
  readonly #routes = new Map<string, InteriorRoute>()

  constructor(routes: Iterable<InteriorRoute>) {
    for (const route of routes) {
      const { prefix } = route
      const key = keyOf(prefix.bytes, prefix.length)
      const other = this.#routes.get(key)
      if (other && other.metric <= route.metric) continue
      this.#routes.set(key, route)
      const lengths = this.#lengths[prefix.family]
      if (!lengths.includes(prefix.length)) lengths.push(prefix.length)
    }
    for (const lengths of Object.values(this.#lengths)) lengths.sort((a, b) => b - a)
  }

  lookup(address: IpBytes): InteriorRoute | undefined {
    for (const length of this.#lengths[address.length === 4 ? 4 : 6]) {
      const found = this.#routes.get(keyOf(address, length))
      if (found) return found
    }
    return undefined
  }
}

/** The first `length` bits as text. */
function keyOf(address: IpBytes, length: number): string {
  let key = `${length}:`
  for (let i = 0; i * 8 < length; i++) {
    const bits = Math.min(8, length - i * 8)
    key += String.fromCharCode((address[i] as number) & (0xff00 >> bits) & 0xff)
  }
  return `${address.length}/${key}`
}
