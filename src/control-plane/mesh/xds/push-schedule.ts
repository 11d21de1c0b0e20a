export interface PushState {
  /** Monotonic milliseconds of the first change that is not pushed yet; undefined: none. */
  readonly firstChangeAt?: number
  readonly lastChangeAt?: number
  /** One of the waiting changes must not wait. */
  readonly urgent: boolean
  /** When the last push ended. */
  readonly lastPushAt: number
  /** What pushes have cost lately, milliseconds of CPU (moving average). */
  readonly pushCostMs: number
}

/** Bounds of the wait, milliseconds. */
export const QUIET_MIN_MS = 10
export const WAIT_MAX_MS = 200
/** Changes within one turn of the loop belong together. */
const FIRST_MS = 1
/** Share of the time that pushing may take: the wait is this many times the cost. */
const COST_FACTOR = 4

/**
 * When to push, as monotonic milliseconds; undefined: nothing to push. The first change after a rest goes at once; while changes go on they are sent together, in
 * steps from 10 to 200 ms that grow with what a push costs; urgent ones wait for nothing.
 */
export function nextPushAt(state: PushState): number | undefined {
  const { firstChangeAt, lastChangeAt = firstChangeAt } = state
  if (firstChangeAt === undefined || lastChangeAt === undefined) return undefined
  if (state.urgent) return firstChangeAt
  const step = Math.min(WAIT_MAX_MS, Math.max(QUIET_MIN_MS, state.pushCostMs * COST_FACTOR))
  if (firstChangeAt - state.lastPushAt >= step) return firstChangeAt + FIRST_MS
  return Math.min(Math.max(lastChangeAt, state.lastPushAt) + step, firstChangeAt + WAIT_MAX_MS)
}

/** The average after another push. */
export const averageCost = (before: number, costMs: number): number => before * 0.7 + costMs * 0.3
