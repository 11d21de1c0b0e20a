import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Balancer } from './balancer.ts'
import type { Backend } from './plan-service-ports.ts'

/** Time for a backend to accept; then the next one is tried. */
const CONNECT_TIMEOUT_MS = 1_000

/**
 * Serves one service port by relaying TCP connections. A backend that does not accept is passed over for the next: no
 * byte has been sent yet, so nothing is lost. Connections that stand are left alone when their backend leaves the list
 * (draining is the backend's own business), and when the listener closes.
 */
export class TcpListener {
  readonly #balancer: Balancer
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  constructor(balancer: Balancer) {
    this.#balancer = balancer
    this.#server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => this.#accept(socket))
  }

  async listen(host: string, port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ host, port, backlog: 1024 }, () => {
        this.#server.off('error', reject)
        resolve()
      })
    })
    // accept errors (too many open files) must not end the process; the listener goes on
    this.#server.on('error', () => {})
  }

  /** Stops accepting. Standing connections go on until they end by themselves, which calls `drained`; `destroy` ends them. */
  close(drained?: () => void): void {
    this.#server.close(drained)
  }

  destroy(): void {
    this.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #accept(client: Socket): void {
    this.#sockets.add(client)
    client.on('close', () => this.#sockets.delete(client))
    client.on('error', () => client.destroy())
    this.#dial(client, this.#balancer.pick(client.remoteAddress ?? ''))
  }

  #dial(client: Socket, candidates: readonly Backend[]): void {
    const [backend, ...rest] = candidates
    // reset rather than close: the client must see a refused connection, not an empty answer
    if (!backend || client.destroyed) return void client.resetAndDestroy()
    const upstream = connect({ host: backend.host, port: backend.port, allowHalfOpen: true, noDelay: true })
    upstream.setTimeout(CONNECT_TIMEOUT_MS)
    this.#sockets.add(upstream)
    upstream.on('close', () => this.#sockets.delete(upstream))
    const failed = (): void => {
      upstream.destroy()
      this.#dial(client, rest)
    }
    upstream.once('error', failed)
    upstream.once('timeout', failed)
    upstream.once('connect', () => {
      upstream.off('error', failed)
      upstream.off('timeout', failed)
      upstream.setTimeout(0)
      // the client did not wait: nobody would ever close the other half
      if (client.destroyed) return void upstream.resetAndDestroy()
      this.#balancer.connected(client.remoteAddress ?? '', backend)
      this.#relay(client, upstream)
    })
  }

  #relay(client: Socket, upstream: Socket): void {
    upstream.on('close', () => {
      // a broken half cannot be told to the peer in any other way than by breaking its half too
      if (!upstream.readableEnded || upstream.errored) client.resetAndDestroy()
    })
    client.on('close', () => {
      if (!client.readableEnded || client.errored) upstream.resetAndDestroy()
    })
    upstream.on('error', () => {})
    client.pipe(upstream)
    upstream.pipe(client)
  }
}
