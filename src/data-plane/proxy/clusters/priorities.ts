/** How many endpoints of a priority there are. */
export interface PriorityHealth {
  readonly healthy: number
  readonly total: number
}

export interface PriorityLoads {
  /** Percent of the traffic for each priority; adds up to 100, or 0 without endpoints. */
  readonly loads: readonly number[]
  /** Priorities that use all of their endpoints, because too few are healthy. */
  readonly panic: readonly boolean[]
}

/**
 * Spreads traffic over priorities: a priority takes what its healthy share, times the overprovisioning, allows; the next ones the rest.
 * Source: Envoy documentation, priority levels and panic threshold.
 * @param overprovisioning percent; Envoy's default is 140, so that 72 % healthy endpoints still take all
 * @param panicPercent healthy share below which a priority panics, unless others can take all of its traffic
 */
export function priorityLoads(priorities: readonly PriorityHealth[], overprovisioning = 140, panicPercent = 50): PriorityLoads {
  const healths = priorities.map(({ healthy, total }) => (total === 0 ? 0 : Math.min(100, (overprovisioning * healthy) / total)))
  const sum = Math.min(
    100,
    healths.reduce((all, health) => all + health, 0),
  )
  const panic = priorities.map(({ healthy, total }) => sum < 100 && total > 0 && (healthy * 100) / total < panicPercent)
  const hosts = priorities.reduce((all, { total }) => all + total, 0)
  if (hosts === 0) return { loads: healths, panic }
  // nobody is well: by the number of endpoints
  if (sum === 0 || panic.every((panics, i) => panics || priorities[i]?.total === 0)) {
    return { loads: priorities.map(({ total }) => (total * 100) / hosts), panic }
  }
  let rest = 100
  const loads = healths.map((health) => {
    const load = Math.min(rest, (health * 100) / sum)
    rest -= load
    return load
  })
  return { loads, panic }
}
