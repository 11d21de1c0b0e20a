import { setOwn } from '../../base/json.ts'

/** Thrown for text that is no path. `code` is `InvalidPath`. */
export class PathError extends Error {
  override readonly name = 'PathError'
  readonly code = 'InvalidPath'
}

/** A field name, or an index into a list. */
export type PathStep = string | number

const STEP = /\.?([A-Za-z_$][-A-Za-z0-9_$]*)|\[(\d{1,9})\]|\[(?:'([^']*)'|"([^"]*)")\]/y

/**
 * Splits a simple JSON path: `.spec.replicas`, `spec.containers[0].name`, `.metadata.annotations['a.b/c']`.
 * @throws {PathError} for anything else (filters, wildcards, an empty path)
 */
export function parsePath(path: string): readonly PathStep[] {
  const steps: PathStep[] = []
  STEP.lastIndex = 0
  for (let at = 0; at < path.length; at = STEP.lastIndex) {
    const match = STEP.exec(path)
    if (!match)
      throw new PathError(`cannot read the path ${JSON.stringify(path)} from character ${at + 1}: want fields such as .spec.replicas`)
    steps.push(match[2] === undefined ? ((match[1] ?? match[3] ?? match[4]) as string) : Number(match[2]))
  }
  if (steps.length === 0) throw new PathError('the path is empty')
  return steps
}

/** The value at `path`, or undefined where some step is missing. @throws {PathError} */
export function getPath(object: unknown, path: string): unknown {
  let value = object
  for (const step of parsePath(path)) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    value = (value as Record<PathStep, unknown>)[step]
  }
  return value
}

/**
 * Sets the value at `path` in `object`, which it changes; missing objects on the way are made. Setting undefined removes
 * the last field. @throws {PathError} when a step on the way is neither an object nor a list
 */
export function setPath(object: object, path: string, value: unknown): void {
  const steps = parsePath(path)
  let at = object as Record<PathStep, unknown>
  for (const step of steps.slice(0, -1)) {
    if (!Object.hasOwn(at, step)) setOwn(at, String(step), {})
    const next = at[step]
    if (typeof next !== 'object' || next === null) throw new PathError(`cannot set ${path}: ${step} is not an object`)
    at = next as Record<PathStep, unknown>
  }
  const last = steps.at(-1) as PathStep
  if (value === undefined) delete at[last]
  else setOwn(at, String(last), value)
}
