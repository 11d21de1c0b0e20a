import { NLM_ACK, NLM_CREATE, NLM_REQUEST, NetlinkWriter, netfilterHead } from '../netlink/index.ts'
import { NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END, NFNL_SUBSYS_NFTABLES, NFT_FAMILIES, NFT_MSG } from './constants.ts'
import type { SetShape } from './sets.ts'

export interface Verdict {
  readonly verdict: 'accept' | 'drop' | 'return' | 'jump' | 'goto'
  readonly chain?: string
}

/** One element of a set or map. Fields of keys and data lie in network order, each padded with zeros to a multiple of 4 bytes. */
export interface Element {
  readonly key: Uint8Array
  /** Last key of a range, inclusive. */
  readonly keyEnd?: Uint8Array
  readonly data?: Uint8Array | Verdict
  readonly timeoutMs?: number
}

/** Elements of one set, together with what the kernel says about that set. */
export interface SetChange {
  readonly op: 'add' | 'delete'
  readonly family: string
  readonly table: string
  readonly set: string
  readonly shape: SetShape
  readonly elements: readonly Element[]
}

/** One transaction, ready to be sent in one call: the kernel takes a batch only whole. */
export interface ElementBatch {
  readonly bytes: Uint8Array
  /** An error with this number is about the batch as a whole. */
  readonly beginSequence: number
  /** Of the last message: it alone is acknowledged, after all errors. Equal to `beginSequence` when there was nothing to do. */
  readonly lastSequence: number
}

/** Thrown for an element that does not fit its set. `code` is `BadElement`. */
export class ElementError extends Error {
  override readonly name = 'ElementError'
  readonly code = 'BadElement'
}

/** The length field of the list of elements has 16 bits; an element has at most some 700. */
const MESSAGE_BYTES = 60_000
const INTERVAL_END = 1
/** Source: linux/netfilter.h NF_*, linux/netfilter/nf_tables.h NFT_*. */
export const VERDICT_CODES = { drop: 0, accept: 1, jump: -3, goto: -4, return: -5 } as const
const ATTRIBUTE = { table: 1, set: 2, elements: 3 } as const
const ELEMENT = { key: 1, data: 2, flags: 3, timeout: 4, keyEnd: 10 } as const
const DATA = { value: 1, verdict: 2 } as const

/**
 * Encodes changes of elements as one transaction (BATCH_BEGIN ... BATCH_END), split in messages where a list would grow beyond what its
 * length field counts. Plain interval sets get two elements for a range, as the kernel wants: its begin, and behind its end a mark.
 * @throws {ElementError}
 */
export function encodeElementBatch(changes: readonly SetChange[], firstSequence: number): ElementBatch {
  const count = changes.reduce((sum, change) => sum + change.elements.length, 0)
  const writer = new NetlinkWriter(256 + 128 * count)
  let sequence = firstSequence
  writer.message(NFNL_MSG_BATCH_BEGIN, NLM_REQUEST, sequence)
  writer.head(netfilterHead(0, NFNL_SUBSYS_NFTABLES))
  let lastAt = -1
  for (const change of changes) {
    for (let next = 0; next < change.elements.length;) {
      lastAt = writer.length
      next = writeElements(writer, change, next, ++sequence)
    }
  }
  const lastSequence = sequence
  writer.message(NFNL_MSG_BATCH_END, NLM_REQUEST, ++sequence)
  writer.head(netfilterHead(0, NFNL_SUBSYS_NFTABLES))
  const bytes = writer.finish()
  if (lastAt >= 0) bytes[lastAt + 6] = (bytes[lastAt + 6] as number) | NLM_ACK
  return { bytes, beginSequence: firstSequence, lastSequence }
}

/** Writes as many elements, from `from` on, as one message holds. @returns the index of the first that is left. @throws {ElementError} */
export function writeElements(writer: NetlinkWriter, change: SetChange, from: number, sequence: number): number {
  const isAdd = change.op === 'add'
  writer.message(isAdd ? NFT_MSG.newElement : NFT_MSG.deleteElement, isAdd ? NLM_REQUEST | NLM_CREATE : NLM_REQUEST, sequence)
  writer.head(netfilterHead(NFT_FAMILIES[change.family] ?? 0, 0))
  writer.string(ATTRIBUTE.table, change.table)
  writer.string(ATTRIBUTE.set, change.set)
  const list = writer.open(ATTRIBUTE.elements)
  let index = from
  while (index < change.elements.length && writer.length - list < MESSAGE_BYTES) {
    writeElement(writer, change, change.elements[index] as Element)
    index++
  }
  writer.close(list)
  return index
}

function writeElement(writer: NetlinkWriter, { op, set, shape }: SetChange, element: Element): void {
  const key = fit(element.key, shape.keyBytes, set)
  const keyEnd = element.keyEnd && fit(element.keyEnd, shape.keyBytes, set)
  if (keyEnd && !shape.isInterval) throw new ElementError(`set ${set} has no ranges (flag interval)`)
  const nest = writer.open(1)
  writeData(writer, ELEMENT.key, key)
  if (op === 'add') {
    if (element.data instanceof Uint8Array) writeData(writer, ELEMENT.data, fit(element.data, shape.dataBytes, set))
    else if (element.data) writeVerdict(writer, element.data)
    if (element.timeoutMs !== undefined) writer.u64be(ELEMENT.timeout, BigInt(Math.max(1, Math.round(element.timeoutMs))))
  }
  if (keyEnd && shape.isConcatenation) writeData(writer, ELEMENT.keyEnd, keyEnd)
  writer.close(nest)
  if (shape.isInterval && !shape.isConcatenation) writeIntervalEnd(writer, keyEnd ?? key)
}

/** The mark lies on the first key that is outside; there is none behind the last of all keys. */
function writeIntervalEnd(writer: NetlinkWriter, last: Uint8Array): void {
  const outside = last.slice()
  let at = outside.length - 1
  while (at >= 0 && outside[at] === 255) outside[at--] = 0
  if (at < 0) return
  outside[at] = (outside[at] as number) + 1
  const nest = writer.open(1)
  writeData(writer, ELEMENT.key, outside)
  writer.u32be(ELEMENT.flags, INTERVAL_END)
  writer.close(nest)
}

function writeData(writer: NetlinkWriter, type: number, value: Uint8Array): void {
  const nest = writer.open(type)
  writer.bytes(DATA.value, value)
  writer.close(nest)
}

function writeVerdict(writer: NetlinkWriter, { verdict, chain }: Verdict): void {
  const data = writer.open(ELEMENT.data)
  const nest = writer.open(DATA.verdict)
  writer.u32be(1, VERDICT_CODES[verdict])
  if (chain !== undefined) writer.string(2, chain)
  writer.close(nest)
  writer.close(data)
}

/** Cuts the padding behind a field that is alone in its key: there the kernel wants none. */
function fit(bytes: Uint8Array, length: number, set: string): Uint8Array {
  if (bytes.length === length) return bytes
  if (bytes.length !== ((length + 3) & ~3))
    throw new ElementError(`set ${set} has keys or data of ${length} bytes; an element has ${bytes.length}`)
  return bytes.subarray(0, length)
}
