import { once } from 'node:events'
import { createServer, Socket, type Server, type SocketConstructorOpts } from 'node:net'
import { formatIp, parseIp, prefixOf, type IpBytes, type IpPrefix } from '../../../base/ip.ts'
import { loadLibc, SystemCallError } from '../../../base/linux/libc.ts'
import type { TransportConfig } from '../config/routing-config.ts'
import { int32, LINUX, setControlClass, setMd5Key, setTtl, socketAddress } from './tcp-options.ts'

/** A TCP connection as sessions use it; `net.Socket` is one. */
export type BgpSocket = Socket

export interface ConnectTarget {
  readonly address: IpBytes
  /** Interface of a link-local address. */
  readonly device?: string
  readonly port: number
}

/** Where connections of peers arrive. */
export interface BgpListener {
  /** Connections from these addresses must be signed; '' takes a key away. */
  setKey(peers: IpPrefix, password: string): void
  close(): Promise<void>
}

/** The sockets of one network namespace. */
export interface BgpSockets {
  /** A socket that is connecting: `connect`, then data, or `error` and `close`. @throws SystemCallError for options that the kernel refuses */
  connect(target: ConnectTarget, transport: TransportConfig): BgpSocket
  /** @param address `0.0.0.0` and `::` stand for all of a family. @throws when the address cannot be listened on */
  listen(address: string, port: number, accept: (socket: BgpSocket, remote: IpBytes) => void): Promise<BgpListener>
  /** Options of a peer for a connection that was accepted. */
  adopt(socket: BgpSocket, family: 4 | 6, transport: TransportConfig): void
}

/**
 * Sockets with what Node has no words for: signatures, time to live, the class of packets.
 * @param inside runs a function in the network namespace that the sockets are to be in. Default: that of the process
 */
export function kernelSockets(inside: <T>(fn: () => T) => T = (fn) => fn()): BgpSockets {
  return {
    connect(target, transport) {
      const fd = inside(() => openSocket(target.address.length === 4 ? 4 : 6))
      try {
        prepare(fd, target, transport)
      } catch (error) {
        loadLibc().close(fd)
        throw error
      }
      const socket = wrap(fd)
      const zone = target.device === undefined ? '' : `%${target.device}`
      socket.connect({ host: `${formatIp(target.address)}${zone}`, port: target.port })
      return socket
    },
    async listen(address, port, accept) {
      const bytes = parseIp(address)
      if (!bytes) throw new Error(`cannot listen on ${address}: no IP address`)
      const family = bytes.length === 4 ? 4 : 6
      const fd = inside(() => openSocket(family))
      try {
        const libc = loadLibc()
        libc.setsockopt(fd, LINUX.SOL_SOCKET, LINUX.SO_REUSEADDR, int32(1))
        if (family === 6) libc.setsockopt(fd, LINUX.IPPROTO_IPV6, LINUX.IPV6_V6ONLY, int32(1))
        // a peer that checks the time to live checks it from the first packet on
        setTtl(fd, family, { ttl: 255 })
        setControlClass(fd, family)
        libc.bind(fd, socketAddress(bytes, port))
      } catch (error) {
        loadLibc().close(fd)
        throw error
      }
      const server = createServer({ noDelay: true, allowHalfOpen: false })
      server.on('connection', (socket) => {
        const remote = remoteOf(socket)
        if (remote) accept(socket, remote)
        else socket.destroy()
      })
      server.listen({ fd, backlog: 128 })
      await once(server, 'listening')
      return listenerOf(server, fd)
    },
    adopt(socket, family, transport) {
      const fd = descriptorOf(socket)
      if (fd !== undefined) setTtl(fd, family, transport)
    },
  }
}

function openSocket(family: 4 | 6): number {
  const domain = family === 4 ? LINUX.AF_INET : LINUX.AF_INET6
  return loadLibc().socket(domain, LINUX.SOCK_STREAM | LINUX.SOCK_NONBLOCK | LINUX.SOCK_CLOEXEC, LINUX.IPPROTO_TCP)
}

function prepare(fd: number, { address }: ConnectTarget, transport: TransportConfig): void {
  const family = address.length === 4 ? 4 : 6
  setControlClass(fd, family)
  setTtl(fd, family, transport)
  if (transport.password !== undefined) setMd5Key(fd, prefixOf(address, address.length * 8), transport.password)
  const local = transport.localAddress === undefined ? undefined : parseIp(transport.localAddress)
  if (local) loadLibc().bind(fd, socketAddress(local, 0))
}

/** Reading starts with the connection: a socket that is not connected has nothing to read, and says so as an error. */
function wrap(fd: number): Socket {
  const options: SocketConstructorOpts & { readonly manualStart: boolean } = { fd, readable: true, writable: true, manualStart: true }
  return new Socket(options)
}

function listenerOf(server: Server, fd: number): BgpListener {
  const keys = new Set<string>()
  return {
    setKey(peers, password) {
      const key = `${formatIp(peers.bytes)}/${peers.length}`
      try {
        setMd5Key(fd, peers, password)
      } catch (error) {
        // a key that is not there cannot be taken away
        if (!(password === '' && error instanceof SystemCallError && error.code === 'ENOENT')) throw error
      }
      if (password === '') keys.delete(key)
      else keys.add(key)
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

function remoteOf(socket: Socket): IpBytes | undefined {
  const text = socket.remoteAddress
  return text === undefined ? undefined : parseIp(text.replace(/%.*$/, ''))
}

/** Node keeps the descriptor on the handle, where it has been since its first release. */
function descriptorOf(socket: Socket): number | undefined {
  const fd = (socket as unknown as { readonly _handle?: { readonly fd?: number } | null })._handle?.fd
  return fd !== undefined && fd >= 0 ? fd : undefined
}
