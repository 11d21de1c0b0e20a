/** What conditions of all kinds have in common. */
export interface ConditionLike {
  type: string
  status: string
  reason?: string | undefined
  message?: string | undefined
  lastTransitionTime?: string | undefined
}

/** The condition of that type, if there is one. */
export function findCondition<T extends ConditionLike>(conditions: readonly T[] | undefined, type: string): T | undefined {
  return conditions?.find((condition) => condition.type === type)
}

/** Whether the condition of that type is there and its status is `True`. */
export function isConditionTrue(conditions: readonly ConditionLike[] | undefined, type: string): boolean {
  return findCondition(conditions, type)?.status === 'True'
}

/**
 * The list with `condition` in place of the one of its type, or appended. `lastTransitionTime` is `now` (RFC 3339) where the
 * status changes, else what it was; one that `condition` brings itself is kept. The list given is not changed; when
 * nothing differs it is returned as it is, so that identity tells whether there is something to write.
 * Source: k8s.io/apimachinery api/meta.SetStatusCondition.
 */
export function setCondition<T extends ConditionLike>(conditions: readonly T[] | undefined, condition: T, now: string): readonly T[] {
  const list = conditions ?? []
  const index = list.findIndex((one) => one.type === condition.type)
  const previous = list[index]
  const unchanged = previous?.status === condition.status
  const lastTransitionTime = condition.lastTransitionTime ?? (unchanged ? (previous?.lastTransitionTime ?? now) : now)
  const next = { ...condition, lastTransitionTime }
  if (!previous) return [...list, next]
  return sameFields(previous, next) ? list : list.with(index, next)
}

/** The list without the condition of that type; the same list when there is none. */
export function removeCondition<T extends ConditionLike>(conditions: readonly T[] | undefined, type: string): readonly T[] {
  const list = conditions ?? []
  return findCondition(list, type) ? list.filter((condition) => condition.type !== type) : list
}

// conditions are flat: their fields are scalars
function sameFields(a: object, b: object): boolean {
  const left = a as Record<string, unknown>
  const right = b as Record<string, unknown>
  return Object.keys({ ...left, ...right }).every((key) => left[key] === right[key])
}
