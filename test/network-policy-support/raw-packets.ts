// First packets of flows, made by hand: TCP SYN, UDP datagram, SCTP INIT, each with a token that tells them apart. Checksums are right, for conntrack
// takes packets with wrong ones for strays.
import { parseIp } from '../../src/base/ip.ts'

export type ProbeProtocol = 'TCP' | 'UDP' | 'SCTP'
export const PROTOCOL_NUMBERS: Readonly<Record<ProbeProtocol, number>> = { TCP: 6, UDP: 17, SCTP: 132 }

export interface FirstPacket {
  readonly source: string
  readonly destination: string
  readonly protocol: ProbeProtocol
  readonly sourcePort: number
  readonly port: number
  /** 32 bits. */
  readonly token: number
  /** TCP: a RST out of the blue, which belongs to no flow. */
  readonly stray?: boolean
}

/** The outer packet of a tunnelled one, IPv4. */
export interface Tunnelling {
  readonly source: string
  readonly destination: string
  readonly port: number
  /** VXLAN network. */
  readonly id: number
  /** Of the tunnel's end. */
  readonly mac: string
}

const SYN = 0x02
const RST = 0x04

/** The whole packet, IP header included. */
export function firstPacket(packet: FirstPacket): Uint8Array {
  const source = parseIp(packet.source) as Uint8Array
  const destination = parseIp(packet.destination) as Uint8Array
  const payload = transport(packet, source, destination)
  const number = PROTOCOL_NUMBERS[packet.protocol]
  if (source.length === 4) return Buffer.concat([ipv4Header({ source, destination, number, length: payload.length }), payload])
  const header = Buffer.alloc(40)
  header.writeUInt32BE(0x6000_0000, 0)
  header.writeUInt16BE(payload.length, 4)
  header.writeUInt8(number, 6)
  header.writeUInt8(64, 7)
  header.set(source, 8)
  header.set(destination, 24)
  return Buffer.concat([header, payload])
}

/** A packet within a packet of VXLAN. */
export function tunnelled(inner: Uint8Array, { source, destination, port, id, mac }: Tunnelling): Uint8Array {
  const outer = Buffer.alloc(8 + 8 + 14)
  outer.writeUInt16BE(50_000, 0)
  outer.writeUInt16BE(port, 2)
  outer.writeUInt16BE(outer.length + inner.length, 4) // UDP over IPv4 needs no checksum
  outer.writeUInt8(0x08, 8)
  outer.writeUInt32BE(id << 8, 12)
  outer.set(Buffer.from(mac.replaceAll(':', ''), 'hex'), 16)
  outer.writeUInt16BE(0x0800, 28)
  const ends = { source: parseIp(source) as Uint8Array, destination: parseIp(destination) as Uint8Array }
  return Buffer.concat([ipv4Header({ ...ends, number: PROTOCOL_NUMBERS.UDP, length: outer.length + inner.length }), outer, inner])
}

function ipv4Header(of: {
  readonly source: Uint8Array
  readonly destination: Uint8Array
  readonly number: number
  readonly length: number
}): Buffer {
  const header = Buffer.alloc(20)
  header.writeUInt8(0x45, 0)
  header.writeUInt16BE(20 + of.length, 2)
  header.writeUInt8(64, 8)
  header.writeUInt8(of.number, 9)
  header.set(of.source, 12)
  header.set(of.destination, 16)
  header.writeUInt16BE(checksum(header), 10)
  return header
}

/** Token of a first packet, from its transport header on; undefined for all else (answers, strangers). */
export function tokenOf(protocol: ProbeProtocol, bytes: Uint8Array): number | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (protocol === 'TCP') return view.length >= 20 && (view[13] === SYN || view[13] === RST) ? view.readUInt32BE(4) : undefined
  if (protocol === 'UDP') return view.length === 12 ? view.readUInt32BE(8) : undefined
  return view.length >= 32 && view[12] === 1 ? view.readUInt32BE(16) : undefined
}

function transport({ protocol, sourcePort, port, token, stray = false }: FirstPacket, source: Uint8Array, destination: Uint8Array): Buffer {
  const size = { TCP: 20, UDP: 12, SCTP: 32 }[protocol]
  const bytes = Buffer.alloc(size)
  bytes.writeUInt16BE(sourcePort, 0)
  bytes.writeUInt16BE(port, 2)
  if (protocol === 'SCTP') {
    bytes.writeUInt8(1, 12) // INIT
    bytes.writeUInt16BE(20, 14)
    bytes.writeUInt32BE(token, 16)
    bytes.writeUInt32BE(65_536, 20)
    bytes.writeUInt16BE(1, 24)
    bytes.writeUInt16BE(1, 26)
    bytes.writeUInt32BE(token, 28)
    bytes.writeUInt32LE(crc32c(bytes), 8)
    return bytes
  }
  if (protocol === 'TCP') {
    bytes.writeUInt32BE(token, 4)
    bytes.writeUInt8(5 << 4, 12)
    bytes.writeUInt8(stray ? RST : SYN, 13)
    bytes.writeUInt16BE(65_535, 14)
  } else {
    bytes.writeUInt16BE(size, 4)
    bytes.writeUInt32BE(token, 8)
  }
  const tail = Buffer.alloc(4)
  tail.writeUInt16BE(size, 0)
  tail.writeUInt8(PROTOCOL_NUMBERS[protocol], 3)
  const sum = checksum(Buffer.concat([source, destination, tail, bytes]))
  bytes.writeUInt16BE(sum === 0 ? 0xffff : sum, protocol === 'TCP' ? 16 : 6)
  return bytes
}

function checksum(bytes: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] as number) << 8) | (bytes[i + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let crc = n
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1
  return crc
})

function crc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff
  for (const byte of bytes) crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ byte) & 0xff] as number)
  return (crc ^ 0xffff_ffff) >>> 0
}
