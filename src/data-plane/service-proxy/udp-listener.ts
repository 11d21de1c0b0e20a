import { createSocket, type Socket } from 'node:dgram'
import type { Clock, Timer } from '../../base/clock.ts'
import type { Balancer } from './balancer.ts'

/** A client is forgotten after this time without a packet: the kernel's own default for unreplied UDP is 30 s. */
const IDLE_MS = 30_000
const MAX_CLIENTS = 4_096

interface Flow {
  readonly socket: Socket
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

  close(): void {
    this.#server?.close()
    for (const flow of this.#flows.values()) {
      flow.timer.cancel()
      flow.socket.close()
    }
    this.#flows.clear()
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
    flow.socket.send(message)
  }

  #open(server: Socket, key: string, remote: { readonly address: string; readonly port: number }): Flow | undefined {
    const backend = this.#balancer.pick(remote.address)[0]
    if (!backend || this.#flows.size >= MAX_CLIENTS) return undefined
    const socket = createSocket(backend.host.includes(':') ? 'udp6' : 'udp4')
    socket.on('error', () => this.#drop(key))
    socket.on('message', (answer) => server.send(answer, remote.port, remote.address))
    socket.connect(backend.port, backend.host)
    this.#balancer.connected(remote.address, backend)
    const flow: Flow = { socket: bufferedUntilConnected(socket), timer: { cancel: () => {} } }
    this.#flows.set(key, flow)
    return flow
  }

  #drop(key: string): void {
    const flow = this.#flows.get(key)
    this.#flows.delete(key)
    flow?.timer.cancel()
    flow?.socket.close()
  }
}

/** A datagram socket refuses `send` until its connect has come through; the first packets wait for that. */
function bufferedUntilConnected(socket: Socket): Socket {
  const waiting: Buffer[] = []
  const send = socket.send.bind(socket) as (message: Buffer) => void
  let connected = false
  socket.once('connect', () => {
    connected = true
    for (const message of waiting.splice(0)) send(message)
  })
  socket.send = ((message: Buffer) => {
    if (connected) send(message)
    else if (waiting.length < 64) waiting.push(message)
  }) as Socket['send']
  return socket
}
