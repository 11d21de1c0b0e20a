import { AttributeCursor, NLM_ACK, NLM_REQUEST, NetlinkWriter, netfilterHead, type MessageCursor } from '../netlink/index.ts'
import { NFT_FAMILIES, NFT_MSG } from './constants.ts'

/** What the form of a set's elements depends on. */
export interface SetShape {
  readonly keyBytes: number
  /** 0: no map, or one of verdicts. */
  readonly dataBytes: number
  /** Holds ranges. */
  readonly isInterval: boolean
  /** Ranges of several fields: each element says both ends. */
  readonly isConcatenation: boolean
}

const FLAG_INTERVAL = 0x4
const FLAG_CONCAT = 0x80

/** A request for one set, acknowledged. */
export function encodeGetSet(set: { readonly family: string; readonly table: string; readonly set: string }, sequence: number): Uint8Array {
  const writer = new NetlinkWriter(128)
  writer.message(NFT_MSG.getSet, NLM_REQUEST | NLM_ACK, sequence)
  writer.head(netfilterHead(NFT_FAMILIES[set.family] ?? 0, 0))
  writer.string(1, set.table)
  writer.string(2, set.set)
  return writer.finish()
}

/** Reads the answer, an NFT_MSG_NEWSET. @throws NetlinkFormatError */
export function readSetShape(message: MessageCursor): SetShape {
  let flags = 0
  let keyBytes = 0
  let dataBytes = 0
  const attributes = new AttributeCursor(message.bytes, message.start + 4, message.end)
  while (attributes.next()) {
    if (attributes.type === 3) flags = attributes.u32be()
    else if (attributes.type === 5) keyBytes = attributes.u32be()
    else if (attributes.type === 7) dataBytes = attributes.u32be()
  }
  return { keyBytes, dataBytes, isInterval: (flags & FLAG_INTERVAL) !== 0, isConcatenation: (flags & FLAG_CONCAT) !== 0 }
}
