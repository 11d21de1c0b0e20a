import { setCondition } from '../../../api/conditions.ts'
import type { Condition } from '../../../api/generated/types.ts'
import type { Problem } from '../../../policy/traffic/gateway-api/index.ts'

/** A condition that is wanted. */
export interface WantedCondition {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason: string
  readonly message: string
}

/** True where there is no problem. */
export function conditionOf(type: string, problem: Problem | undefined, good: Problem): WantedCondition {
  return problem ? { type, status: 'False', ...problem } : { type, status: 'True', ...good }
}

/** The conditions with the wanted ones in their places; conditions of others stay. `now` is RFC 3339. */
export function withConditions(
  previous: readonly Condition[] | undefined,
  wanted: readonly WantedCondition[],
  generation: number | undefined,
  now: string,
): Condition[] {
  let conditions: readonly Condition[] = previous ?? []
  for (const one of wanted) {
    const condition = { ...one, ...(generation === undefined ? {} : { observedGeneration: generation }) }
    conditions = setCondition<Condition>(conditions, condition as Condition, now)
  }
  return [...conditions]
}
