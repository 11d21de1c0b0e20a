import { NLM_ACK, NLM_APPEND, NLM_CREATE, NLM_REQUEST, NetlinkWriter, netfilterHead } from '../netlink/index.ts'
import { NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END, NFNL_SUBSYS_NFTABLES, NFT_FAMILIES, NFT_MSG } from './constants.ts'
import { writeElements, type Element, type ElementBatch } from './elements.ts'
import { writeExpression, type Expression } from './expressions.ts'
import type { SetShape } from './sets.ts'

/** Elements of a set or map. */
interface ElementsChange {
  readonly op: 'add-elements' | 'delete-elements'
  readonly name: string
  readonly shape: SetShape
  readonly elements: readonly Element[]
}

type OtherChange =
  | { readonly op: 'add-counter' | 'delete-counter' | 'add-chain' | 'flush-chain' | 'delete-chain' | 'delete-set'; readonly name: string }
  /** `keyType`: nft's number of the type, for its listings. No map. */
  | { readonly op: 'add-set'; readonly name: string; readonly keyType: number; readonly keyBytes: number; readonly isInterval: boolean }
  | { readonly op: 'add-rule'; readonly name: string; readonly expressions: readonly Expression[] }

/** One step of a transaction on a table. The order is the caller's: what is used must be there, what is deleted must not be used any more. */
export type StructureChange = OtherChange | ElementsChange

export interface StructureBatch extends ElementBatch {
  /** Sequence number of a message -> what it asks for. */
  readonly changeOf: (sequence: number) => StructureChange | undefined
}

const COUNTER = 1
const FLAG_INTERVAL = 0x4

/** Encodes changes of one table as one transaction. @throws {ElementError} */
export function encodeStructureBatch(
  table: { readonly family: string; readonly table: string },
  changes: readonly StructureChange[],
  firstSequence: number,
): StructureBatch {
  const writer = new NetlinkWriter(4096)
  const asked: StructureChange[] = []
  let lastAt = -1
  const begin = (type: number, flags: number, change: StructureChange): void => {
    lastAt = writer.length
    asked.push(change)
    writer.message(type, flags, firstSequence + asked.length)
    writer.head(netfilterHead(NFT_FAMILIES[table.family] ?? 0, 0))
    writer.string(1, table.table)
  }
  writer.message(NFNL_MSG_BATCH_BEGIN, NLM_REQUEST, firstSequence)
  writer.head(netfilterHead(0, NFNL_SUBSYS_NFTABLES))
  for (const [index, change] of changes.entries()) {
    if (!('elements' in change)) {
      writeChange(writer, change, { begin, id: index + 1 })
      continue
    }
    const { name: set, shape, elements } = change
    for (let next = 0; next < elements.length;) {
      lastAt = writer.length
      asked.push(change)
      const op = change.op === 'add-elements' ? 'add' : 'delete'
      next = writeElements(writer, { op, ...table, set, shape, elements }, next, firstSequence + asked.length)
    }
  }
  const lastSequence = firstSequence + asked.length
  writer.message(NFNL_MSG_BATCH_END, NLM_REQUEST, lastSequence + 1)
  writer.head(netfilterHead(0, NFNL_SUBSYS_NFTABLES))
  const bytes = writer.finish()
  if (lastAt >= 0) bytes[lastAt + 6] = (bytes[lastAt + 6] as number) | NLM_ACK
  return { bytes, beginSequence: firstSequence, lastSequence, changeOf: (sequence) => asked[sequence - firstSequence - 1] }
}

/** Messages that the changes take at most, the two around them included. */
export function messagesOf(changes: readonly StructureChange[]): number {
  return changes.reduce((sum, change) => sum + ('elements' in change ? change.elements.length : 1), 2)
}

function writeChange(
  writer: NetlinkWriter,
  change: OtherChange,
  { begin, id }: { readonly begin: (type: number, flags: number, change: StructureChange) => void; readonly id: number },
): void {
  const { name } = change
  switch (change.op) {
    case 'add-counter':
    case 'delete-counter': {
      const isNew = change.op === 'add-counter'
      begin(isNew ? NFT_MSG.newObject : NFT_MSG.deleteObject, isNew ? NLM_REQUEST | NLM_CREATE : NLM_REQUEST, change)
      writer.string(2, name)
      writer.u32be(3, COUNTER)
      if (isNew) writer.close(writer.open(4))
      return
    }
    case 'add-chain':
      begin(NFT_MSG.newChain, NLM_REQUEST | NLM_CREATE, change)
      return writer.string(3, name)
    case 'delete-chain':
      begin(NFT_MSG.deleteChain, NLM_REQUEST, change)
      return writer.string(3, name)
    case 'flush-chain':
      // all rules of the chain
      begin(NFT_MSG.deleteRule, NLM_REQUEST, change)
      return writer.string(2, name)
    case 'add-set':
      begin(NFT_MSG.newSet, NLM_REQUEST | NLM_CREATE, change)
      writer.string(2, name)
      writer.u32be(3, change.isInterval ? FLAG_INTERVAL : 0)
      writer.u32be(4, change.keyType)
      writer.u32be(5, change.keyBytes)
      return writer.u32be(10, id)
    case 'delete-set':
      begin(NFT_MSG.deleteSet, NLM_REQUEST, change)
      return writer.string(2, name)
    case 'add-rule': {
      begin(NFT_MSG.newRule, NLM_REQUEST | NLM_CREATE | NLM_APPEND, change)
      writer.string(2, name)
      const list = writer.open(4)
      for (const expression of change.expressions) writeExpression(writer, expression)
      return writer.close(list)
    }
  }
}
