// Flows that last: connections and datagram sockets in the pods, held by this process.
import { createServer, Socket, type Server } from 'node:net'
import { loadLibc } from '../../src/base/linux/libc.ts'
import { parseIp } from '../../src/base/ip.ts'
import type { LabHost } from '../../src/testing/network-lab/index.ts'
import { poll } from '../support/poll.ts'

const AF_INET = 2
const STREAM_NONBLOCK = 1 | 0o4000
const DGRAM_NONBLOCK = 2 | 0o4000

function address(ip: string, port: number): Uint8Array {
  const bytes = Buffer.alloc(16)
  bytes[0] = AF_INET
  bytes.writeUInt16BE(port, 2)
  bytes.set(parseIp(ip) as Uint8Array, 4)
  return bytes
}

/** A server in a pod that sends back what it gets. */
export async function echoServer(host: LabHost, port: number): Promise<Server> {
  const libc = loadLibc()
  const fd = host.inside(() => libc.socket(AF_INET, STREAM_NONBLOCK, 0))
  libc.bind(fd, address('0.0.0.0', port))
  libc.listen(fd, 16)
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen({ fd }, resolve))
  return server
}

/** A connection that is being made. */
export function connect(host: LabHost, ip: string, port: number): TestConnection {
  const libc = loadLibc()
  const fd = host.inside(() => libc.socket(AF_INET, STREAM_NONBLOCK, 0))
  libc.connect(fd, address(ip, port))
  return new TestConnection(new Socket({ fd, readable: true, writable: true }))
}

export class TestConnection {
  readonly #socket: Socket
  received = ''
  error: string | undefined

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => (this.received += chunk.toString()))
    socket.on('error', (error: NodeJS.ErrnoException) => (this.error = error.code))
  }

  /** Sends a text and waits for its echo. */
  async exchange(text: string): Promise<void> {
    this.#socket.write(text)
    await poll(`the echo of ${text}`, () => (this.received.endsWith(text) ? true : undefined), { everyMs: 5 })
  }

  send(text: string): void {
    this.#socket.write(text)
  }

  close(): void {
    this.#socket.destroy()
  }
}

/** A datagram socket in a pod. */
export class TestDatagrams {
  readonly #fd: number

  constructor(host: LabHost, port = 0) {
    const libc = loadLibc()
    this.#fd = host.inside(() => libc.socket(AF_INET, DGRAM_NONBLOCK, 0))
    libc.bind(this.#fd, address('0.0.0.0', port))
  }

  /** Fixes the peer, so that errors about the flow come to this socket. */
  connect(ip: string, port: number): void {
    loadLibc().connect(this.#fd, address(ip, port))
  }

  send(text: string): void {
    loadLibc().send(this.#fd, Buffer.from(text), 0)
  }

  sendTo(text: string, ip: string, port: number): void {
    loadLibc().sendto(this.#fd, Buffer.from(text), 0, address(ip, port))
  }

  /** The next datagram, or the name of the error that came instead. */
  async next(): Promise<string> {
    const buffer = new Uint8Array(1500)
    return poll(
      'a datagram',
      () => {
        try {
          return Buffer.from(buffer.subarray(0, loadLibc().recv(this.#fd, buffer, 0))).toString()
        } catch (error) {
          const { code } = error as { code?: string }
          return code === 'EAGAIN' ? undefined : code
        }
      },
      { everyMs: 5 },
    )
  }

  close(): void {
    loadLibc().close(this.#fd)
  }
}
