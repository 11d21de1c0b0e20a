import { EMPTY_SNAPSHOT, type ProxySnapshot } from '../config/index.ts'

type Part = Exclude<keyof ProxySnapshot, 'settings'>

const PARTS = ['listeners', 'routes', 'clusters', 'endpoints', 'secrets'] as const satisfies readonly Part[]

/** What makes one snapshot of another, as JSON: a whole step, never a part of one. */
export interface ConfigChange {
  /** Absent: as before. */
  readonly settings?: NonNullable<ProxySnapshot['settings']>
  readonly parts: { readonly [part in Part]?: PartChange }
}

interface PartChange {
  readonly set: readonly (readonly [name: string, value: unknown])[]
  readonly gone: readonly string[]
}

/** Costs what has changed, and a look at the names of parts that have. @param before default: nothing, so that all is in the change */
export function changeBetween(before: ProxySnapshot = EMPTY_SNAPSHOT, after: ProxySnapshot): ConfigChange {
  const parts: { [part in Part]?: PartChange } = {}
  for (const part of PARTS) {
    const [was, is] = [before[part] as ReadonlyMap<string, unknown>, after[part] as ReadonlyMap<string, unknown>]
    if (was === is) continue
    const set = [...is].filter(([name, value]) => was.get(name) !== value)
    const gone = [...was.keys()].filter((name) => !is.has(name))
    if (set.length > 0 || gone.length > 0) parts[part] = { set, gone }
  }
  return { ...(after.settings && after.settings !== before.settings ? { settings: after.settings } : {}), parts }
}

/** The snapshot after a change; what is not in the change are the same objects as before. */
export function applyChange(before: ProxySnapshot, { settings, parts }: ConfigChange): ProxySnapshot {
  const changed: { [part in Part]?: ReadonlyMap<string, unknown> } = {}
  for (const part of PARTS) {
    const change = parts[part]
    if (!change) continue
    const next = new Map<string, unknown>(before[part])
    for (const name of change.gone) next.delete(name)
    for (const [name, value] of change.set) next.set(name, value)
    changed[part] = next
  }
  return { ...before, ...(changed as Partial<ProxySnapshot>), ...(settings ? { settings } : {}) }
}
