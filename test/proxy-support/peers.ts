/** Applications and their clients. */
import {
  createServer as createHttpServer,
  request,
  type Agent,
  type IncomingHttpHeaders,
  type RequestListener,
  type Server as HttpServer,
} from 'node:http'
import {
  connect as connectHttp2,
  createServer as createHttp2Server,
  type ClientHttp2Session,
  type Http2Server,
  type ServerHttp2Stream,
} from 'node:http2'
import { connect, createServer, type AddressInfo, type NetConnectOpts, type Server, type Socket } from 'node:net'
import type { SocketAddress } from '../../src/policy/traffic/model/index.ts'

/** Runs what was put in, last first. */
export class Closers {
  readonly #closers: (() => unknown)[] = []

  add<T>(value: T, close: (value: T) => unknown): T {
    this.#closers.push(() => close(value))
    return value
  }

  async run(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close()
  }

  /** Listens at an address of this machine; its connections end with the test. */
  async serve(server: Server | HttpServer | Http2Server, address: string, port = 0): Promise<SocketAddress> {
    const sockets = new Set<Socket>()
    server.on('connection', (socket: Socket) => {
      sockets.add(socket)
      socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, address, () => resolve())
    })
    this.add(server, () => {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(resolve))
    })
    return { address, port: (server.address() as AddressInfo).port }
  }

  http(address: string, listener: RequestListener): Promise<SocketAddress> {
    return this.serve(createHttpServer(listener), address)
  }

  http2(address: string, onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void): Promise<SocketAddress> {
    const server = createHttp2Server()
    server.on('stream', (stream, headers) => {
      stream.on('error', () => {})
      onStream(stream, headers)
    })
    return this.serve(server, address)
  }

  tcp(address: string, onConnection: (socket: Socket) => void): Promise<SocketAddress> {
    return this.serve(createServer({ allowHalfOpen: true }, onConnection), address)
  }

  async connect(to: SocketAddress, options: Partial<NetConnectOpts> = {}): Promise<Peer> {
    const socket = connect({ host: to.address, port: to.port, allowHalfOpen: true, ...options } as NetConnectOpts)
    this.add(socket, () => socket.destroy())
    const peer = new Peer(socket)
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return peer
  }

  async session(to: SocketAddress): Promise<ClientHttp2Session> {
    const session = connectHttp2(`http://${to.address}:${to.port}`)
    session.on('error', () => {})
    this.add(session, () => session.destroy())
    await new Promise((resolve, reject) => session.once('connect', resolve).once('error', reject))
    return session
  }
}

/** One end of a connection, with what it has heard. */
export class Peer {
  readonly socket: Socket
  heard: Buffer = Buffer.alloc(0)
  /** How it ended; undefined: it has not. */
  ended: 'end' | 'reset' | undefined
  readonly #watchers = new Set<() => void>()

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.heard = Buffer.concat([this.heard, chunk])
      this.#look()
    })
    socket.on('end', () => this.#over('end'))
    socket.on('error', () => this.#over('reset'))
    socket.on('close', () => this.#over('end'))
  }

  get text(): string {
    return this.heard.toString('latin1')
  }

  say(bytes: string | Uint8Array): this {
    this.socket.write(bytes)
    return this
  }

  /** @throws Error when it does not come within the time, with what came instead */
  until(is: (peer: this) => boolean, withinMs = 5_000): Promise<this> {
    return new Promise((resolve, reject) => {
      const finish = (error?: Error): void => {
        clearTimeout(timer)
        this.#watchers.delete(look)
        if (error) reject(error)
        else resolve(this)
      }
      const timer = setTimeout(
        () =>
          finish(
            new Error(
              `not within ${withinMs} ms: ${is.toString()}; heard ${JSON.stringify(this.text.slice(-300))}, ${this.ended ?? 'open'}`,
            ),
          ),
        withinMs,
      )
      const look = (): void => {
        if (is(this)) finish()
      }
      this.#watchers.add(look)
      look()
    })
  }

  hears(text: string, withinMs?: number): Promise<this> {
    return this.until(({ text: heard }) => heard.includes(text), withinMs)
  }

  closed(withinMs?: number): Promise<this> {
    return this.until(({ ended }) => ended !== undefined, withinMs)
  }

  #over(how: 'end' | 'reset'): void {
    this.ended ??= how
    this.#look()
  }

  #look(): void {
    for (const look of this.#watchers) look()
  }
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly trailers: Readonly<Record<string, unknown>>
}

export interface Question {
  readonly path?: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  readonly agent?: Agent
}

/** Over HTTP/1.1; a connection of its own unless there is an agent. @throws Error when the connection ends before the answer */
export function ask(to: SocketAddress, { path = '/', method, headers = {}, body, agent }: Question = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: to.address,
        port: to.port,
        path,
        method: method ?? (body === undefined ? 'GET' : 'POST'),
        headers,
        agent: agent ?? false,
        timeout: 10_000,
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            trailers: response.trailers,
            body: Buffer.concat(chunks).toString('latin1'),
          }),
        )
      },
    )
    sent.on('timeout', () => sent.destroy(new Error('no answer within 10 s')))
    sent.on('error', reject)
    sent.end(body)
  })
}

/** Over a session of HTTP/2. */
export function askHttp2(session: ClientHttp2Session, { path = '/', method, headers = {}, body }: Question = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request(
      { ':path': path, ':method': method ?? (body === undefined ? 'GET' : 'POST'), ...headers },
      { endStream: body === undefined },
    )
    const chunks: Buffer[] = []
    let head: Record<string, unknown> = {}
    let trailers: Record<string, unknown> = {}
    stream.setTimeout(10_000, () => reject(new Error('no answer within 10 s')))
    stream.on('response', (fields) => (head = fields))
    stream.on('trailers', (fields) => (trailers = fields))
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('error', reject)
    stream.on('end', () =>
      resolve({
        status: Number(head[':status']),
        headers: head as IncomingHttpHeaders,
        trailers,
        body: Buffer.concat(chunks).toString('latin1'),
      }),
    )
    if (body !== undefined) stream.end(body)
  })
}

/** Turns of the event loop until something holds. @throws Error when it does not within the time */
export async function until(is: () => boolean, withinMs = 5_000): Promise<void> {
  const started = performance.now()
  while (!is()) {
    if (performance.now() - started > withinMs) throw new Error(`not within ${withinMs} ms: ${is.toString()}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
