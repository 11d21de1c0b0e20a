import { AttributeCursor, type MessageCursor } from '../netlink/index.ts'
import { NFNL_SUBSYS_NFTABLES, NFT_FAMILIES, NFT_MSG } from './constants.ts'

/** The end of a transaction, as it is told to the multicast group: who made it. */
export interface Generation {
  readonly id: number
  /** Of the thread that sent it, in the first process namespace. 0: the kernel does not say. */
  readonly pid: number
  readonly process: string
}

const FAMILY_NAMES = new Map(Object.entries(NFT_FAMILIES).map(([name, number]) => [number, name]))

/** Reads an NFT_MSG_NEWGEN. @throws NetlinkFormatError */
export function readGeneration(message: MessageCursor): Generation {
  let id = 0
  let pid = 0
  let process = ''
  const attributes = new AttributeCursor(message.bytes, message.start + 4, message.end)
  while (attributes.next()) {
    if (attributes.type === 1) id = attributes.u32be()
    else if (attributes.type === 2) pid = attributes.u32be()
    else if (attributes.type === 3) process = attributes.string()
  }
  return { id, pid, process }
}

/** `family table` of a notification about a table, chain, rule, set, element or object; undefined for all else. @throws NetlinkFormatError */
export function readChangedTable(message: MessageCursor): string | undefined {
  if (message.type >> 8 !== NFNL_SUBSYS_NFTABLES || message.type === NFT_MSG.newGeneration) return undefined
  const attributes = new AttributeCursor(message.bytes, message.start + 4, message.end)
  const family = message.bytes[message.start] as number
  // the name of the table is attribute 1 of all these
  while (attributes.next()) if (attributes.type === 1) return `${FAMILY_NAMES.get(family) ?? family} ${attributes.string()}`
  return undefined
}
