import { NLM_ACK, NLM_APPEND, NLM_CREATE, NLM_DUMP, NLM_REPLACE, NLM_REQUEST } from '../constants.ts'
import { AttributeCursor, uint16, uint32, type MessageCursor } from '../reader.ts'
import type { NetlinkWriter } from '../writer.ts'
import { AF_BRIDGE, familyOf, int32, RTM } from './constants.ts'

/** An entry of the neighbour tables: ARP, neighbour discovery, addresses answered for (proxy), or a bridge's forwarding table. */
export interface KernelNeighbour {
  readonly kind: 'neighbour' | 'proxy' | 'forwarding'
  /** Index of the interface. */
  readonly link: number
  /** The IP address. Of a forwarding entry of a VXLAN: the host behind which `address` is. */
  readonly ip?: Uint8Array
  /** Link-layer address; absent for proxies. */
  readonly address?: Uint8Array
  /** NUD_...; 0x80 is permanent. */
  readonly state: number
  /** Tag of the owner (NDA_PROTOCOL); 0: none. Forwarding entries have none. */
  readonly protocol: number
}

export const NUD_NOARP = 0x40
export const NUD_PERMANENT = 0x80

const NTF_SELF = 2
const NTF_PROXY = 8
const NDA = { ip: 1, address: 2, interface: 8, protocol: 12 } as const

export function writeNewNeighbour(writer: NetlinkWriter, sequence: number, neighbour: KernelNeighbour): void {
  writer.message(RTM.newNeighbour, NLM_REQUEST | NLM_ACK | NLM_CREATE | NLM_REPLACE, sequence)
  writeNeighbour(writer, neighbour)
}

/** Adds one more host to a forwarding entry, as for addresses that go to all (00:00:00:00:00:00). */
export function writeAppendForwarding(writer: NetlinkWriter, sequence: number, neighbour: KernelNeighbour): void {
  writer.message(RTM.newNeighbour, NLM_REQUEST | NLM_ACK | NLM_CREATE | NLM_APPEND, sequence)
  writeNeighbour(writer, neighbour)
}

export function writeDeleteNeighbour(writer: NetlinkWriter, sequence: number, neighbour: KernelNeighbour): void {
  writer.message(RTM.deleteNeighbour, NLM_REQUEST | NLM_ACK, sequence)
  writeNeighbour(writer, neighbour)
}

/** All entries of a kind, of one link if given. */
export function writeGetNeighbours(writer: NetlinkWriter, sequence: number, kind: KernelNeighbour['kind'], link = 0): void {
  writer.message(RTM.getNeighbour, NLM_REQUEST | NLM_DUMP, sequence)
  if (kind === 'forwarding') {
    writer.head(head(AF_BRIDGE, link, 0, 0))
    return
  }
  writer.head(head(0, 0, 0, kind === 'proxy' ? NTF_PROXY : 0))
  if (link !== 0) writer.u32(NDA.interface, link)
}

/** Reads an RTM_NEWNEIGH or RTM_DELNEIGH. @throws NetlinkFormatError */
export function readNeighbour(message: MessageCursor): KernelNeighbour {
  const { bytes, start } = message
  const attributes = new AttributeCursor(bytes, start + 12, message.end)
  const isProxy = ((bytes[start + 10] as number) & NTF_PROXY) !== 0
  let ip: Uint8Array | undefined
  let address: Uint8Array | undefined
  let protocol = 0
  while (attributes.next()) {
    if (attributes.type === NDA.ip) ip = attributes.value()
    else if (attributes.type === NDA.address) address = attributes.value()
    else if (attributes.type === NDA.protocol) protocol = attributes.u8()
  }
  return {
    kind: bytes[start] === AF_BRIDGE ? 'forwarding' : isProxy ? 'proxy' : 'neighbour',
    link: uint32(bytes, start + 4),
    ...(ip && { ip }),
    ...(address && { address }),
    state: uint16(bytes, start + 8),
    protocol,
  }
}

function writeNeighbour(writer: NetlinkWriter, { kind, link, ip, address, state, protocol }: KernelNeighbour): void {
  const flags = kind === 'forwarding' ? NTF_SELF : kind === 'proxy' ? NTF_PROXY : 0
  writer.head(head(kind === 'forwarding' || !ip ? AF_BRIDGE : familyOf(ip), link, state, flags))
  if (ip) writer.bytes(NDA.ip, ip)
  if (address) writer.bytes(NDA.address, address)
  if (protocol !== 0) writer.u8(NDA.protocol, protocol)
}

/** ndmsg. */
function head(family: number, link: number, state: number, flags: number): readonly number[] {
  return [family, 0, 0, 0, ...int32(link), state & 255, state >> 8, flags, 0]
}
