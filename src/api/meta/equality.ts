/**
 * Whether two JSON values are the same on the wire: order of keys does not matter, a property that is undefined counts as
 * absent. Numbers are compared with numbers, bigints with bigints.
 */
export function deepEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a)) return Array.isArray(b) && equalArrays(a, b)
  return !Array.isArray(b) && equalObjects(a as Record<string, unknown>, b as Record<string, unknown>)
}

function equalArrays(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (!deepEqual(a[i], b[i])) return false
  return true
}

function equalObjects(a: Record<string, unknown>, b: Record<string, unknown>): boolean {
  const keys = Object.keys(a)
  let present = 0
  for (const key of keys) {
    const value = a[key]
    if (value === undefined) continue
    // own properties only: b may lack a key that its prototype has
    if (!Object.hasOwn(b, key) || !deepEqual(value, b[key])) return false
    present++
  }
  const others = Object.keys(b)
  if (others.length === present) return true
  for (const key of others) if (b[key] !== undefined && present-- === 0) return false
  return present === 0
}
