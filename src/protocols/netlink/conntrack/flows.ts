import { NLM_ACK, NLM_DUMP, NLM_REQUEST } from '../constants.ts'
import { netfilterHead } from '../netfilter.ts'
import { AttributeCursor, type MessageCursor } from '../reader.ts'
import type { NetlinkWriter } from '../writer.ts'

/** One direction of a flow. */
export interface FlowTuple {
  readonly source: Uint8Array
  readonly destination: Uint8Array
  /** IP protocol number. */
  readonly protocol: number
  /** 0 for protocols without ports. */
  readonly sourcePort: number
  readonly destinationPort: number
}

/** A tracked flow. The reply's source is who really answers: after DNAT the backend. */
export interface Flow {
  readonly family: 4 | 6
  readonly original: FlowTuple
  readonly reply: FlowTuple
  readonly mark: number
  /** Together with the original tuple it is one flow for sure: a new flow with the same tuple has another. */
  readonly id: number
  readonly zone: number
}

export const CTNL_MSG = { newFlow: 0x100, getFlow: 0x101, deleteFlow: 0x102 } as const

const AF_INET = 2
const AF_INET6 = 10
const CTA = { original: 1, reply: 2, mark: 8, id: 12, zone: 18, markMask: 21, filter: 25 } as const
const TUPLE = { ip: 1, protocol: 2 } as const
const IP = { source4: 1, destination4: 2, source6: 3, destination6: 4 } as const
const PROTO = { number: 1, sourcePort: 2, destinationPort: 3 } as const
const FILTER_ORIGINAL = 1
/** The protocol number of the original tuple counts, and nothing else of it. */
const FILTER_BY_PROTOCOL = 1 << 3

export interface FlowFilter {
  /** IP protocol number. */
  readonly protocol?: number
  readonly mark?: { readonly value: number; readonly mask: number }
}

/** All flows of a family; filtered by the kernel (since 5.8) where a filter is given. */
export function writeGetFlows(writer: NetlinkWriter, sequence: number, family: 4 | 6, filter: FlowFilter = {}): void {
  writer.message(CTNL_MSG.getFlow, NLM_REQUEST | NLM_DUMP, sequence)
  writer.head(netfilterHead(family === 4 ? AF_INET : AF_INET6, 0))
  if (filter.mark) {
    writer.u32be(CTA.mark, filter.mark.value)
    writer.u32be(CTA.markMask, filter.mark.mask)
  }
  if (filter.protocol === undefined) return
  const tuple = writer.open(CTA.original)
  const protocol = writer.open(TUPLE.protocol)
  writer.u8(PROTO.number, filter.protocol)
  writer.close(protocol)
  writer.close(tuple)
  const nest = writer.open(CTA.filter)
  writer.u32(FILTER_ORIGINAL, FILTER_BY_PROTOCOL)
  writer.close(nest)
}

/** Deletes one flow: by its original tuple and its id. */
export function writeDeleteFlow(writer: NetlinkWriter, sequence: number, flow: Flow, isAcknowledged: boolean): void {
  writer.message(CTNL_MSG.deleteFlow, isAcknowledged ? NLM_REQUEST | NLM_ACK : NLM_REQUEST, sequence)
  writer.head(netfilterHead(flow.family === 4 ? AF_INET : AF_INET6, 0))
  writeFlow(writer, flow)
}

/** The attributes of a flow. */
export function writeFlow(writer: NetlinkWriter, { original, reply, mark, id, zone }: Flow): void {
  writeTuple(writer, CTA.original, original)
  writeTuple(writer, CTA.reply, reply)
  if (mark !== 0) writer.u32be(CTA.mark, mark)
  writer.u32be(CTA.id, id)
  if (zone !== 0) writer.u16be(CTA.zone, zone)
}

/** Reads an IPCTNL_MSG_CT_NEW or _DELETE. @throws NetlinkFormatError */
export function readFlow(message: MessageCursor): Flow {
  const attributes = new AttributeCursor(message.bytes, message.start + 4, message.end)
  let original = NO_TUPLE
  let reply = NO_TUPLE
  let mark = 0
  let id = 0
  let zone = 0
  while (attributes.next()) {
    if (attributes.type === CTA.original) original = readTuple(attributes.nested())
    else if (attributes.type === CTA.reply) reply = readTuple(attributes.nested())
    else if (attributes.type === CTA.mark) mark = attributes.u32be()
    else if (attributes.type === CTA.id) id = attributes.u32be()
    else if (attributes.type === CTA.zone) zone = attributes.u16be()
  }
  return { family: message.bytes[message.start] === AF_INET6 ? 6 : 4, original, reply, mark, id, zone }
}

const NO_TUPLE: FlowTuple = { source: new Uint8Array(0), destination: new Uint8Array(0), protocol: 0, sourcePort: 0, destinationPort: 0 }

function writeTuple(writer: NetlinkWriter, type: number, { source, destination, protocol, sourcePort, destinationPort }: FlowTuple): void {
  const tuple = writer.open(type)
  const ip = writer.open(TUPLE.ip)
  writer.bytes(source.length === 4 ? IP.source4 : IP.source6, source)
  writer.bytes(destination.length === 4 ? IP.destination4 : IP.destination6, destination)
  writer.close(ip)
  const proto = writer.open(TUPLE.protocol)
  writer.u8(PROTO.number, protocol)
  writer.u16be(PROTO.sourcePort, sourcePort)
  writer.u16be(PROTO.destinationPort, destinationPort)
  writer.close(proto)
  writer.close(tuple)
}

function readTuple(tuple: AttributeCursor): FlowTuple {
  let { source, destination, protocol, sourcePort, destinationPort } = NO_TUPLE
  while (tuple.next()) {
    const fields = tuple.nested()
    if (tuple.type === TUPLE.ip) {
      while (fields.next()) {
        if (fields.type === IP.source4 || fields.type === IP.source6) source = fields.value()
        else if (fields.type === IP.destination4 || fields.type === IP.destination6) destination = fields.value()
      }
    } else if (tuple.type === TUPLE.protocol) {
      while (fields.next()) {
        if (fields.type === PROTO.number) protocol = fields.u8()
        else if (fields.type === PROTO.sourcePort) sourcePort = fields.u16be()
        else if (fields.type === PROTO.destinationPort) destinationPort = fields.u16be()
      }
    }
  }
  return { source, destination, protocol, sourcePort, destinationPort }
}
