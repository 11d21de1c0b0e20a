import type { Endpoint } from '../../../policy/traffic/model/index.ts'

/** Numbers of a fixed sequence in [0, 1). */
export function seeded(): () => number {
  let state = 1
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return state / 0x80000000
  }
}

/** An endpoint of its own address. */
export const endpoint = (n: number, parts: Partial<Endpoint> = {}): Endpoint => ({
  address: { address: `10.0.0.${n}`, port: 80 },
  state: 'ready',
  ...parts,
})
