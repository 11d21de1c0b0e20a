import { NLM_ACK, NLM_REQUEST } from '../constants.ts'
import { netfilterHead } from '../netfilter.ts'
import { AttributeCursor, type MessageCursor } from '../reader.ts'
import { NetlinkWriter } from '../writer.ts'

/** Types of messages, subsystem included. */
export const NFULNL_MSG = { packet: 0x400, config: 0x401 } as const

const COMMAND_BIND = 1
const MODE_PACKET = 2
const FLAG_SEQUENCE = 1
const CONFIG = { command: 1, mode: 2, timeout: 4, threshold: 5, flags: 6 } as const
const PACKET = { head: 1, mark: 2, time: 3, inDevice: 4, outDevice: 5, payload: 9, prefix: 10, sequence: 12 } as const

/** A packet as a rule has logged it. */
export interface LoggedPacketMessage {
  /** Of the rule: `log prefix "..."`. */
  readonly prefix: string
  /** NF_INET_...: 0 prerouting, 1 input, 2 forward, 3 output, 4 postrouting. */
  readonly hook: number
  readonly mark: number
  /** Indexes of the links; 0: none. */
  readonly inDevice: number
  readonly outDevice: number
  /** Counts the packets of the group: a gap is what was lost. */
  readonly sequence: number
  /** Milliseconds since 1970; undefined for packets that this machine has made. */
  readonly timeMs: number | undefined
  /** From the IP head on, as much as was asked for. Lies in the buffer that was read. */
  readonly payload: Uint8Array
}

/**
 * What binds a socket to a group: the socket gets the first `copyBytes` of each packet logged, in one datagram for several packets or after
 * `delayMs`, whichever is first. Each of the two requests is acknowledged.
 */
export function encodeBindGroup(group: number, copyBytes: number, delayMs: number): readonly Uint8Array[] {
  const bind = new NetlinkWriter(64)
  bind.message(NFULNL_MSG.config, NLM_REQUEST | NLM_ACK, 1)
  bind.head(netfilterHead(0, group))
  bind.u8(CONFIG.command, COMMAND_BIND)
  const configure = new NetlinkWriter(64)
  configure.message(NFULNL_MSG.config, NLM_REQUEST | NLM_ACK, 2)
  configure.head(netfilterHead(0, group))
  const range = [copyBytes >>> 24, (copyBytes >>> 16) & 255, (copyBytes >>> 8) & 255, copyBytes & 255]
  configure.bytes(CONFIG.mode, Uint8Array.from([...range, MODE_PACKET, 0]))
  configure.u32be(CONFIG.timeout, Math.ceil(delayMs / 10))
  configure.u32be(CONFIG.threshold, 50)
  configure.u16be(CONFIG.flags, FLAG_SEQUENCE)
  return [bind.finish(), configure.finish()]
}

/** Reads an NFULNL_MSG_PACKET. @throws NetlinkFormatError */
export function readLoggedPacket(message: MessageCursor): LoggedPacketMessage {
  const { bytes } = message
  const attributes = new AttributeCursor(bytes, message.start + 4, message.end)
  const found = { prefix: '', hook: 0, mark: 0, inDevice: 0, outDevice: 0, sequence: 0 }
  let timeMs: number | undefined
  let payload = bytes.subarray(0, 0)
  while (attributes.next()) {
    const { type, start, end } = attributes
    if (type === PACKET.prefix) found.prefix = attributes.string()
    else if (type === PACKET.mark) found.mark = attributes.u32be()
    else if (type === PACKET.inDevice) found.inDevice = attributes.u32be()
    else if (type === PACKET.outDevice) found.outDevice = attributes.u32be()
    else if (type === PACKET.sequence) found.sequence = attributes.u32be()
    else if (type === PACKET.payload) payload = bytes.subarray(start, end)
    else if (type === PACKET.head && end - start >= 3) found.hook = bytes[start + 2] as number
    else if (type === PACKET.time && end - start >= 16) {
      const micros = new AttributeCursor(bytes, end - 12, end)
      micros.start = end - 8
      micros.end = end
      timeMs = Number(attributes.u64be()) * 1000 + Number(micros.u64be()) / 1000
    }
  }
  return { ...found, timeMs, payload }
}
