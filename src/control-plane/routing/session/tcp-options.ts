import type { IpBytes, IpPrefix } from '../../../base/ip.ts'
import { loadLibc } from '../../../base/linux/libc.ts'

/** Numbers of Linux (asm-generic/socket.h, linux/in.h, linux/in6.h, linux/tcp.h). */
export const LINUX = {
  AF_INET: 2,
  AF_INET6: 10,
  SOCK_STREAM: 1,
  SOCK_DGRAM: 2,
  SOCK_NONBLOCK: 0x800,
  SOCK_CLOEXEC: 0x80000,
  SOL_SOCKET: 1,
  SO_REUSEADDR: 2,
  IPPROTO_IP: 0,
  IPPROTO_TCP: 6,
  IPPROTO_IPV6: 41,
  IP_TOS: 1,
  IP_TTL: 2,
  IP_MINTTL: 21,
  IPV6_UNICAST_HOPS: 16,
  IPV6_V6ONLY: 26,
  IPV6_TCLASS: 67,
  IPV6_MINHOPCOUNT: 73,
  TCP_MD5SIG: 14,
  TCP_MD5SIG_EXT: 32,
} as const

const MD5SIG_BYTES = 216
const KEY_OFFSET = 136
const FLAG_PREFIX = 1
/** Internetwork control (RFC 4271 appendix E asks for precedence). */
const CONTROL_CLASS = 0xc0

/** `struct sockaddr_in` or `sockaddr_in6`. */
export function socketAddress(address: IpBytes, port: number): Uint8Array {
  const isV4 = address.length === 4
  const out = new Uint8Array(isV4 ? 16 : 28)
  const view = new DataView(out.buffer)
  // the family is a number of the machine
  view.setUint16(0, isV4 ? LINUX.AF_INET : LINUX.AF_INET6, true)
  view.setUint16(2, port)
  out.set(address, isV4 ? 4 : 8)
  return out
}

/** `int` of the machine. */
export function int32(value: number): Uint8Array {
  const out = new Uint8Array(4)
  new DataView(out.buffer).setInt32(0, value, true)
  return out
}

/**
 * Packets from and to these addresses carry signatures with this password (RFC 2385); on a listening socket connections of others are not
 * concerned. An empty password takes the key away.
 */
export function setMd5Key(fd: number, peers: IpPrefix, password: string): void {
  const key = new TextEncoder().encode(password)
  const value = new Uint8Array(MD5SIG_BYTES)
  value.set(socketAddress(peers.bytes, 0))
  const isRange = peers.length < peers.bytes.length * 8
  if (isRange) {
    value[128] = FLAG_PREFIX
    value[129] = peers.length
  }
  new DataView(value.buffer).setUint16(130, key.length, true)
  value.set(key, KEY_OFFSET)
  loadLibc().setsockopt(fd, LINUX.IPPROTO_TCP, isRange ? LINUX.TCP_MD5SIG_EXT : LINUX.TCP_MD5SIG, value)
}

/** Time to live of what is sent, and the least of what is taken (RFC 5082); the kernel drops what has less. */
export function setTtl(fd: number, family: 4 | 6, options: { readonly ttl?: number; readonly minTtl?: number }): void {
  const libc = loadLibc()
  const level = family === 4 ? LINUX.IPPROTO_IP : LINUX.IPPROTO_IPV6
  if (options.ttl !== undefined) libc.setsockopt(fd, level, family === 4 ? LINUX.IP_TTL : LINUX.IPV6_UNICAST_HOPS, int32(options.ttl))
  if (options.minTtl !== undefined) {
    libc.setsockopt(fd, level, family === 4 ? LINUX.IP_MINTTL : LINUX.IPV6_MINHOPCOUNT, int32(options.minTtl))
  }
}

/** Marks packets as network control. */
export function setControlClass(fd: number, family: 4 | 6): void {
  const [level, name] = family === 4 ? [LINUX.IPPROTO_IP, LINUX.IP_TOS] : [LINUX.IPPROTO_IPV6, LINUX.IPV6_TCLASS]
  loadLibc().setsockopt(fd, level, name, int32(CONTROL_CLASS))
}
