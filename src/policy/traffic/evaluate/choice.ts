/**
 * A choice by weight.
 * @returns a function of a number in [0, 1); entries of weight 0 are never chosen
 * @throws RangeError where no weight is positive
 */
export function compileWeighted<T>(entries: readonly { readonly value: T; readonly weight: number }[]): (random: number) => T {
  const chosen = entries.filter(({ weight }) => weight > 0)
  const total = chosen.reduce((sum, { weight }) => sum + weight, 0)
  const last = chosen.at(-1)
  if (!last || !Number.isFinite(total)) throw new RangeError('weights must add up to more than 0')
  if (chosen.length === 1) return () => last.value
  const bounds = new Float64Array(chosen.length)
  let sum = 0
  for (const [i, { weight }] of chosen.entries()) bounds[i] = sum += weight
  return (random) => {
    const point = random * total
    for (let i = 0; i < bounds.length; i++) if (point < (bounds[i] as number)) return (chosen[i] as { value: T }).value
    return last.value
  }
}
