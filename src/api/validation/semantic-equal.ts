/**
 * Whether two JSON values mean the same: as deepEqual of meta/equality.ts, but a list or object with nothing in it is as
 * good as none (upstream compares Go values, where an empty list is the zero value). Source: k8s.io/apimachinery
 * equality.Semantic.
 */
export function semanticEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (!isContainer(a)) return !isContainer(b) ? (a ?? undefined) === (b ?? undefined) : (a === undefined || a === null) && isVoid(b)
  if (!isContainer(b)) return (b === undefined || b === null) && isVoid(a)
  if (Array.isArray(a) !== Array.isArray(b)) return isVoid(a) && isVoid(b)
  if (Array.isArray(a) && a.length !== (b as readonly unknown[]).length) return false
  const [one, two] = [a as Record<string, unknown>, b as Record<string, unknown>]
  return Object.keys({ ...one, ...two }).every((key) => semanticEqual(own(one, key), own(two, key)))
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** Nothing in it, however deep. A list of empty things has a length and is not void. */
function isVoid(value: object): boolean {
  if (Array.isArray(value)) return value.length === 0
  return Object.values(value).every((item) => item === undefined || item === null || (isContainer(item) && isVoid(item)))
}

function own(object: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined
}
