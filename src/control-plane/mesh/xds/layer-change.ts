import type { EncodedResource, ResourceChange, SourceResource } from './contract.ts'
import type { Layer } from './layers.ts'
import { isUrgent } from './urgency.ts'

export type LayerChange = Required<Omit<ResourceChange, 'proxies'>>

const EMPTY: ReadonlyMap<string, EncodedResource> = new Map()

/** What has other bytes, and whether it is urgent. Undefined: nothing. */
export function changeBetween(before: Layer, after: Layer): LayerChange | undefined {
  if (before === after) return undefined
  const changed = new Map<string, Set<string>>()
  for (const typeUrl of new Set([...before.types.keys(), ...after.types.keys()])) {
    const [was, is] = [before.types.get(typeUrl) ?? EMPTY, after.types.get(typeUrl) ?? EMPTY]
    if (was === is) continue
    const names = new Set<string>()
    for (const [name, { version }] of is) if (was.get(name)?.version !== version) names.add(name)
    for (const name of was.keys()) if (!is.has(name)) names.add(name)
    if (names.size > 0) changed.set(typeUrl, names)
  }
  return changed.size === 0 ? undefined : { names: changed, urgent: isUrgentBetween(before.source, after.source) }
}

function isUrgentBetween(before: readonly SourceResource[], after: readonly SourceResource[]): boolean {
  const kept = new Set(after)
  const lost = before.filter((one) => !kept.has(one))
  if (lost.length === 0) return false
  const known = new Set(before)
  const fresh = new Map(after.flatMap((one) => (known.has(one) ? [] : [[`${one.type}/${one.value.name}`, one] as const])))
  return lost.some((one) => isUrgent(one, fresh.get(`${one.type}/${one.value.name}`)))
}
