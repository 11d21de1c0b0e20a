import { setTimeout as delay } from 'node:timers/promises'
import { parseIp } from '../../src/base/ip.ts'
import { loadLibc, type SystemCallError } from '../../src/base/linux/libc.ts'
import type { LabHost } from '../../src/testing/network-lab/index.ts'

const AF_INET = 2
const AF_INET6 = 10
const SOCK_RAW = 3
const SCTP = 132
const ICMP = 1
const MSG_DONTWAIT = 0x40

/** A raw socket inside a host: SCTP packets by hand, for kernels that have no SCTP of their own (they translate it all the same). */
export class RawSocket {
  readonly #fd: number
  readonly #family: 4 | 6

  constructor(host: LabHost, family: 4 | 6, protocol: 'SCTP' | 'ICMP' = 'SCTP') {
    this.#family = family
    const number = protocol === 'SCTP' ? SCTP : ICMP
    this.#fd = host.inside(() => loadLibc().socket(family === 4 ? AF_INET : AF_INET6, SOCK_RAW, number))
  }

  send(to: string, packet: Uint8Array): void {
    const address = parseIp(to) as Uint8Array
    const socketAddress = new Uint8Array(this.#family === 4 ? 16 : 28)
    socketAddress[0] = this.#family === 4 ? AF_INET : AF_INET6
    socketAddress.set(address, this.#family === 4 ? 4 : 8)
    loadLibc().sendto(this.#fd, packet, 0, socketAddress)
  }

  /** The next packet without its IPv4 header, and for IPv4 who sent it. */
  async receive(withinMs = 2000): Promise<{ readonly payload: Buffer; readonly from: string } | undefined> {
    const buffer = Buffer.alloc(2048)
    for (const deadline = performance.now() + withinMs; performance.now() < deadline; await delay(5)) {
      try {
        const packet = buffer.subarray(0, loadLibc().recv(this.#fd, buffer, MSG_DONTWAIT))
        if (this.#family === 6) return { payload: packet, from: '' }
        return { payload: packet.subarray(((packet[0] as number) & 15) * 4), from: [...packet.subarray(12, 16)].join('.') }
      } catch (error) {
        if ((error as SystemCallError).code !== 'EAGAIN') throw error
      }
    }
    return undefined
  }

  close(): void {
    loadLibc().close(this.#fd)
  }
}

/** An INIT (RFC 9260 section 3.3.2) or INIT ACK without cookie, with the checksum that connection tracking wants to see. */
export function sctpInit(sourcePort: number, destinationPort: number, type: 'INIT' | 'INIT ACK' = 'INIT'): Uint8Array {
  const packet = Buffer.alloc(32)
  packet.writeUInt16BE(sourcePort, 0)
  packet.writeUInt16BE(destinationPort, 2)
  if (type === 'INIT ACK') packet.writeUInt32BE(0x1234, 4)
  packet[12] = type === 'INIT' ? 1 : 2
  packet.writeUInt16BE(20, 14)
  packet.writeUInt32BE(0x1234, 16)
  packet.writeUInt32BE(65_536, 20)
  packet.writeUInt16BE(1, 24)
  packet.writeUInt16BE(1, 26)
  packet.writeUInt32BE(1, 28)
  packet.writeUInt32LE(crc32c(packet), 8)
  return packet
}

function crc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f6_3b78 : 0)
  }
  return (crc ^ 0xffff_ffff) >>> 0
}
