import type { Random } from '../../base/backoff.ts'
import type { Clock, Timer } from '../../base/clock.ts'
import { messageOf } from '../../base/errors.ts'
import { formatIp, formatPrefix, prefixContains, type IpBytes } from '../../base/ip.ts'
import type { Logger } from '../../base/log.ts'
import type { Fib } from '../../policy/route/fib-route.ts'
import type { Family } from '../../protocols/bgp/index.ts'
import type { BfdPaths } from './bfd/index.ts'
import type { OriginatedRoute, PeerConfig, RouterConfig, RoutingConfig } from './config/index.ts'
import { FibFeeder } from './fib-feeder.ts'
import { InteriorTable, type InteriorRoute, type InteriorRoutes } from './interior.ts'
import { Listeners } from './listeners.ts'
import { Neighbor } from './neighbor.ts'
import { PolicyCache } from './policy-cache.ts'
import type { PeerHandle, Rib, RibOptions } from './rib/contract.ts'
import type { Interfaces } from './session-addresses.ts'
import type { BgpSocket, BgpSockets } from './session/bgp-sockets.ts'

export interface SpeakerOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly sockets: BgpSockets
  /** Closed with the speaker. */
  readonly bfd: BfdPaths
  readonly fib: Fib
  readonly createRib: (options: RibOptions) => Rib
  readonly interfaces: () => Interfaces
  /** Absent: every next hop counts as reachable. */
  readonly interior?: InteriorRoutes
  /** This process has restarted, and for which families the forwarding state was kept. */
  readonly restarted?: { readonly forwarding: readonly Family[] }
  /** Something that is shown changed. */
  readonly onChange?: () => void
}

/** Part of the time that background work may take in one turn of the event loop. */
const WORK_MS = 5

/** BGP of one node: follows its configuration, runs neighbours, Rib and forwarding table. */
export class Speaker {
  readonly #options: SpeakerOptions
  readonly #feeder: FibFeeder
  readonly #listeners: Listeners
  readonly #policies: PolicyCache
  readonly #neighbors = new Map<string, Neighbor>()
  readonly #byHandle = new Map<PeerHandle, Neighbor>()
  readonly #pending = new Set<PeerHandle>()
  #config: RoutingConfig = { revision: '', peers: [], originated: [], statics: [], problems: [] }
  #rib: Rib | undefined
  #ribKey = ''
  #originated = new Map<string, OriginatedRoute>()
  #interior = new InteriorTable([])
  #isTurning = false
  #hasWork = false
  #hasFib = false
  #isDeferring: boolean
  /** Between one configuration and the next neighbours may be missing that are waited for. */
  #isApplying = false
  #deferral: Timer | undefined
  #stopInterior: (() => void) | undefined
  #hasLeft = false

