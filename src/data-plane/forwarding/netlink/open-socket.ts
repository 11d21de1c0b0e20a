import { inNetworkNamespace } from '../../../base/linux/network-namespace.ts'
import { loadLibc, type SystemCallError } from '../../../base/linux/libc.ts'

const AF_NETLINK = 16
const SOCK_RAW_CLOEXEC = 3 | 0x8_0000
const SOL_SOCKET = 1
const SO_SNDBUF = 7
const SO_RCVBUF = 8
const SO_SNDBUFFORCE = 32
const SO_RCVBUFFORCE = 33
const SOL_NETLINK = 270
const NETLINK_ADD_MEMBERSHIP = 1
const NETLINK_CAP_ACK = 10
const NETLINK_EXT_ACK = 11
const NETLINK_GET_STRICT_CHK = 12
const PORT_TRIES = 64
/** Process ids have at most 22 bits: ports above them are never those that the kernel gives to other programs. */
const PID_BITS = 22

let opened = 0

export interface OpenSocketOptions {
  /** NETLINK_ROUTE 0, NETLINK_NETFILTER 12. */
  readonly protocol: number
  /** Path of a network namespace; default: the one of this thread. */
  readonly namespace?: string
  /** Multicast groups, by number. */
  readonly groups?: readonly number[]
  /** Room for what waits to be read, taken only when used. Needs CAP_NET_ADMIN to go above net.core.rmem_max; else that is what it gets. */
  readonly receiveBytes: number
  /** Room for one call; default: the system's. */
  readonly sendBytes?: number
  /** Classic BPF: see Libc.attachFilter. */
  readonly filter?: Uint8Array
}

/** A netlink socket with a port of its own, extended acknowledgements and strict dumps. @throws SystemCallError */
export function openSocket(options: OpenSocketOptions): { readonly fd: number; readonly port: number } {
  const libc = loadLibc()
  const open = (): number => libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, options.protocol)
  const fd = options.namespace === undefined ? open() : inNetworkNamespace(options.namespace, open)
  try {
    setBuffer(fd, 'receive', options.receiveBytes)
    if (options.sendBytes !== undefined) setBuffer(fd, 'send', options.sendBytes)
    for (const name of [NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK]) libc.setsockopt(fd, SOL_NETLINK, name, int(1))
    if (options.filter) libc.attachFilter(fd, options.filter)
    const port = bindToFreePort(fd)
    for (const group of options.groups ?? []) libc.setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, int(group))
    return { fd, port }
  } catch (error) {
    libc.close(fd)
    throw error
  }
}

/** Sets a buffer's size, beyond the limit for all when this process may. */
export function setBuffer(fd: number, which: 'send' | 'receive', sizeBytes: number): void {
  const libc = loadLibc()
  try {
    libc.setsockopt(fd, SOL_SOCKET, which === 'send' ? SO_SNDBUFFORCE : SO_RCVBUFFORCE, int(sizeBytes))
  } catch (error) {
    if ((error as SystemCallError).code !== 'EPERM') throw error
    libc.setsockopt(fd, SOL_SOCKET, which === 'send' ? SO_SNDBUF : SO_RCVBUF, int(sizeBytes))
  }
}

function bindToFreePort(fd: number): number {
  const libc = loadLibc()
  for (let tries = 1; ; tries++) {
    opened = (opened % 1023) + 1
    const port = ((opened << PID_BITS) | process.pid) >>> 0
    try {
      libc.bind(fd, address(port))
      return port
    } catch (error) {
      if ((error as SystemCallError).code !== 'EADDRINUSE' || tries === PORT_TRIES) throw error
    }
  }
}

/** sockaddr_nl. */
function address(port: number): Uint8Array {
  const bytes = new Uint8Array(12)
  bytes[0] = AF_NETLINK
  bytes.set(int(port), 4)
  return bytes
}

function int(value: number): Uint8Array {
  return Uint8Array.from([value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24])
}
