import { NLM_ACK, NLM_CREATE, NLM_DUMP, NLM_REPLACE, NLM_REQUEST } from '../constants.ts'
import { AttributeCursor, uint32, type MessageCursor } from '../reader.ts'
import type { NetlinkWriter } from '../writer.ts'
import { familyOf, int32, RTM } from './constants.ts'

/** An address of an interface. */
export interface KernelAddress {
  readonly bytes: Uint8Array
  /** Of the prefix. */
  readonly length: number
  /** Index of the link. */
  readonly link: number
  /** 0 universe, 253 link, 254 host. */
  readonly scope: number
  readonly flags: number
}

/** Flags of addresses. */
export const IFA_NODAD = 0x2
export const IFA_DADFAILED = 0x8
export const IFA_TENTATIVE = 0x40
export const IFA_NOPREFIXROUTE = 0x200

const IFA = { address: 1, local: 2, flags: 8 } as const

/** An address that is there already, the same, is no error. */
export function writeNewAddress(writer: NetlinkWriter, sequence: number, address: KernelAddress): void {
  writer.message(RTM.newAddress, NLM_REQUEST | NLM_ACK | NLM_CREATE | NLM_REPLACE, sequence)
  writeAddress(writer, address)
}

export function writeDeleteAddress(writer: NetlinkWriter, sequence: number, address: KernelAddress): void {
  writer.message(RTM.deleteAddress, NLM_REQUEST | NLM_ACK, sequence)
  writeAddress(writer, address)
}

export function writeGetAddresses(writer: NetlinkWriter, sequence: number): void {
  writer.message(RTM.getAddress, NLM_REQUEST | NLM_DUMP, sequence)
  writer.head([0, 0, 0, 0, 0, 0, 0, 0])
}

/** Reads an RTM_NEWADDR or RTM_DELADDR. @throws NetlinkFormatError */
export function readAddress(message: MessageCursor): KernelAddress {
  const { bytes: all, start } = message
  const attributes = new AttributeCursor(all, start + 8, message.end)
  let bytes: Uint8Array = new Uint8Array(0)
  let isLocal = false
  let flags = all[start + 2] as number
  while (attributes.next()) {
    // on point-to-point links IFA_ADDRESS is the other end
    if (attributes.type === IFA.local) {
      bytes = attributes.value()
      isLocal = true
    } else if (attributes.type === IFA.address && !isLocal) bytes = attributes.value()
    else if (attributes.type === IFA.flags) flags = attributes.u32()
  }
  return { bytes, length: all[start + 1] as number, link: uint32(all, start + 4), scope: all[start + 3] as number, flags }
}

function writeAddress(writer: NetlinkWriter, { bytes, length, link, scope, flags }: KernelAddress): void {
  writer.head([familyOf(bytes), length, flags & 255, scope, ...int32(link)])
  writer.bytes(IFA.local, bytes)
  writer.bytes(IFA.address, bytes)
  writer.u32(IFA.flags, flags)
}
