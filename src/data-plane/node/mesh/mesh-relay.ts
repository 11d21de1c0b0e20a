import { chmodSync, rmSync } from 'node:fs'
import {
  connect,
  createServer,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Duplex } from 'node:stream'
import { backoffMs } from '../../../base/backoff.ts'
import { sleep, type Clock, type Timer } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import { MESH_LINK_PATH, MESH_LINK_PING_MS, MESH_LINK_PROTOCOL, MESH_NODE_HEADER } from '../../../protocols/mesh-link.ts'
import { dialUpgrade } from '../link/dial-upgrade.ts'
import { forwardable, joinStreams, refuseStream } from './join-streams.ts'

export interface MeshRelayOptions {
  /** Name of the node. */
  readonly node: string
  /** Absolute path of the socket that proxies connect to; every user of the machine may. */
  readonly socketPath: string
  /** `https://host:port` of the control plane. */
  readonly server: string
  readonly ca: string
  readonly cert: () => string
  readonly key: () => string
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
  /** Dials the control plane; default: an upgraded connection to `server`. */
  readonly dial?: (signal: AbortSignal) => Promise<Duplex>
}

const BACKOFF = { baseMs: 100, maxMs: 5_000, jitter: 0.5 }
/** Streams of one proxy at once: configuration, identity, load reports, and the next ones while those end. */
const MAX_STREAMS = 16
const MAX_CONNECTIONS = 2_000

/** Passes the streams of a node's proxies on to the control plane. See protocols/mesh-link.ts. */
export class MeshRelay {
  readonly #options: MeshRelayOptions
  readonly #server: Http2Server
  readonly #connections = new Set<ServerHttp2Session>()
  #link: ClientHttp2Session | undefined

  constructor(options: MeshRelayOptions) {
    this.#options = options
    this.#server = createServer({ settings: { maxConcurrentStreams: MAX_STREAMS, initialWindowSize: 1024 * 1024 } })
    this.#server.maxConnections = MAX_CONNECTIONS
    this.#server.on('session', (session) => {
      this.#connections.add(session)
      session.on('error', () => {})
      session.once('close', () => this.#connections.delete(session))
    })
    this.#server.on('sessionError', (error: Error) => options.log.debug('mesh relay session failed', { error: messageOf(error) }))
    this.#server.on('stream', (stream, headers) => this.#relay(stream, headers))
  }

  /** Whether the control plane can be reached just now. */
  get isConnected(): boolean {
    return this.#link !== undefined && !this.#link.destroyed && !this.#link.closed
  }

  /** Listens at once, and keeps a link to the control plane, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.#options
    await this.#listen()
    try {
      for (let failures = 0; !signal.aborted;) {
        try {
          const socket = await this.#dial(signal)
          failures = 0
          await this.#serveLink(socket, signal)
        } catch (error) {
          failures++
          if (!signal.aborted) log.debug('mesh link failed', { error: messageOf(error) })
        }
        if (!signal.aborted) await sleep(clock, backoffMs(Math.max(1, failures), BACKOFF, random), signal).catch(() => {})
      }
    } finally {
      for (const session of this.#connections) session.destroy()
      await new Promise<void>((resolve) => this.#server.close(() => resolve()))
    }
  }

  #listen(): Promise<void> {
    const { socketPath } = this.#options
    // of an agent that was killed; two agents of one node are kept apart by other means
    rmSync(socketPath, { force: true })
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(socketPath, () => {
        this.#server.off('error', reject)
        this.#server.on('error', (error) => this.#options.log.error('mesh relay failed', { error: messageOf(error) }))
        // the token in a stream says who asks, not the user it runs as
        chmodSync(socketPath, 0o666)
        resolve()
      })
    })
  }

  #dial(signal: AbortSignal): Promise<Duplex> {
    return this.#options.dial?.(signal) ?? dialUpgrade({ ...this.#options, path: MESH_LINK_PATH, protocol: MESH_LINK_PROTOCOL }, signal)
  }

  #serveLink(socket: Duplex, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options
    const session = connect('http://control-plane', { createConnection: () => socket, settings: { initialWindowSize: 1024 * 1024 } })
    session.on('error', (error) => log.debug('mesh link session failed', { error: messageOf(error) }))
    keepAlive(session, clock)
    return new Promise((resolve) => {
      const end = (): void => session.destroy()
      signal.addEventListener('abort', end, { once: true })
      session.once('connect', () => {
        this.#link = session
        log.info('mesh link up')
      })
      socket.on('error', end)
      session.once('close', () => {
        signal.removeEventListener('abort', end)
        if (this.#link === session) {
          this.#link = undefined
          if (!signal.aborted) log.info('mesh link down')
        }
        socket.destroy()
        resolve()
      })
    })
  }

  #relay(from: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    from.on('error', () => {})
    if (!this.isConnected) return refuseStream(from, 'the node agent has no connection to the control plane')
    let to: ClientHttp2Stream
    try {
      to = (this.#link as ClientHttp2Session).request(
        { ...forwardable(headers, [MESH_NODE_HEADER]), [MESH_NODE_HEADER]: this.#options.node },
        { endStream: from.endAfterHeaders },
      )
    } catch (error) {
      return refuseStream(from, messageOf(error))
    }
    joinStreams(from, to)
  }
}

function keepAlive(session: ClientHttp2Session, clock: Clock): void {
  let waiting = false
  let timer: Timer
  const tick = (): void => {
    if (session.destroyed) return
    if (waiting) return session.destroy()
    waiting = true
    session.ping(() => (waiting = false))
    timer = clock.after(MESH_LINK_PING_MS, tick)
  }
  timer = clock.after(MESH_LINK_PING_MS, tick)
  session.once('close', () => timer.cancel())
}
