import { EVENT_ID, type Event } from 'js-yaml'

/** Nodes that all aliases of one text may add together; honest manifests stay far below. */
const MAX_ALIASED_NODES = 50_000

/**
 * Where a text goes beyond what its aliases may add, counted without building anything: each anchor's size is known once,
 * aliases inside it included.
 * @returns the offset of the alias, or undefined when all is well
 */
export function findExcessiveAlias(source: string, events: readonly Event[]): number | undefined {
  if (!events.some((event) => event.type === EVENT_ID.ALIAS)) return undefined
  let sizes = new Map<string, number>()
  const open: { readonly anchor: string; readonly nodesBefore: number }[] = []
  let nodes = 0
  let aliased = 0
  for (const event of events) {
    if (event.type === EVENT_ID.POP) {
      const { anchor, nodesBefore } = open.pop() as (typeof open)[number]
      if (anchor !== '') sizes.set(anchor, nodes - nodesBefore)
      continue
    }
    if (event.type === EVENT_ID.DOCUMENT) {
      sizes = new Map()
      open.push({ anchor: '', nodesBefore: nodes })
      continue
    }
    const name = event.anchorStart < 0 ? '' : source.slice(event.anchorStart, event.anchorEnd)
    if (event.type === EVENT_ID.ALIAS) {
      const size = sizes.get(name) ?? 1
      nodes += size
      aliased += size
      if (aliased > MAX_ALIASED_NODES) return event.anchorStart
    } else if (event.type === EVENT_ID.SCALAR) {
      nodes++
      if (name !== '') sizes.set(name, 1)
    } else {
      open.push({ anchor: name, nodesBefore: nodes })
      nodes++
    }
  }
  return undefined
}
