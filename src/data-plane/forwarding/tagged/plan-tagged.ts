/** What makes the kernel's entries that are ours equal to the wanted ones. */
export interface TaggedPlan<T> {
  /** Not there, or there with another value. */
  readonly put: readonly T[]
  readonly remove: readonly T[]
}

/**
 * @param found those that are ours, by tag or by the device they are on
 * @param keyOf what an entry is known by: two with the same key cannot both be there
 * @param valueOf what else it says
 */
export function planTagged<T>(
  wanted: readonly T[],
  found: readonly T[],
  keyOf: (entry: T) => string,
  valueOf: (entry: T) => string,
): TaggedPlan<T> {
  const has = new Map(found.map((entry) => [keyOf(entry), entry]))
  const keys = new Set(wanted.map(keyOf))
  return {
    put: wanted.filter((entry) => {
      const there = has.get(keyOf(entry))
      return there === undefined || valueOf(there) !== valueOf(entry)
    }),
    remove: found.filter((entry) => !keys.has(keyOf(entry))),
  }
}
