import { createServer, Socket, type Server } from 'node:net'
import { loadLibc } from '../../src/base/linux/libc.ts'
import { parseIp, type IpBytes } from '../../src/base/ip.ts'
import type { LabHost } from '../../src/testing/network-lab/index.ts'

const AF_INET = 2
const SOCK_STREAM = 1
const SOCK_NONBLOCK = 0x800
const SOCK_CLOEXEC = 0x8_0000

/** A port of 127.0.0.1 of this process's network that leads into a lab. */
export interface Forward {
  readonly port: number
  close(): Promise<void>
}

/** Leads connections from this process's network to an IPv4 address and port that only `host` reaches. */
export async function forwardInto(host: LabHost, target: { readonly address: string; readonly port: number }): Promise<Forward> {
  const sockets = new Set<Socket>()
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = connectFrom(host, target)
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
      socket.on('error', () => {
        near.destroy()
        far.destroy()
      })
    }
    near.pipe(far)
    far.pipe(near)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as { port: number }).port,
    close: () => {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

/** A socket is of the network in which it was made, whoever uses it. */
function connectFrom(host: LabHost, { address, port }: { readonly address: string; readonly port: number }): Socket {
  const libc = loadLibc()
  const fd = host.inside(() => libc.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0))
  libc.connect(fd, Uint8Array.from([AF_INET, 0, port >> 8, port & 0xff, ...(parseIp(address) as IpBytes), 0, 0, 0, 0, 0, 0, 0, 0]))
  return new Socket({ fd, readable: true, writable: true, allowHalfOpen: true })
}
