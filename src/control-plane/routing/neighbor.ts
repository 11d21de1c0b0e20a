import { messageOf } from '../../base/errors.ts'
import { formatIp, type IpBytes } from '../../base/ip.ts'
import type { Logger } from '../../base/log.ts'
import type { CompiledRoutePolicy } from '../../policy/route/compile-route-policy.ts'
import {
  ERROR_CODE,
  ERROR_SUBCODE,
  familyOf,
  type BgpFault,
  type Family,
  type RouteRefreshMessage,
  type UpdateError,
} from '../../protocols/bgp/index.ts'
import type { BfdState } from '../../protocols/bfd/index.ts'
import { PathGuard, type BfdPaths, type BfdWatch } from './bfd/index.ts'
import type { MaximumPrefixConfig, PeerConfig, PolicyConfig } from './config/index.ts'
import type { PeerHandle, Rib, RibPeerOptions } from './rib/contract.ts'
import { sessionAddresses, type Interfaces } from './session-addresses.ts'
import { BgpSession, type BgpSessionDependencies, type SessionReport, type SessionSink } from './session/bgp-session.ts'
import type { BgpSocket } from './session/bgp-sockets.ts'
import type { Negotiated } from './session/negotiate.ts'

/** How long the routes of a peer that has restarted itself are waited for after our own restart. */
const RESTARTING_WAIT_MS = 10_000
/** More than BFD takes to notice the end of a peer's earlier life, and to come up with the next. */
const PATH_PATIENCE_MS = 3_000

/** What neighbours share. */
export interface NeighborDependencies extends Omit<BgpSessionDependencies, 'sink'> {
  readonly rib: Rib
  readonly bfd: BfdPaths
  readonly interfaces: () => Interfaces
  readonly compilePolicy: (policy: PolicyConfig) => CompiledRoutePolicy
  /** Our own restart is not over: routes are taken, but not passed on. */
  readonly isDeferring: () => boolean
  readonly changed: (neighbor: Neighbor) => void
}

/** One neighbour: its session, its part of the Rib, and the watch over its path. */
export class Neighbor implements SessionSink {
  readonly address: IpBytes
  readonly isDynamic: boolean
  readonly handle: PeerHandle
  readonly #dependencies: NeighborDependencies
  readonly #log: Logger
  readonly #session: BgpSession
  #config: PeerConfig
  #bfd: BfdWatch | undefined
  readonly #path: PathGuard
  /** Families of which End-of-RIB has come in this session. */
  readonly #complete = new Set<Family>()
  #negotiated: Negotiated | undefined
  #upAtMs = 0
  #warned = false
  /** How often each kind of mistake was found in this session. */
  readonly #mistakes = new Map<string, number>()

