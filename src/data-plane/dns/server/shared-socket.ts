import { createSocket, type Socket } from 'node:dgram'
import { createServer, isIPv6, type Server, type Socket as Connection } from 'node:net'
import { libcProblem, loadLibc, type Libc } from '../../../base/linux/libc.ts'
import { AF_INET, AF_INET6, nativeInt, socketAddress } from '../../../base/linux/socket-address.ts'

export interface ListenAddress {
  readonly host: string
  /** 0: any that is free; the same for UDP and TCP only when it is given. */
  readonly port: number
}

/** A socket that several processes may have at the same address, so that one can take over from another. */
export interface UdpEndpoint {
  readonly socket: Socket
  /** No new datagram comes here from now on, those that are here already do. False: the kernel cannot do that here. */
  stopReceiving(): boolean
}

const SOCK_STREAM = 1
const SOCK_DGRAM = 2
const SOCK_FLAGS = 0x800 | 0x8_0000 // non-blocking, close on exec
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const SO_RCVBUF = 8
const SO_REUSEPORT = 15
const IPPROTO_IPV6 = 41
const IPV6_V6ONLY = 26
/** Room for what comes while this process is busy. */
const RECEIVE_BYTES = 4 * 1024 * 1024
const BACKLOG = 511

/** Opens a UDP socket. Where system calls cannot be made it is an ordinary one, whose address nobody else can have. @throws Error (`EADDRINUSE`, ...) */
export async function openUdp(address: ListenAddress): Promise<UdpEndpoint> {
  const type = isIPv6(address.host) ? 'udp6' : 'udp4'
  // the addresses of clients are numbers: looking them up costs a turn of the event loop each
  const lookup = (host: string, _options: unknown, done: (error: null, address: string, family: number) => void): void =>
    done(null, host, type === 'udp6' ? 6 : 4)
  const socket = createSocket({ type, lookup: lookup as never, ipv6Only: type === 'udp6' })
  if (libcProblem()) {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.bind({ address: address.host, port: address.port }, () => (socket.off('error', reject), resolve()))
    })
    return { socket, stopReceiving: () => false }
  }
  const libc = loadLibc()
  const fd = openFd(libc, address, SOCK_DGRAM)
  try {
    libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, nativeInt(RECEIVE_BYTES))
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.bind({ fd }, () => (socket.off('error', reject), resolve()))
    })
  } catch (error) {
    libc.close(fd)
    throw error
  }
  return {
    socket,
    // A connected socket takes datagrams of its peer alone: the kernel gives all others to the next process. The discard port of this machine sends none.
    stopReceiving() {
      libc.connect(fd, socketAddress(type === 'udp6' ? '::1' : '127.0.0.1', 9))
      return true
    },
  }
}

/** Opens a TCP listener in the same way. */
export async function openTcp(address: ListenAddress, onConnection: (connection: Connection) => void): Promise<Server> {
  const server = createServer({ noDelay: true, allowHalfOpen: true }, onConnection)
  const listen = (options: { fd: number } | { host: string; port: number; ipv6Only: boolean }): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(options, () => (server.off('error', reject), resolve()))
    })
  if (libcProblem()) {
    await listen({ ...address, ipv6Only: isIPv6(address.host) })
    return server
  }
  const libc = loadLibc()
  const fd = openFd(libc, address, SOCK_STREAM)
  try {
    libc.listen(fd, BACKLOG)
    await listen({ fd })
  } catch (error) {
    libc.close(fd)
    throw error
  }
  return server
}

function openFd(libc: Libc, { host, port }: ListenAddress, kind: number): number {
  const isV6 = isIPv6(host)
  const fd = libc.socket(isV6 ? AF_INET6 : AF_INET, kind | SOCK_FLAGS, 0)
  try {
    if (kind === SOCK_STREAM) libc.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, nativeInt(1))
    libc.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, nativeInt(1))
    if (isV6) libc.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, nativeInt(1))
    libc.bind(fd, socketAddress(host, port))
    return fd
  } catch (error) {
    libc.close(fd)
    throw error
  }
}
