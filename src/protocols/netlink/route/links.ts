import { NLM_ACK, NLM_CREATE, NLM_DUMP, NLM_EXCLUSIVE, NLM_REQUEST } from '../constants.ts'
import { AttributeCursor, uint32, type MessageCursor } from '../reader.ts'
import type { NetlinkWriter } from '../writer.ts'
import { int32, RTM } from './constants.ts'

/** An interface as the kernel tells it. */
export interface KernelLink {
  readonly index: number
  readonly name: string
  readonly isUp: boolean
  /** Up, and the wire too. */
  readonly hasCarrier: boolean
  readonly mtu: number
  /** Link-layer address; empty where there is none. */
  readonly address: Uint8Array
  /** `veth`, `vxlan`, ...; empty for hardware and the loopback. */
  readonly kind: string
  /** Index of the bridge it belongs to. */
  readonly master?: number
  /** Of a veth: index of the other end, in its own namespace. */
  readonly peer?: number
  readonly vxlan?: VxlanFacts
}

export interface VxlanFacts {
  readonly id: number
  readonly port: number
  /** Address that it sends from. */
  readonly local?: Uint8Array
  readonly learning: boolean
}

/** What can be said of an interface when it is made or changed. */
export interface LinkChange {
  readonly name?: string
  readonly isUp?: boolean
  readonly mtu?: number
  readonly address?: Uint8Array
  /** Index of a bridge; 0: none. */
  readonly master?: number
  /** Open file of a network namespace to move it to. */
  readonly namespaceFd?: number
}

export type NewLink = LinkChange & { readonly name: string } & (
    | { readonly kind: 'veth'; readonly peer: Omit<LinkChange, 'isUp'> & { readonly name: string } }
    | { readonly kind: 'vxlan'; readonly vxlan: VxlanFacts }
    | { readonly kind: 'bridge' | 'dummy' }
  )

const IFF_UP = 1
const IFF_LOWER_UP = 0x1_0000
const IFLA = { address: 1, name: 3, mtu: 4, link: 5, master: 10, info: 18, namespaceFd: 28, extendedMask: 29 } as const
const INFO = { kind: 1, data: 2 } as const
const VXLAN = { id: 1, local: 4, learning: 7, port: 15, local6: 17 } as const
const VETH_PEER = 1
/** No statistics: they are most of a link's message. */
const SKIP_STATISTICS = 8

export function writeNewLink(writer: NetlinkWriter, sequence: number, link: NewLink): void {
  writer.message(RTM.newLink, NLM_REQUEST | NLM_ACK | NLM_CREATE | NLM_EXCLUSIVE, sequence)
  writeChange(writer, 0, link)
  const info = writer.open(IFLA.info)
  writer.string(INFO.kind, link.kind)
  if (link.kind === 'veth') {
    const data = writer.open(INFO.data)
    const peer = writer.open(VETH_PEER)
    writeChange(writer, 0, link.peer)
    writer.close(peer)
    writer.close(data)
  } else if (link.kind === 'vxlan') {
    const data = writer.open(INFO.data)
    writeVxlan(writer, link.vxlan)
    writer.close(data)
  }
  writer.close(info)
}

export function writeSetLink(writer: NetlinkWriter, sequence: number, index: number, change: LinkChange): void {
  writer.message(RTM.newLink, NLM_REQUEST | NLM_ACK, sequence)
  writeChange(writer, index, change)
}

export function writeDeleteLink(writer: NetlinkWriter, sequence: number, index: number): void {
  writer.message(RTM.deleteLink, NLM_REQUEST | NLM_ACK, sequence)
  writer.head(linkHead(index, 0, 0))
}

/** All links; without statistics. */
export function writeGetLinks(writer: NetlinkWriter, sequence: number): void {
  writer.message(RTM.getLink, NLM_REQUEST | NLM_DUMP, sequence)
  writer.head(linkHead(0, 0, 0))
  writer.u32(IFLA.extendedMask, SKIP_STATISTICS)
}

