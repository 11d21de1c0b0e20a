import { createSocket, type Socket } from 'node:dgram'
import type { Clock, Timer } from '../../base/clock.ts'
import type { Balancer } from './balancer.ts'
import type { Backend } from './plan-service-ports.ts'

/** A client is forgotten after this time without a packet: the kernel's own default for unreplied UDP is 30 s. */
const IDLE_MS = 30_000
const MAX_CLIENTS = 4_096

/** Packets of one client that wait until its socket is connected. */
const MAX_WAITING = 64

interface Flow {
  readonly socket: Socket
  readonly backend: Backend
  /** Packets that came before the socket was connected; undefined once it is. */
  waiting: Buffer[] | undefined
  timer: Timer
}

/** Serves one UDP service port: one socket per client towards its backend, dropped after 30 s of silence. */
export class UdpListener {
  readonly #balancer: Balancer
  readonly #clock: Clock
  readonly #flows = new Map<string, Flow>()
  #server: Socket | undefined

  constructor(balancer: Balancer, clock: Clock) {
    this.#balancer = balancer
    this.#clock = clock
  }

  async listen(host: string, port: number): Promise<void> {
    const server = createSocket(host.includes(':') ? 'udp6' : 'udp4')
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.bind(port, host, () => {
        server.off('error', reject)
        resolve()
      })
    })
    server.on('error', () => {})
    server.on('message', (message, remote) => this.#forward(server, message, remote))
    this.#server = server
  }

  /** There are no connections to wait for: every client is forgotten at once. */
  close(closed?: () => void): void {
    this.#server?.close(closed)
    for (const key of this.#flows.keys()) this.#drop(key)
  }

  /** Forgets clients whose backend is gone: their next packet goes to another one. */
  backendsChanged(): void {
    for (const [key, { backend }] of this.#flows) if (!this.#balancer.has(backend)) this.#drop(key)
  }

  destroy(): void {
    this.close()
  }

  #forward(server: Socket, message: Buffer, remote: { readonly address: string; readonly port: number }): void {
    const key = `${remote.address}:${remote.port}`
    const flow = this.#flows.get(key) ?? this.#open(server, key, remote)
    if (!flow) return
    flow.timer.cancel()
    flow.timer = this.#clock.after(IDLE_MS, () => this.#drop(key))
    if (!flow.waiting) flow.socket.send(message)
    else if (flow.waiting.length < MAX_WAITING) flow.waiting.push(message)
  }

  #open(server: Socket, key: string, remote: { readonly address: string; readonly port: number }): Flow | undefined {
    const backend = this.#balancer.pick(remote.address)[0]
    if (!backend || this.#flows.size >= MAX_CLIENTS) return undefined
    const socket = createSocket(backend.host.includes(':') ? 'udp6' : 'udp4')
    socket.on('error', () => this.#drop(key))
    socket.on('message', (answer) => server.send(answer, remote.port, remote.address))
    const flow: Flow = { socket, backend, waiting: [], timer: { cancel: () => {} } }
    this.#flows.set(key, flow)
    this.#balancer.connected(remote.address, backend)
    // a datagram socket refuses `send` until its connect has come through
    socket.connect(backend.port, backend.host, () => {
      if (this.#flows.get(key) !== flow) return
      const first = flow.waiting ?? []
      flow.waiting = undefined
      for (const message of first) socket.send(message)
    })
    return flow
  }

  #drop(key: string): void {
    const flow = this.#flows.get(key)
    this.#flows.delete(key)
    flow?.timer.cancel()
    flow?.socket.close()
  }
}
