import { isStatus } from '../base/errors.ts'

/**
 * For `.catch(ignoreGone)` behind a write: the object is gone already, or is another one by now. Whatever was wanted of it, the event that
 * shows its new state brings the reconciler back. @throws everything but `NotFound` and `Conflict`
 */
export function ignoreGone(error: unknown): undefined {
  if (isStatus(error, 'NotFound', 'Conflict')) return undefined
  throw error
}