  constructor(options: SpeakerOptions) {
    this.#options = options
    const { clock, log, sockets } = options
    this.#feeder = new FibFeeder({
      fib: options.fib,
      clock,
      log,
      interior: () => this.#interior,
      deviceOf: (gateway) => this.#deviceOf(gateway),
    })
    this.#listeners = new Listeners({ sockets, log, clock, accept: (socket, remote) => this.#accept(socket, remote) })
    this.#policies = new PolicyCache(log)
    this.#isDeferring = options.restarted !== undefined
    if (!this.#isDeferring) this.#feeder.release()
    this.#stopInterior = options.interior?.onChange(() => this.#interiorChanged())
  }

  get config(): RoutingConfig {
    return this.#config
  }

  get rib(): Rib | undefined {
    return this.#rib
  }

  get neighbors(): readonly Neighbor[] {
    return [...this.#neighbors.values()]
  }

  get isDeferring(): boolean {
    return this.#isDeferring
  }

  get fibProblems(): FibFeeder['problems'] {
    return this.#feeder.problems
  }

  /** Makes a configuration real. Sessions that it does not change are not touched. */
  apply(config: RoutingConfig): void {
    if (this.#hasLeft || config.revision === this.#config.revision) return
    this.#isApplying = true
    const hasOtherStatics = JSON.stringify(config.statics) !== JSON.stringify(this.#config.statics)
    this.#config = config
    this.#rebuildInterior()
    this.#applyRouter(config.router)
    if (this.#rib) {
      // next hops may be reached by them
      if (hasOtherStatics) this.#rib.nextHopsChanged()
      this.#applyOriginated(config.originated)
      this.#applyPeers(config.peers)
    }
    this.#policies.sweep()
    this.#listeners.configure(config)
    const { router } = config
    this.#rib?.useFib(router?.install ?? false)
    this.#feeder.configure({
      ...(this.#rib ? { rib: this.#rib } : {}),
      install: router?.install ?? false,
      table: router?.table ?? 254,
      metricBase: router?.metricBase ?? 0,
      statics: config.statics,
    })
    this.#isApplying = false
    this.#startDeferral()
    this.#options.onChange?.()
  }

  /** Ends without a word, so that peers keep our routes and the kernel keeps theirs: for an upgrade. */
  async leave(): Promise<void> {
    this.#hasLeft = true
    for (const neighbor of this.neighbors) neighbor.leave()
    await this.#close()
  }

  /** Ends for good: peers are told, and our routes leave the kernel. */
  async shutdown(text: string): Promise<void> {
    for (const neighbor of this.neighbors) this.#remove(neighbor, 'shutdown', text)
    this.#feeder.release()
    this.#feeder.configure({ install: false, table: 254, metricBase: 0, statics: [] })
    this.#hasLeft = true
    await this.#feeder.settled()
    await this.#close()
  }

  async #close(): Promise<void> {
    this.#deferral?.cancel()
    this.#stopInterior?.()
    await this.#options.bfd.close()
    await this.#listeners.close()
    await this.#feeder.stop()
  }

  #applyRouter(router: RouterConfig | undefined): void {
    const { localAs, routerId, clusterId, maximumPaths, multipathRelax, metrics } = router ?? {}
    const key = router ? JSON.stringify({ localAs, routerId, clusterId, maximumPaths, multipathRelax, metrics }) : ''
    if (key === this.#ribKey) return
    this.#ribKey = key
    for (const neighbor of this.neighbors) this.#remove(neighbor)
    this.#originated.clear()
    this.#rib = router && this.#options.createRib(this.#ribOptions(router))
  }

  #ribOptions(router: RouterConfig): RibOptions {
    const { localAs, routerId, clusterId, maximumPaths, multipathRelax, metrics } = router
    return {
      localAs,
      routerId,
      clusterId,
      maximumPaths,
      multipathRelax,
      metrics,
      hashSeed: Math.floor(this.#options.random() * 2 ** 32),
      resolver: {
        resolve: (nextHop) => {
          if (!this.#options.interior) return { metric: 0 }
          const route = this.#interior.lookup(nextHop)
          return route && { metric: route.metric }
        },
      },
      listener: {
        exportsPending: (peer) => {
          this.#pending.add(peer)
          this.#turnSoon()
        },
        workPending: () => {
          this.#hasWork = true
          this.#turnSoon()
        },
        fibPending: () => {
          this.#hasFib = true
          this.#turnSoon()
        },
      },
    }
  }

  #applyOriginated(routes: readonly OriginatedRoute[]): void {
    const wanted = new Map(routes.map((route) => [`${route.source} ${formatPrefix(route.prefix)}`, route]))
    for (const [key, { prefix, source }] of this.#originated) if (!wanted.has(key)) this.#rib?.withdraw(prefix, source)
    for (const [key, route] of wanted) if (!this.#originated.has(key)) this.#rib?.originate(route)
    this.#originated = wanted
  }

  #applyPeers(peers: readonly PeerConfig[]): void {
    const byName = new Map(peers.map((peer) => [peer.name, peer]))
    for (const neighbor of this.neighbors) {
      const config = byName.get(neighbor.config.name)
      if (!config || !covers(config, neighbor)) this.#remove(neighbor)
      else neighbor.configure(config)
    }
    for (const peer of peers) {
      if (!('address' in peer.remote) || this.#neighbors.has(formatIp(peer.remote.address))) continue
      this.#add(peer, peer.remote.address).start()
    }
  }

  #add(config: PeerConfig, address: IpBytes): Neighbor {
    const { clock, random, log, sockets, bfd, interfaces, restarted } = this.#options
    const neighbor = new Neighbor(config, address, {
      clock,
      random,
      log,
      sockets,
      interfaces,
      bfd,
      rib: this.#rib as Rib,
      compilePolicy: this.#policies.compile,
      isDeferring: () => this.#isDeferring,
      changed: (changed) => this.#changed(changed),
      ...(restarted && this.#isDeferring ? { restarted } : {}),
    })
    this.#neighbors.set(formatIp(address), neighbor)
    this.#byHandle.set(neighbor.handle, neighbor)
    return neighbor
  }

  #remove(neighbor: Neighbor, why?: 'shutdown', text?: string): void {
    this.#neighbors.delete(formatIp(neighbor.address))
    this.#byHandle.delete(neighbor.handle)
    neighbor.remove(why, text)
  }

  #accept(socket: BgpSocket, remote: IpBytes): void {
    const known = this.#neighbors.get(formatIp(remote))
    const neighbor = known ?? this.#addDynamic(remote)
    if (neighbor) neighbor.accept(socket)
    else socket.resetAndDestroy()
  }

  #addDynamic(remote: IpBytes): Neighbor | undefined {
    if (!this.#rib || this.#hasLeft) return undefined
    for (const peer of this.#config.peers) {
      if (!('prefixes' in peer.remote) || peer.shutdown || !peer.remote.prefixes.some((prefix) => prefixContains(prefix, remote))) continue
      const count = this.neighbors.filter(({ config }) => config.name === peer.name).length
      if (count >= peer.remote.limit) {
        this.#options.log.warn('neighbour refused: the limit is reached', { peer: peer.name, address: formatIp(remote), limit: count })
        return undefined
      }
      const neighbor = this.#add(peer, remote)
      neighbor.start()
      return neighbor
    }
    return undefined
  }

  #changed(neighbor: Neighbor): void {
    // a neighbour that came by itself is forgotten with its last connection, unless its routes are kept
    const { phase } = neighbor.session
    if (neighbor.isDynamic && phase === 'Active') queueMicrotask(() => this.#forget(neighbor))
    if (this.#isDeferring && !this.#isApplying) this.#endDeferral(false)
    this.#options.onChange?.()
  }

  #forget(neighbor: Neighbor): void {
    const { phase, keepsStale } = neighbor.session
    if (this.#neighbors.get(formatIp(neighbor.address)) === neighbor && phase === 'Active' && !keepsStale) this.#remove(neighbor)
  }

  /** Selection waits for all peers to have sent their routes, or for as long as they wait for us (RFC 4724 section 4.1). */
  #startDeferral(): void {
    const { router } = this.#config
    if (!this.#isDeferring) return
    // nobody to wait for
    if (!router) return this.#endDeferral(true)
    if (this.#deferral) return this.#endDeferral(false)
    this.#deferral = this.#options.clock.after(router.restartTimeSeconds * 1000, () => this.#endDeferral(true))
    this.#endDeferral(false)
  }

  #endDeferral(now: boolean): void {
    if (!now && (!this.#deferral || !this.neighbors.every((neighbor) => neighbor.isComplete))) return
    this.#deferral?.cancel()
    this.#deferral = undefined
    this.#isDeferring = false
    this.#options.log.info('restart is over: routes are selected and announced', { timedOut: now })
    for (const neighbor of this.neighbors) neighbor.restartOver()
    this.#feeder.release()
  }

  /** A link-local next hop is on the link of the peer that has it. */
  #deviceOf(gateway: IpBytes): string | undefined {
    const remote = this.#neighbors.get(formatIp(gateway))?.config.remote
    return remote && 'device' in remote ? remote.device : undefined
  }

  #interiorChanged(): void {
    this.#rebuildInterior()
    this.#rib?.nextHopsChanged()
    this.#feeder.interiorChanged()
  }

  #rebuildInterior(): void {
    const statics = this.#config.statics.flatMap(({ prefix, type, nextHops }): InteriorRoute[] => {
      const [hop] = nextHops
      if (type !== 'unicast' || !hop) return []
      return [
        {
          prefix,
          metric: 1,
          ...(hop.address ? { gateway: hop.address } : {}),
          ...(hop.device === undefined ? {} : { device: hop.device }),
        },
      ]
    })
    this.#interior = new InteriorTable([...(this.#options.interior?.list() ?? []), ...statics])
  }

  /** The Rib must not be called from its listener: its work is done in turns of their own. */
  #turnSoon(): void {
    if (this.#isTurning) return
    this.#isTurning = true
    setImmediate(() => {
      this.#isTurning = false
      try {
        this.#turn()
      } catch (error) {
        this.#options.log.error('routes could not be worked on', { error: messageOf(error) })
      }
    })
  }

  #turn(): void {
    if (this.#hasLeft) return
    const handles = [...this.#pending]
    this.#pending.clear()
    for (const handle of handles) this.#byHandle.get(handle)?.pump()
    if (this.#hasWork) {
      this.#hasWork = this.#rib?.work(WORK_MS, () => this.#options.clock.monotonic()) ?? false
      if (this.#hasWork) this.#turnSoon()
    }
    if (this.#hasFib) {
      this.#hasFib = false
      this.#feeder.kick()
    }
  }
}

/** Whether a neighbour is still one of this peer. */
function covers({ remote }: PeerConfig, neighbor: Neighbor): boolean {
  if ('prefixes' in remote) return neighbor.isDynamic && remote.prefixes.some((prefix) => prefixContains(prefix, neighbor.address))
  return !neighbor.isDynamic && formatIp(remote.address) === formatIp(neighbor.address) && samePlace(remote, neighbor.config.remote)
}

function samePlace(a: { readonly port: number; readonly device?: string }, b: PeerConfig['remote']): boolean {
  return 'address' in b && a.port === b.port && a.device === b.device
}
