import { AttributeCursor, NLM_DUMP, NLM_REQUEST, NetlinkWriter, netfilterHead, type MessageCursor } from '../netlink/index.ts'
import { NFT_FAMILIES, NFT_MSG } from './constants.ts'

const TABLE = 1
const SET = 2
const ELEMENTS = 3
/** Of a rule. */
const CHAIN = 2

/** A request for all elements of a set. */
export function encodeDumpElements(
  set: { readonly family: string; readonly table: string; readonly set: string },
  sequence: number,
): Uint8Array {
  const writer = dump(NFT_MSG.getElement, set, sequence)
  writer.string(SET, set.set)
  return writer.finish()
}

/** A request for all rules of a table. */
export function encodeDumpRules(table: { readonly family: string; readonly table: string }, sequence: number): Uint8Array {
  return dump(NFT_MSG.getRule, table, sequence).finish()
}

/** How many elements one message of such a dump has. @throws NetlinkFormatError */
export function countElements(message: MessageCursor): number {
  let count = 0
  const attributes = new AttributeCursor(message.bytes, message.start + 4, message.end)
  while (attributes.next()) {
    if (attributes.type !== ELEMENTS) continue
    const elements = attributes.nested()
    while (elements.next()) count++
  }
  return count
}

/** The chain of a rule. @throws NetlinkFormatError */
export function readRuleChain(message: MessageCursor): string {
  const attributes = new AttributeCursor(message.bytes, message.start + 4, message.end)
  while (attributes.next()) if (attributes.type === CHAIN) return attributes.string()
  return ''
}

function dump(type: number, { family, table }: { readonly family: string; readonly table: string }, sequence: number): NetlinkWriter {
  const writer = new NetlinkWriter(128)
  writer.message(type, NLM_REQUEST | NLM_DUMP, sequence)
  writer.head(netfilterHead(NFT_FAMILIES[family] ?? 0, 0))
  writer.string(TABLE, table)
  return writer
}