/** One link, by name. */
export function writeGetLink(writer: NetlinkWriter, sequence: number, name: string): void {
  writer.message(RTM.getLink, NLM_REQUEST | NLM_ACK, sequence)
  writer.head(linkHead(0, 0, 0))
  writer.string(IFLA.name, name)
  writer.u32(IFLA.extendedMask, SKIP_STATISTICS)
}

/** Reads an RTM_NEWLINK or RTM_DELLINK. @throws NetlinkFormatError */
export function readLink(message: MessageCursor): KernelLink {
  const { bytes, start } = message
  const attributes = new AttributeCursor(bytes, start + 16, message.end)
  const flags = uint32(bytes, start + 8)
  let name = ''
  let mtu = 0
  let address: Uint8Array = new Uint8Array(0)
  let master: number | undefined
  let peer: number | undefined
  let info: { readonly kind: string; readonly vxlan?: VxlanFacts } = { kind: '' }
  while (attributes.next()) {
    if (attributes.type === IFLA.name) name = attributes.string()
    else if (attributes.type === IFLA.mtu) mtu = attributes.u32()
    else if (attributes.type === IFLA.address) address = attributes.value()
    else if (attributes.type === IFLA.master) master = attributes.u32()
    else if (attributes.type === IFLA.link) peer = attributes.u32()
    else if (attributes.type === IFLA.info) info = readInfo(attributes.nested())
  }
  return {
    index: uint32(bytes, start + 4),
    name,
    isUp: (flags & IFF_UP) !== 0,
    hasCarrier: (flags & IFF_UP) !== 0 && (flags & IFF_LOWER_UP) !== 0,
    mtu,
    address,
    kind: info.kind,
    ...(master !== undefined && { master }),
    ...(peer !== undefined && info.kind === 'veth' && { peer }),
    ...(info.vxlan && { vxlan: info.vxlan }),
  }
}

function writeChange(writer: NetlinkWriter, index: number, change: LinkChange): void {
  writer.head(linkHead(index, change.isUp ? IFF_UP : 0, change.isUp === undefined ? 0 : IFF_UP))
  if (change.name !== undefined) writer.string(IFLA.name, change.name)
  if (change.mtu !== undefined) writer.u32(IFLA.mtu, change.mtu)
  if (change.address !== undefined) writer.bytes(IFLA.address, change.address)
  if (change.master !== undefined) writer.u32(IFLA.master, change.master)
  if (change.namespaceFd !== undefined) writer.u32(IFLA.namespaceFd, change.namespaceFd)
}

/** ifinfomsg. */
function linkHead(index: number, flags: number, changed: number): readonly number[] {
  return [0, 0, 0, 0, ...int32(index), ...int32(flags), ...int32(changed)]
}

function writeVxlan(writer: NetlinkWriter, { id, port, local, learning }: VxlanFacts): void {
  writer.u32(VXLAN.id, id)
  writer.u16be(VXLAN.port, port)
  writer.u8(VXLAN.learning, learning ? 1 : 0)
  if (local) writer.bytes(local.length === 4 ? VXLAN.local : VXLAN.local6, local)
}

function readInfo(info: AttributeCursor): { readonly kind: string; readonly vxlan?: VxlanFacts } {
  let kind = ''
  let vxlan: VxlanFacts | undefined
  // the kind comes before the data
  while (info.next()) {
    if (info.type === INFO.kind) kind = info.string()
    else if (info.type === INFO.data && kind === 'vxlan') vxlan = readVxlan(info.nested())
  }
  return { kind, ...(vxlan && { vxlan }) }
}

function readVxlan(data: AttributeCursor): VxlanFacts {
  let id = 0
  let port = 0
  let learning = false
  let local: Uint8Array | undefined
  while (data.next()) {
    if (data.type === VXLAN.id) id = data.u32()
    else if (data.type === VXLAN.port) port = data.u16be()
    else if (data.type === VXLAN.learning) learning = data.u8() !== 0
    else if (data.type === VXLAN.local || data.type === VXLAN.local6) local = data.value()
  }
  return { id, port, learning, ...(local && { local }) }
}
