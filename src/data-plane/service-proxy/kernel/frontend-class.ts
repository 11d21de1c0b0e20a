/** Frontends that are dispatched in the same way share one chain in the kernel: there are as many chains as classes, however many services. */
export interface FrontendClass {
  /** How many slots. */
  readonly count: number
  /** The slots for senders of this node, which are numbered from INSIDE_OFFSET. */
  readonly inside: boolean
  readonly rewritesSource: boolean
  /** 0: no affinity. */
  readonly affinitySeconds: number
}

/** Slot numbers of the inside set begin here. */
export const INSIDE_OFFSET = 0x1_0000
const MAX_AFFINITY_S = 0x1_ffff

/**
 * A class as the number that the map `frontend` holds: bit 31 set, 30 inside, 29 rewrites, 12 to 28 seconds of affinity, 0 to 11 count. It says all
 * about the chain, so chains need no register of their own.
 */
export function classNumber({ count, inside, rewritesSource, affinitySeconds }: FrontendClass): number {
  const flags = 0x8000_0000 + (inside ? 0x4000_0000 : 0) + (rewritesSource ? 0x2000_0000 : 0)
  return flags + Math.min(affinitySeconds, MAX_AFFINITY_S) * 0x1000 + count
}

export function classOfNumber(number: number): FrontendClass {
  return {
    count: number & 0xfff,
    inside: (number & 0x4000_0000) !== 0,
    rewritesSource: (number & 0x2000_0000) !== 0,
    affinitySeconds: (number >>> 12) & MAX_AFFINITY_S,
  }
}

/** Name of the chain of a class, such as `pick-3` or `pick-3-inside-keep-10800`. */
export function chainOfClass(number: number): string {
  const { count, inside, rewritesSource, affinitySeconds } = classOfNumber(number)
  const parts = [
    `pick-${count}`,
    ...(inside ? ['inside'] : []),
    ...(rewritesSource ? [] : ['local']),
    ...(affinitySeconds > 0 ? [`keep-${affinitySeconds}`] : []),
  ]
  return parts.join('-')
}
