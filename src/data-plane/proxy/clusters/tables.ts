import { murmur2, xxhash32 } from '../../../policy/traffic/evaluate/index.ts'

interface Weighted {
  readonly name: string
  readonly weight: number
}

/** A table that a hash looks endpoints up in. */
export interface HashTable {
  /** Position of the endpoint in the list that the table was made of. `step` goes on to the next ones. */
  lookUp(hash: number, step: number): number
}

/**
 * A ring of points: each endpoint has as many as its weight asks for, between the bounds of the whole ring. Few keys move when endpoints come and go.
 * @param minSize points of the ring at least; more endpoints than `maxSize` get one each all the same
 */
export function makeRing(hosts: readonly Weighted[], minSize: number, maxSize: number, kind: 'xxhash' | 'murmur2'): HashTable {
  const hash = kind === 'murmur2' ? murmur2 : xxhash32
  const total = hosts.reduce((sum, { weight }) => sum + weight, 0)
  const least = Math.min(...hosts.map(({ weight }) => weight))
  // so many that the lightest has a whole number of them
  const size = Math.max(Math.min(Math.ceil((least * minSize) / total) * (total / least), maxSize), hosts.length)
  const points: { at: number; host: number }[] = []
  for (const [host, { name, weight }] of hosts.entries()) {
    const count = Math.max(1, Math.round((weight / total) * size))
    for (let i = 0; i < count; i++) points.push({ at: hash(`${name}_${i}`), host })
  }
  points.sort((a, b) => a.at - b.at || a.host - b.host)
  const at = Float64Array.from(points, (point) => point.at)
  const owner = Uint32Array.from(points, (point) => point.host)
  return {
    lookUp(key, step) {
      let low = 0
      let high = at.length
      while (low < high) {
        const middle = (low + high) >>> 1
        if ((at[middle] as number) < key) low = middle + 1
        else high = middle
      }
      return owner[(low + step) % owner.length] as number
    },
  }
}

/** Maglev: a table that every endpoint has its fair share of. Source: Eisenbud et al., NSDI 2016, 3.4. @param size a prime */
export function makeMaglev(hosts: readonly Weighted[], size: number): HashTable {
  const table = new Int32Array(size).fill(-1)
  const most = Math.max(...hosts.map(({ weight }) => weight))
  const states = hosts.map(({ name, weight }) => ({
    next: xxhash32(name) % size,
    skip: (xxhash32(name, 1) % (size - 1)) + 1,
    share: weight / most,
    due: 0,
  }))
  for (let filled = 0, turn = 1; filled < size; turn++) {
    for (const [host, state] of states.entries()) {
      // lighter ones take fewer turns
      if (turn * state.share < state.due + 1) continue
      state.due++
      while (table[state.next] !== -1) state.next = (state.next + state.skip) % size
      table[state.next] = host
      if (++filled === size) break
    }
  }
  return { lookUp: (key, step) => table[(key + step) % size] as number }
}
