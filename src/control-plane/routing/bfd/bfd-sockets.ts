import { createSocket, type Socket } from 'node:dgram'
import type { Random } from '../../../base/backoff.ts'
import { formatIp, parseIp, type IpBytes } from '../../../base/ip.ts'
import { loadLibc, SystemCallError } from '../../../base/linux/libc.ts'
import { int32, LINUX, setControlClass, setTtl, socketAddress } from '../session/tcp-options.ts'

/** Ports of RFC 5881 and RFC 5883. */
export const BFD_PORT = { singleHop: 3784, multihop: 4784 } as const

export type BfdReceive = (bytes: Uint8Array, remote: IpBytes) => void

export interface BfdSender {
  send(bytes: Uint8Array): void
  close(): void
}

/** UDP sockets for BFD in one network namespace. */
export interface BfdSockets {
  /** Packets of one hop are taken only with a time to live of 255 (RFC 5881 section 5). */
  listen(family: 4 | 6, multihop: boolean, receive: BfdReceive): { close(): void }
  sender(remote: { readonly address: IpBytes; readonly device?: string }, multihop: boolean): BfdSender
}

/** @param inside runs a function in the network namespace that the sockets are to be in */
export function kernelBfdSockets(random: Random, inside: <T>(fn: () => T) => T = (fn) => fn()): BfdSockets {
  return {
    listen(family, multihop, receive) {
      const socket = open(family, inside, (fd) => {
        const libc = loadLibc()
        libc.setsockopt(fd, LINUX.SOL_SOCKET, LINUX.SO_REUSEADDR, int32(1))
        if (family === 6) libc.setsockopt(fd, LINUX.IPPROTO_IPV6, LINUX.IPV6_V6ONLY, int32(1))
        if (!multihop) libc.attachFilter(fd, ttlFilter(family))
        libc.bind(fd, socketAddress(new Uint8Array(family === 4 ? 4 : 16), multihop ? BFD_PORT.multihop : BFD_PORT.singleHop))
      })
      socket.on('message', (bytes, { address }) => {
        const remote = parseIp(address.replace(/%.*$/, ''))
        if (remote) receive(bytes, remote)
      })
      return { close: () => void socket.close() }
    },
    sender({ address, device }, multihop) {
      const family = address.length === 4 ? 4 : 6
      const socket = open(family, inside, (fd) => {
        setTtl(fd, family, { ttl: 255 })
        setControlClass(fd, family)
        bindHigh(fd, family, random)
      })
      const host = `${formatIp(address)}${device === undefined ? '' : `%${device}`}`
      return {
        // what cannot be sent is a lost packet: the other side counts those
        send: (bytes) => socket.send(bytes, multihop ? BFD_PORT.multihop : BFD_PORT.singleHop, host, () => {}),
        close: () => void socket.close(),
      }
    },
  }
}

function open(family: 4 | 6, inside: <T>(fn: () => T) => T, prepare: (fd: number) => void): Socket {
  const libc = loadLibc()
  const domain = family === 4 ? LINUX.AF_INET : LINUX.AF_INET6
  const fd = inside(() => libc.socket(domain, LINUX.SOCK_DGRAM | LINUX.SOCK_NONBLOCK | LINUX.SOCK_CLOEXEC, 0))
  try {
    prepare(fd)
  } catch (error) {
    libc.close(fd)
    throw error
  }
  const socket = createSocket(family === 4 ? 'udp4' : 'udp6')
  // errors of single packets, such as ICMP answers
  socket.on('error', () => {})
  socket.bind({ fd })
  return socket
}

/** A source port of 49152 or above, which RFC 5881 section 4 asks for. */
function bindHigh(fd: number, family: 4 | 6, random: Random): void {
  for (let attempt = 0; ; attempt++) {
    const port = 49_152 + Math.floor(random() * 16_384)
    try {
      return loadLibc().bind(fd, socketAddress(new Uint8Array(family === 4 ? 4 : 16), port))
    } catch (error) {
      if (attempt === 20 || !(error instanceof SystemCallError && error.code === 'EADDRINUSE')) throw error
    }
  }
}

/** Classic BPF: a time to live (hop limit) of 255, or nothing. */
function ttlFilter(family: 4 | 6): Uint8Array {
  const NETWORK_HEADER = -0x100000
  const instructions = [
    { code: 0x30, yes: 0, no: 0, value: NETWORK_HEADER + (family === 4 ? 8 : 7) },
    { code: 0x15, yes: 0, no: 1, value: 255 },
    { code: 0x06, yes: 0, no: 0, value: -1 },
    { code: 0x06, yes: 0, no: 0, value: 0 },
  ]
  const out = new Uint8Array(instructions.length * 8)
  const view = new DataView(out.buffer)
  instructions.forEach(({ code, yes, no, value }, i) => {
    view.setUint16(i * 8, code, true)
    view.setUint8(i * 8 + 2, yes)
    view.setUint8(i * 8 + 3, no)
    view.setInt32(i * 8 + 4, value, true)
  })
  return out
}
