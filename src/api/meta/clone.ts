/**
 * Deep copy of a JSON value (bigint included). Plain objects, arrays and scalars only; an own `__proto__` property stays
 * a property. Recursive: depth is what the decoder allows.
 */
export function cloneJson<T>(value: T): T {
  return typeof value === 'object' && value !== null ? (cloneContainer(value) as T) : value
}

function cloneContainer(value: object): object {
  if (Array.isArray(value)) {
    const copy: unknown[] = value.slice()
    for (let i = 0; i < copy.length; i++) {
      const item = copy[i]
      if (typeof item === 'object' && item !== null) copy[i] = cloneContainer(item)
    }
    return copy
  }
  // spread keeps the hidden class and never calls the `__proto__` setter; the property is own by the time it is assigned
  const copy: Record<string, unknown> = { ...value }
  for (const key of Object.keys(copy)) {
    const item = copy[key]
    if (typeof item === 'object' && item !== null) copy[key] = cloneContainer(item)
  }
  return copy
}
