import type { HTTPHeaderFilter } from '../../../api/gateway.networking.k8s.io/v1/route-filters.ts'
import type { HeaderModifier } from '../model/index.ts'

/** Names in lower case; undefined where nothing changes. */
export function headerModifier(filter: HTTPHeaderFilter | undefined): HeaderModifier | undefined {
  if (!filter) return undefined
  const lower = (list: readonly { name: string; value: string }[]): { name: string; value: string }[] =>
    list.map(({ name, value }) => ({ name: name.toLowerCase(), value }))
  return {
    ...(filter.remove?.length ? { remove: filter.remove.map((name) => name.toLowerCase()) } : {}),
    ...(filter.set?.length ? { set: lower(filter.set) } : {}),
    ...(filter.add?.length ? { add: lower(filter.add) } : {}),
  }
}
