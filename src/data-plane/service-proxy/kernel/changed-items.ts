/** What is different between two states of a list whose items are replaced, never changed in place. */
export interface ChangedItems<T> {
  readonly added: readonly T[]
  readonly removed: readonly T[]
}

/**
 * Compares by identity. Lists keep their order from one state to the next, so what is alike at both ends is passed over at the price of a
 * comparison each; only the middle is looked up. Pure.
 */
export function changedItems<T extends object>(before: readonly T[], after: readonly T[]): ChangedItems<T> {
  let begin = 0
  const least = Math.min(before.length, after.length)
  while (begin < least && before[begin] === after[begin]) begin++
  let end = 0
  while (end < least - begin && before[before.length - 1 - end] === after[after.length - 1 - end]) end++
  const old = before.slice(begin, before.length - end)
  const fresh = after.slice(begin, after.length - end)
  const oldSet = new Set(old)
  const freshSet = new Set(fresh)
  return { added: fresh.filter((item) => !oldSet.has(item)), removed: old.filter((item) => !freshSet.has(item)) }
}
