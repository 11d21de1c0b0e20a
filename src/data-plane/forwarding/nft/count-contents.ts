import { countElements, encodeDumpElements, encodeDumpRules, readRuleChain } from '../../../protocols/nftables/index.ts'
import type { NftContents } from '../contract.ts'
import type { NetlinkSocket } from '../netlink/index.ts'

/** Counts what a table has. @throws NetlinkError `ENOENT` when it, or one of the sets, is not there; `EINTR` when others write meanwhile */
export async function countContents(
  socket: NetlinkSocket,
  table: { readonly family: string; readonly table: string },
  sets: readonly string[],
): Promise<NftContents> {
  const elements = new Map<string, number>()
  for (const set of sets) {
    const lastSequence = socket.sequences(1)
    let count = 0
    const bytes = encodeDumpElements({ ...table, set }, lastSequence)
    await socket.dump(
      { bytes, lastSequence, what: `set ${table.family} ${table.table} ${set}` },
      (message) => (count += countElements(message)),
    )
    elements.set(set, count)
  }
  const rules = new Map<string, number>()
  const lastSequence = socket.sequences(1)
  const bytes = encodeDumpRules(table, lastSequence)
  await socket.dump({ bytes, lastSequence, what: `rules of ${table.family} ${table.table}` }, (message) => {
    const chain = readRuleChain(message)
    rules.set(chain, (rules.get(chain) ?? 0) + 1)
  })
  return { elements, rules }
}
