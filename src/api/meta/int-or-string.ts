/** A count, or a percentage of some total such as `25%`. */
export type IntOrString = number | string

/** Thrown for a string that is no percentage. `code` is `InvalidIntOrString`. */
export class IntOrStringError extends Error {
  override readonly name = 'IntOrStringError'
  readonly code = 'InvalidIntOrString'
}

const PERCENT = /^(\d{1,9})%$/

/** The number in a percentage (25 for `25%`), or undefined when `value` is not one. */
export function percentOf(value: IntOrString): number | undefined {
  const match = typeof value === 'string' ? PERCENT.exec(value) : null
  return match ? Number(match[1]) : undefined
}

/**
 * A count as it is, a percentage as its share of `total`, rounded as told. Source: apimachinery
 * intstr.GetScaledValueFromIntOrPercent.
 * @throws {IntOrStringError} for a string that is not a percentage
 */
export function scaledValue(value: IntOrString, total: number, rounding: 'up' | 'down'): number {
  if (typeof value === 'number') return value
  const percent = percentOf(value)
  if (percent === undefined)
    throw new IntOrStringError(`invalid value ${JSON.stringify(value)}: want an integer or a percentage such as "25%"`)
  const share = (percent * total) / 100
  return rounding === 'up' ? Math.ceil(share) : Math.floor(share)
}
