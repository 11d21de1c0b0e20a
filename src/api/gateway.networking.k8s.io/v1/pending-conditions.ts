import type { Condition } from '../../generated/types.ts'

/** What the status of a new object says until a controller has looked at it. Source: defaults of the CRDs of Gateway API. */
export function pendingConditions(...types: readonly string[]): Condition[] {
  return types.map((type) => ({
    type,
    status: 'Unknown',
    reason: 'Pending',
    message: 'Waiting for controller',
    lastTransitionTime: '1970-01-01T00:00:00Z',
  }))
}
