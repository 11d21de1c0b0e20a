import type { Clock } from '../../base/clock.ts'
import { messageOf } from '../../base/errors.ts'
import { formatIp, formatPrefix, prefixContains, prefixOf, type IpBytes, type IpPrefix } from '../../base/ip.ts'
import type { Logger } from '../../base/log.ts'
import type { RoutingConfig } from './config/index.ts'
import type { BgpListener, BgpSocket, BgpSockets } from './session/bgp-sockets.ts'

export interface ListenersOptions {
  readonly sockets: BgpSockets
  readonly log: Logger
  readonly clock: Clock
  readonly accept: (socket: BgpSocket, remote: IpBytes) => void
}

interface Open {
  readonly listener: BgpListener
  /** Passwords by prefix, as the kernel has them. */
  readonly keys: Map<string, { readonly peers: IpPrefix; readonly password: string }>
}

/** What is tried again when an address cannot be listened on, such as one that is not there yet. */
const RETRY_MS = 2_000

/** Keeps the listening sockets and the passwords on them at what the configuration says. */
export class Listeners {
  readonly #options: ListenersOptions
  readonly #open = new Map<string, Open>()
  #config: RoutingConfig | undefined
  #work: Promise<void> = Promise.resolve()
  #isClosed = false
  #isRetrying = false

  constructor(options: ListenersOptions) {
    this.#options = options
  }

  configure(config: RoutingConfig): void {
    this.#config = config
    this.#work = this.#work.then(() => this.#settle())
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#work
    await Promise.all([...this.#open.values()].map(({ listener }) => listener.close()))
  }

  async #settle(): Promise<void> {
    const config = this.#config
    if (!config || this.#isClosed) return
    const wanted = new Map(addressesOf(config).map((address) => [`${address} ${config.router?.listen.port}`, address]))
    for (const [key, { listener }] of this.#open) {
      if (wanted.has(key)) continue
      this.#open.delete(key)
      // connections that were taken live on
      void listener.close()
    }
    for (const [key, address] of wanted) {
      try {
        const open = this.#open.get(key) ?? (await this.#listen(key, address, config.router?.listen.port ?? 179))
        setKeys(open, keysOf(config, address.includes(':') ? 6 : 4))
      } catch (error) {
        this.#options.log.warn('cannot listen for peers, will be tried again', { address, error: messageOf(error) })
        this.#retry()
      }
    }
  }

  async #listen(key: string, address: string, port: number): Promise<Open> {
    const keys: Open['keys'] = new Map()
    const listener = await this.#options.sockets.listen(address, port, (socket, remote) => {
      if (this.#isGuarded(keys, remote)) return this.#options.accept(socket, remote)
      // the kernel takes it for unsigned until it has the password, and a peer tries again
      this.#options.log.warn('connection refused: its password is not in force yet', { address: formatIp(remote) })
      socket.destroy()
    })
    const open = { listener, keys }
    this.#open.set(key, open)
    return open
  }

  /** Whether the kernel has the password that connections of `remote` must be signed with, if there is one. */
  #isGuarded(keys: Open['keys'], remote: IpBytes): boolean {
    if (!this.#config) return true
    const wanted = [...keysOf(this.#config, remote.length === 4 ? 4 : 6)].filter(([, { peers }]) => prefixContains(peers, remote))
    return wanted.every(([key, { password }]) => keys.get(key)?.password === password)
  }

  #retry(): void {
    if (this.#isRetrying) return
    this.#isRetrying = true
    this.#options.clock.after(RETRY_MS, () => {
      this.#isRetrying = false
      this.#work = this.#work.then(() => this.#settle())
    })
  }
}

function addressesOf({ router }: RoutingConfig): readonly string[] {
  if (!router) return []
  return router.listen.addresses.length > 0 ? router.listen.addresses : ['0.0.0.0', '::']
}

function keysOf({ peers }: RoutingConfig, family: 4 | 6): Open['keys'] {
  const keys: Open['keys'] = new Map()
  for (const { remote, transport } of peers) {
    const { password } = transport
    if (password === undefined) continue
    const prefixes = 'prefixes' in remote ? remote.prefixes : [prefixOf(remote.address, remote.address.length * 8)]
    for (const peers of prefixes) if (peers.family === family) keys.set(formatPrefix(peers), { peers, password })
  }
  return keys
}

function setKeys({ listener, keys }: Open, wanted: Open['keys']): void {
  for (const [key, { peers }] of keys) {
    if (wanted.has(key)) continue
    listener.setKey(peers, '')
    keys.delete(key)
  }
  for (const [key, entry] of wanted) {
    if (keys.get(key)?.password === entry.password) continue
    listener.setKey(entry.peers, entry.password)
    keys.set(key, entry)
  }
}
