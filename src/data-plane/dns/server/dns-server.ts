import type { Socket as DatagramSocket } from 'node:dgram'
import type { Server, Socket } from 'node:net'
import { sleep, type Clock } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import { ClientBudget } from './client-budget.ts'
import type { QueryHandler } from './query-handler.ts'
import { openTcp, openUdp, type ListenAddress, type UdpEndpoint } from './shared-socket.ts'
import { TcpConnection } from './tcp-connection.ts'

export interface DnsServerOptions {
  readonly handler: QueryHandler
  readonly listen: readonly ListenAddress[]
  readonly clock: Clock
  readonly log: Logger
}

const CONNECTIONS = { perClient: 64, total: 2_000 }
/** How long what is under way may take at the end: longer than a question to all upstreams. */
const DRAIN_MS = 5_000
/** How long a socket must have been silent to be empty. */
const QUIET_MS = 50

const MAX_PORT_TRIES = 20

/** The sockets of the server. */
export class DnsServer {
  readonly #options: DnsServerOptions
  readonly #endpoints: UdpEndpoint[] = []
  readonly #servers: Server[] = []
  readonly #connections = new Set<TcpConnection>()
  readonly #budget = new ClientBudget(CONNECTIONS)
  #underWay = 0
  #lastReceivedMs = 0

  constructor(options: DnsServerOptions) {
    this.#options = options
  }

  /** Opens all sockets, or none. @throws Error that names the address */
  async open(): Promise<void> {
    for (const address of this.#options.listen) {
      try {
        const { endpoint, server } = await openBoth(address, (socket) => this.#onConnection(socket))
        this.#endpoints.push(endpoint)
        this.#servers.push(server)
        endpoint.socket.on('message', (bytes, remote) => this.#onDatagram(endpoint.socket, bytes, remote))
        endpoint.socket.on('error', (error) => this.#options.log.warn('UDP socket failed', { error }))
      } catch (error) {
        this.#close()
        throw new Error(`cannot listen on ${address.host} port ${address.port}: ${messageOf(error)}`, { cause: error })
      }
    }
  }

  /** Ports that were opened, in the order of `listen`. */
  get ports(): readonly number[] {
    return this.#endpoints.map(({ socket }) => socket.address().port)
  }

  /**
   * Ends without losing a question: new ones go to whoever else listens on the same addresses, those that are here are answered.
   * Takes at most 5 s.
   */
  async drain(): Promise<void> {
    const { clock, log } = this.#options
    const deadline = clock.monotonic() + DRAIN_MS
    for (const endpoint of this.#endpoints) {
      try {
        if (!endpoint.stopReceiving()) log.info('what is asked during the hand-over may have to be asked again')
      } catch (error) {
        log.warn('UDP socket goes on receiving until its end', { error })
      }
    }
    this.#lastReceivedMs = clock.monotonic()
    for (const server of this.#servers) server.close()
    const isBusy = (): boolean => this.#underWay > 0 || clock.monotonic() - this.#lastReceivedMs < QUIET_MS
    while (isBusy() && clock.monotonic() < deadline) await sleep(clock, 10)
    for (const connection of this.#connections) connection.end()
    while (this.#connections.size > 0 && clock.monotonic() < deadline) await sleep(clock, 10)
    this.#close()
  }

  #close(): void {
    for (const connection of this.#connections) connection.destroy()
    for (const server of this.#servers) server.close()
    for (const { socket } of this.#endpoints) socket.close()
    this.#endpoints.length = 0
    this.#servers.length = 0
  }

  #onDatagram(socket: DatagramSocket, bytes: Buffer, { address, port }: { readonly address: string; readonly port: number }): void {
    this.#lastReceivedMs = this.#options.clock.monotonic()
    // nobody sends from there; an answer would be a mistake or an attack
    if (port === 0) return
    const found = this.#handle(bytes, address, 'udp')
    if (!found) return
    if (Buffer.isBuffer(found)) {
      socket.send(found, port, address, ignoreFailure)
      return
    }
    this.#underWay++
    void found.then((answer) => {
      this.#underWay--
      // the sockets are gone when it took too long
      if (this.#endpoints.length > 0) socket.send(answer, port, address, ignoreFailure)
    })
  }

  #onConnection(socket: Socket): void {
    const client = socket.remoteAddress ?? ''
    if (!this.#budget.take(client)) return void socket.destroy()
    const connection = new TcpConnection(socket, {
      clock: this.#options.clock,
      handle: (bytes) => this.#handle(bytes, client, 'tcp'),
      onClosed: () => {
        this.#budget.release(client)
        this.#connections.delete(connection)
      },
    })
    this.#connections.add(connection)
  }

  #handle(bytes: Buffer, client: string, transport: 'udp' | 'tcp'): Buffer | Promise<Buffer> | undefined {
    try {
      const found = this.#options.handler.handle(bytes, client, transport)
      return found instanceof Promise ? found.catch((error: unknown) => this.#failed(bytes, error)) : found
    } catch (error) {
      return this.#failed(bytes, error)
    }
  }

  /** A mistake of ours costs its own question alone. */
  #failed(query: Buffer, error: unknown): Buffer {
    this.#options.log.error('question could not be answered', { error })
    const bytes = Buffer.alloc(12)
    query.copy(bytes, 0, 0, 2)
    bytes.writeUInt16BE(0x8082, 2)
    return bytes
  }
}

/** The client is gone, or its network: it asks again, or not. */
const ignoreFailure = (): void => {}

/** UDP and TCP on one port. Where any port will do, the one that UDP gets may be taken for TCP: then another is tried. */
async function openBoth(
  address: ListenAddress,
  onConnection: Parameters<typeof openTcp>[1],
): Promise<{ readonly endpoint: UdpEndpoint; readonly server: Server }> {
  for (let tries = 1; ; tries++) {
    const endpoint = await openUdp(address)
    try {
      return { endpoint, server: await openTcp({ host: address.host, port: endpoint.socket.address().port }, onConnection) }
    } catch (error) {
      endpoint.socket.close()
      const isTaken = (error as { code?: unknown }).code === 'EADDRINUSE'
      if (address.port !== 0 || !isTaken || tries === MAX_PORT_TRIES) throw error
    }
  }
}