  constructor(config: PeerConfig, address: IpBytes, dependencies: NeighborDependencies) {
    this.#config = config
    this.address = address
    this.isDynamic = 'prefixes' in config.remote
    this.#dependencies = dependencies
    this.#path = new PathGuard({
      clock: dependencies.clock,
      patienceMs: PATH_PATIENCE_MS,
      dead: (reason, graceful) => this.#session.handle({ kind: 'bfd-down', reason, graceful }),
    })
    this.#log = dependencies.log.child({ peer: config.name, address: formatIp(address) })
    this.handle = dependencies.rib.addPeer(this.#ribOptions())
    const target = 'address' in config.remote ? config.remote : { address, port: 179 }
    this.#session = new BgpSession(target, config.session, config.transport, { ...dependencies, log: this.#log, sink: this })
  }

  get config(): PeerConfig {
    return this.#config
  }

  get session(): SessionReport {
    return this.#session.report()
  }

  get bfdState(): BfdState | undefined {
    return this.#bfd?.state
  }

  /** Whether route selection after our own restart has to wait for this neighbour no longer (RFC 4724 section 4.1). */
  get isComplete(): boolean {
    if (this.#config.shutdown || this.isDynamic) return true
    const negotiated = this.#negotiated
    if (!negotiated) return false
    const restart = negotiated.gracefulRestart
    if (!restart || negotiated.wire.families.every((family) => this.#complete.has(family))) return true
    // two that have restarted must not wait for each other; but some say for long that they have, and send their routes all the same
    return restart.restarting && this.#dependencies.clock.monotonic() - this.#upAtMs >= RESTARTING_WAIT_MS
  }

  start(): void {
    this.#watchPath()
    if (this.#config.shutdown) this.#session.handle({ kind: 'stop', why: 'shutdown' })
    else this.#session.handle({ kind: 'start' })
  }

  accept(socket: BgpSocket): void {
    this.#dependencies.sockets.adopt(socket, this.address.length === 4 ? 4 : 6, this.#config.transport)
    this.#session.accept(socket)
  }

  /** The session goes on unless what its OPEN or its connection is made of has changed. */
  configure(config: PeerConfig): void {
    const before = this.#config
    this.#config = config
    const essence = ({ session, transport }: PeerConfig): string => JSON.stringify([session, transport])
    const isNew = essence(before) !== essence(config)
    if (isNew) {
      this.#session.handle({ kind: 'stop', why: 'configuration-change' })
      this.#session.configure(config.session, config.transport)
    }
    this.#dependencies.rib.configurePeer(this.handle, this.#ribOptions())
    if (JSON.stringify(before.bfd) !== JSON.stringify(config.bfd)) this.#watchPath()
    if (config.shutdown && !before.shutdown) this.#session.handle({ kind: 'stop', why: 'shutdown', text: config.shutdown.text })
    else if (!config.shutdown && (before.shutdown || isNew)) this.#session.handle({ kind: 'start' })
  }

  /** Routes wait to be sent. */
  pump(): void {
    this.#session.pump()
  }

  restartOver(): void {
    this.#session.handle({ kind: 'restart-over' })
    if (this.#negotiated) this.#dependencies.rib.releaseExports(this.handle)
  }

  /** Ends the session with a NOTIFICATION and forgets the peer. */
  remove(why: 'deconfigured' | 'shutdown' = 'deconfigured', text?: string): void {
    this.#bfd?.close()
    this.#bfd = undefined
    this.#session.handle({ kind: 'stop', why, ...(text === undefined ? {} : { text }) })
    this.#dependencies.rib.removePeer(this.handle)
  }

  /** Ends the session without a word. */
  leave(): void {
    this.#session.handle({ kind: 'leave' })
  }

  // the side of the session

  up(negotiated: Negotiated, keepStale: readonly Family[], { local }: { readonly local?: string }): void {
    this.#negotiated = negotiated
    this.#path.sessionUp()
    this.#upAtMs = this.#dependencies.clock.monotonic()
    if (this.#dependencies.isDeferring() && negotiated.gracefulRestart?.restarting) {
      this.#dependencies.clock.after(RESTARTING_WAIT_MS, () => this.#dependencies.changed(this))
    }
    this.#complete.clear()
    this.#warned = false
    this.#mistakes.clear()
    this.#log.info('session established', { as: negotiated.remoteAs, capabilities: negotiated.capabilities.join(' ') })
    this.#dependencies.rib.peerUp(this.handle, {
      ...negotiated.wire,
      localAs: this.#config.session.localAs,
      remoteAs: negotiated.remoteAs,
      remoteRouterId: negotiated.remoteRouterId,
      ...sessionAddresses(this.#dependencies.interfaces(), { ...(local === undefined ? {} : { local }), remote: this.address }),
      keepStale,
      deferExports: this.#dependencies.isDeferring(),
    })
  }

  down(reason: string, keepStale: readonly Family[]): void {
    this.#negotiated = undefined
    this.#path.sessionDown()
    this.#log.warn('session lost', { reason, kept: keepStale.map((family) => `ipv${family}`).join(' ') })
    this.#dependencies.rib.peerDown(this.handle, keepStale)
  }

  sweep(families: readonly Family[]): void {
    this.#dependencies.rib.sweepStale(this.handle, families)
    this.#dependencies.changed(this)
  }

  update(body: Uint8Array): ReturnType<SessionSink['update']> {
    const outcome = this.#dependencies.rib.update(this.handle, body)
    for (const error of outcome.errors) this.#mistaken(error)
    if (outcome.disabledFamily) this.#log.error('family is no longer accepted in this session', { family: outcome.disabledFamily })
    if (outcome.fault) return this.#faulty(outcome.fault)
    if (outcome.announced > 0) this.#warn()
    if (outcome.endOfRib === undefined) return {}
    this.#complete.add(outcome.endOfRib)
    this.#dependencies.changed(this)
    return { endOfRib: outcome.endOfRib }
  }

  refresh({ afi, safi, subtype }: RouteRefreshMessage): void {
    const family = familyOf(afi, safi)
    const negotiated = this.#negotiated
    if (family === undefined || !negotiated?.wire.families.includes(family)) return
    const { rib } = this.#dependencies
    if (subtype === 0) rib.refresh(this.handle, family, negotiated.enhancedRefresh)
    else if (subtype === 1) rib.markStale(this.handle, family)
    else if (subtype === 2) rib.sweepStale(this.handle, [family])
  }

  take(maxBytes: number): Uint8Array | undefined {
    return this.#dependencies.rib.takeExports(this.handle, maxBytes)
  }

  changed(): void {
    this.#dependencies.changed(this)
  }

  /** A peer makes a mistake with every route, mostly: told of at the first, the tenth, the hundredth time. */
  #mistaken(error: UpdateError): void {
    const kind = `${error.attribute} ${error.section} ${error.action}`
    const count = (this.#mistakes.get(kind) ?? 0) + 1
    this.#mistakes.set(kind, count)
    if (/^10*$/.test(String(count))) this.#log.warn('malformed part of an UPDATE', { ...error, count })
  }

  #faulty(fault: BgpFault): ReturnType<SessionSink['update']> {
    if (fault.code !== ERROR_CODE.cease || fault.subcode !== ERROR_SUBCODE.cease.maximumPrefixes) return { fault }
    const bound = this.#exceeded()
    return { fault, hold: bound?.action === 'Shutdown' ? 'forever' : (bound?.restartSeconds ?? 300) }
  }

  #exceeded(): MaximumPrefixConfig | undefined {
    const { received } = this.#dependencies.rib.peerCounters(this.handle)
    const bounds = Object.entries(this.#config.maximumPrefixes).map(([family, bound]) => ({ family: Number(family) as Family, bound }))
    return (bounds.find(({ family, bound }) => received[family] >= bound.limit) ?? bounds[0])?.bound
  }

  /** A bound that only warns is not known to the Rib. */
  #warn(): void {
    const warns = Object.values(this.#config.maximumPrefixes).some(({ action }) => action === 'Warn')
    if (!warns || this.#warned) return
    const { received } = this.#dependencies.rib.peerCounters(this.handle)
    for (const [family, { action, limit }] of Object.entries(this.#config.maximumPrefixes)) {
      if (action !== 'Warn' || received[Number(family) as Family] <= limit) continue
      this.#warned = true
      this.#log.warn('the peer sends more prefixes than its limit', { family, limit })
    }
  }

  #ribOptions(): RibPeerOptions {
    const { compilePolicy } = this.#dependencies
    const { name, importPolicy, exportPolicy, routeReflectorClient, nextHop, allowOwnAs, enforceFirstAs, gracefulShutdown } = this.#config
    const { maximumPrefixes } = this.#config
    const limits = Object.fromEntries(
      Object.entries(maximumPrefixes).flatMap(([family, { action, limit }]) => (action === 'Warn' ? [] : [[family, limit]])),
    ) as Partial<Record<Family, number>>
    return {
      name: this.isDynamic ? `${name} ${formatIp(this.address)}` : name,
      address: this.address,
      ...(importPolicy ? { importPolicy: compilePolicy(importPolicy) } : {}),
      ...(exportPolicy ? { exportPolicy: compilePolicy(exportPolicy) } : {}),
      routeReflectorClient,
      nextHop,
      allowOwnAs,
      enforceFirstAs,
      gracefulShutdown,
      maximumPrefixes: limits,
    }
  }

  #watchPath(): void {
    this.#bfd?.close()
    this.#bfd = undefined
    const { bfd, remote } = this.#config
    if (!bfd || !('address' in remote)) return
    try {
      this.#bfd = this.#dependencies.bfd.watch(remote, bfd, {
        down: (reason, graceful) => this.#path.bfdDown(reason, graceful),
        changed: (state) => {
          this.#path.bfdChanged(state)
          this.#dependencies.changed(this)
        },
      })
    } catch (error) {
      this.#log.error('the path cannot be watched', { error: messageOf(error) })
    }
  }
}
