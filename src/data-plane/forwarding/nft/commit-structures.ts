import { encodeStructureBatch, messagesOf, type StructureChange } from '../../../protocols/nftables/index.ts'
import { errnoName } from '../../../base/linux/libc.ts'
import type { NetlinkSocket } from '../netlink/index.ts'
import { NftError } from './nft-error.ts'

/** Changes chains, rules, sets and elements of one table in one transaction. @throws {NftError} */
export async function commitStructures(
  socket: NetlinkSocket,
  table: { readonly family: string; readonly table: string },
  changes: readonly StructureChange[],
): Promise<void> {
  if (changes.length === 0) return
  const batch = encodeStructureBatch(table, changes, socket.sequences(messagesOf(changes)))
  const { bytes, lastSequence, beginSequence } = batch
  const [error] = await socket.request({ bytes, lastSequence, beginSequence, what: `nf_tables ${table.family} ${table.table}` })
  if (!error) return
  const change = batch.changeOf(error.sequence)
  const code = errnoName(error.errno)
  const words = error.message === undefined ? '' : ` (${error.message})`
  throw new NftError(`${change ? `${change.op} ${change.name}` : 'transaction'} of ${table.family} ${table.table}: ${code}${words}`, code)
}
