import { countElements, encodeDumpElements, encodeDumpRules, readRuleChain } from '../../../protocols/nftables/index.ts'
import type { NftContents } from '../contract.ts'
import { NetlinkError, type NetlinkSocket } from '../netlink/index.ts'

/** Others commit now and then; while they do so all the time nothing can be said. */
const TRIES = 10

/** Counts what a table has. @throws NetlinkError `ENOENT` when it, or one of the sets, is not there; `EINTR` when others write all the time */
export async function countContents(
  socket: NetlinkSocket,
  table: { readonly family: string; readonly table: string },
  sets: readonly string[],
): Promise<NftContents> {
  const elements = new Map<string, number>()
  for (const set of sets) {
    await whole(`set ${table.family} ${table.table} ${set}`, (what) => {
      elements.set(set, 0)
      const lastSequence = socket.sequences(1)
      const bytes = encodeDumpElements({ ...table, set }, lastSequence)
      return socket.dump({ bytes, lastSequence, what }, (message) => {
        elements.set(set, (elements.get(set) ?? 0) + countElements(message))
      })
    })
  }
  const rules = new Map<string, number>()
  await whole(`rules of ${table.family} ${table.table}`, (what) => {
    rules.clear()
    const lastSequence = socket.sequences(1)
    return socket.dump({ bytes: encodeDumpRules(table, lastSequence), lastSequence, what }, (message) => {
      const chain = readRuleChain(message)
      rules.set(chain, (rules.get(chain) ?? 0) + 1)
    })
  })
  return { elements, rules }
}

/** Reads again what was changed by others, in whatever table, while it was read. */
async function whole(what: string, read: (what: string) => Promise<{ readonly isInterrupted: boolean }>): Promise<void> {
  for (let tries = 0; tries < TRIES; tries++) if (!(await read(what)).isInterrupted) return
  throw new NetlinkError(what, 'EINTR')
}
