import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { FibProblem } from '../../policy/route/fib-route.ts'

/** Lines a second; of more, their number is told. */
const MAX_LINES = 10
const WINDOW_MS = 1_000

/** Logs what is wrong with routes within bounds: somebody who flushes a table would otherwise be answered by a line for each of its routes. */
export function routeProblemLog(log: Logger, clock: Clock): (problem: FibProblem) => void {
  let untold = 0
  let lines = 0
  const turn = (): void => {
    if (untold > 0) log.warn('more routes are not as they should be', { routes: untold })
    untold = 0
    lines = 0
  }
  return ({ prefix, message }) => {
    if (lines === 0) clock.after(WINDOW_MS, turn)
    if (lines >= MAX_LINES) return void untold++
    lines++
    log.warn('a route is not as it should be', { prefix, message })
  }
}
