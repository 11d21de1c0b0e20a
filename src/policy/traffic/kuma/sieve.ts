import type { KubeObject } from '../../../api/meta/object.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Finding } from '../input/index.ts'
import type { Origin } from '../model/index.ts'

export interface Sieved<T> {
  readonly result: T
  /** Objects that were left out. */
  readonly unreadable: readonly KubeObject[]
  readonly findings: readonly Finding[]
}

/**
 * Translates objects together. Those that cannot be translated, though the API has taken them (an older version of it, mostly), are left out and told: one of
 * them must not keep all others from having their effect. Costs nothing where all can be, else a translation for each halving on the way to each of them.
 * @param translate must not throw for an empty list
 */
export function sieve<O extends KubeObject, T>(
  objects: readonly O[],
  originOf: (object: O) => Origin,
  translate: (objects: readonly O[]) => T,
): Sieved<T> {
  const unreadable: O[] = []
  const findings: Finding[] = []
  const readable = (before: readonly O[], list: readonly O[]): readonly O[] => {
    const [first] = list
    if (!first) return []
    try {
      translate([...before, ...list])
      return list
    } catch (error) {
      if (list.length === 1) {
        unreadable.push(first)
        const message = `cannot be read, and is left out: ${messageOf(error)}`
        findings.push({ origin: originOf(first), type: 'Invalid', reason: 'Unreadable', message })
        return []
      }
      const half = Math.ceil(list.length / 2)
      const left = readable(before, list.slice(0, half))
      return [...left, ...readable([...before, ...left], list.slice(half))]
    }
  }
  try {
    return { result: translate(objects), unreadable, findings }
  } catch {
    return { result: translate(readable([], objects)), unreadable, findings }
  }
}
