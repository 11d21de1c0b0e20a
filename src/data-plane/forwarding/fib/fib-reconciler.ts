import { systemClock, type Clock, type Timer } from '../../../base/clock.ts'
import type { Fib, FibProblem, FibRoute } from '../../../policy/route/fib-route.ts'
import { RouteSocket, type NetlinkMonitor } from '../netlink/index.ts'
import { DeviceTable } from './device-table.ts'
import { watchFib } from './fib-events.ts'
import { FibFailures } from './fib-failures.ts'
import { FibWriter } from './fib-writer.ts'
import { planFib } from './plan-fib.ts'
import { protocolName } from './protocol-name.ts'
import { describeRouteKey, routeKey, routeKeyOf, type RouteKey } from './route-key.ts'
import { Strikes } from './strikes.ts'
import { WantedRoutes } from './wanted-routes.ts'
import { FoundWays, isSameWay, obstacleOf, routeFault, usableWay, wayOf, type FoundWay } from './way.ts'

export interface FibOptions {
  /** Tag of the routes that this object owns: one of ROUTE_PROTOCOL. */
  readonly protocol: number
  /** Path of a network namespace; default: that of this process. */
  readonly namespace?: string
  readonly clock?: Clock
  /** Told of what happens between calls: a route lost or put back. Must not throw. */
  readonly onProblem?: (problem: FibProblem) => void
}

/** A Fib that can be looked into and closed. */
export interface KernelFib extends Fib {
  /** What is wanted and not in force now. */
  problems(): readonly FibProblem[]
  /** Of the last call that was carried out. */
  readonly revision: bigint
  /** Ends the work; the routes stay. */
  close(): Promise<void>
}

/** Bursts of link events are answered by one look at the kernel's table. */
const RESYNC_MS = 50
/** After a look that took long comes a rest of this many times its length. */
const RESYNC_REST = 10
const SLICE = 5000

/** Opens the routing table of a namespace. Needs root. @throws SystemCallError */
export function openFib(options: FibOptions): KernelFib {
  const socket = RouteSocket.open(options.namespace === undefined ? {} : { namespace: options.namespace })
  try {
    const fib = new FibReconciler(options, socket)
    fib.watch()
    return fib
  } catch (error) {
    socket.close()
    throw error
  }
}

/** All work runs one after another in `#queue`; what the kernel tells between is noted and set right by a job of its own. */
class FibReconciler implements KernelFib {
  revision = 0n
  readonly #options: FibOptions
  readonly #clock: Clock
  readonly #socket: RouteSocket
  readonly #writer: FibWriter
  #monitor: NetlinkMonitor | undefined
  readonly #devices = new DeviceTable()
  readonly #failures = new FibFailures()
  readonly #strikes: Strikes
  #wanted = new WantedRoutes()
  #hasApplied = false
  #isClosed = false
  #tail: Promise<unknown> = Promise.resolve()
  #resyncTimer: Timer | undefined
  #retryTimer: Timer | undefined
  /** When it goes off. */
  #retryAt = Infinity
  /** How long the last look took, and when it was. */
  #look = { tookMs: 0, at: -Infinity }
  /** To be tried at once. */
  readonly #soon = new Set<RouteKey>()

  constructor(options: FibOptions, socket: RouteSocket) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#socket = socket
    this.#strikes = new Strikes(this.#clock)
    this.#writer = new FibWriter(socket, options.protocol)
  }

  /** Listens to what others do. @throws SystemCallError */
  watch(): void {
    this.#monitor = watchFib(
      { ...this.#options, clock: this.#clock, ownPort: this.#socket.port },
      {
        routeGone: (key, protocol, port) => this.#routeGone(key, protocol, port),
        routeMade: (key, protocol, isReplacing) => this.#routeMade(key, protocol, isReplacing),
        link: (link, isGone) => {
          if (this.#devices.update(link, isGone) && this.#isUsed(link.name)) this.#scheduleResync()
        },
        address: (link) => {
          if (this.#isUsed(this.#devices.nameOf(link))) this.#scheduleResync()
        },
        lost: () => this.#scheduleResync(),
        failed: (error) => this.#options.onProblem?.({ prefix: '', message: `changes by others are not seen any more: ${error.message}` }),
      },
    )
  }

  problems(): readonly FibProblem[] {
    return this.#failures.problems()
  }

  apply(routes: Iterable<FibRoute>, revision: bigint): Promise<readonly FibProblem[]> {
    return this.#queue(async () => {
      const wanted = new WantedRoutes()
      const faults: FibProblem[] = []
      let count = 0
      for (const route of routes) {
        const fault = routeFault(route)
        if (fault === undefined) wanted.set(routeKey(route), wayOf(route))
        else faults.push({ prefix: describeRouteKey(routeKey(route)), message: fault })
        if (++count % SLICE === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      this.#wanted = wanted
      this.#hasApplied = true
      await this.#resync()
      this.revision = revision
      return [...faults, ...this.#failures.problems()]
    })
  }

  change(
    change: { readonly add: readonly FibRoute[]; readonly remove: readonly FibRoute[] },
    revision: bigint,
  ): Promise<readonly FibProblem[]> {
    return this.#queue(async () => {
      // a route over a link that the caller has just made: news of it are here, not yet read
      this.#monitor?.drain()
      if (!this.#devices.isKnown) this.#devices.reset(await this.#socket.links())
      const problems: FibProblem[] = []
      const touched: RouteKey[] = []
      const create: RouteKey[] = []
      const replace: RouteKey[] = []
      const add = new Map<RouteKey, FibRoute>()
      for (const route of change.add) {
        const fault = routeFault(route)
        const key = routeKey(route)
        if (fault === undefined) add.set(key, route)
        else problems.push({ prefix: describeRouteKey(key), message: fault })
      }
      // what is in both stays, as it is added
      const remove = change.remove.map(routeKey).filter((key) => !add.has(key) && this.#wanted.delete(key))
      for (const key of remove) this.#failures.delete(key)
      for (const [key, route] of add) {
        touched.push(key)
        const isThere = this.#wanted.byKey.has(key) && !this.#failures.has(key)
        if (!this.#wanted.set(key, wayOf(route)) && isThere) continue
        if (usableWay(wayOf(route), this.#devices.byName)) (isThere ? replace : create).push(key)
        else {
          this.#failBlocked(key)
          if (isThere) remove.push(key)
        }
      }
      await this.#put('create', create)
      await this.#put('replace', replace)
      await this.#remove(remove)
      this.#scheduleRetry()
      this.revision = revision
      return [...problems, ...touched.flatMap((key) => this.#failures.problem(key) ?? [])]
    })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#monitor?.close()
    this.#resyncTimer?.cancel()
    this.#retryTimer?.cancel()
    await this.#tail
    this.#socket.close()
  }

  /** Compares all of the kernel's routes with our tag, and sets right what differs. */
  async #resync(): Promise<void> {
    const begin = this.#clock.monotonic()
    this.#devices.reset(await this.#socket.links())
    const found = await this.#readFound()
    const plan = planFib(this.#wanted.byKey, found, this.#devices.byName)
    const now = this.#clock.monotonic()
    this.#look = { tookMs: now - begin, at: now }
    const missing = new Set([...plan.create, ...plan.replace, ...plan.blocked])
    for (const key of this.#failures.keys()) if (!missing.has(key)) this.#failures.delete(key)
    for (const key of plan.blocked) this.#failBlocked(key)
    // new ways first: a prefix that moves to another metric is never without a route
    await this.#put('create', plan.create)
    await this.#put('replace', plan.replace)
    await this.#remove(plan.remove)
    this.#scheduleRetry()
  }

  async #readFound(): Promise<ReadonlyMap<RouteKey, FoundWay>> {
    const found = new Map<RouteKey, FoundWay>()
    const ways = new FoundWays()
    await this.#socket.eachRoute(
      { protocol: this.#options.protocol },
      (message) => void found.set(routeKeyOf(message), ways.of(message)),
      () => found.clear(),
    )
    return found
  }

  async #put(op: 'create' | 'replace', keys: readonly RouteKey[]): Promise<void> {
    if (keys.length === 0) return
    const failed = await this.#writer.put(op, keys, this.#wanted.byKey, this.#devices.byName)
    const held = new Set(failed.filter(({ code }) => code === 'EEXIST').map(({ key }) => key))
    const now = this.#clock.monotonic()
    const codes = new Map(failed.map(({ key, code, message }) => [key, message === '' ? code : `${code} (${message})`]))
    for (const key of keys) {
      const message = codes.get(key)
      if (message === undefined) this.#inForce(key)
      // whose it is comes to light below; that of an earlier process of ours is no fault
      else if (!held.has(key)) this.#fail(key, message, now)
    }
    if (held.size > 0) await this.#settle([...held])
  }

  /** A route that is in force: whole, or with the next hops that are usable. */
  #inForce(key: RouteKey): void {
    this.#failures.delete(key)
    this.#soon.delete(key)
  }

  /** Where something is in the way: ours is replaced, that of somebody else stays and is reported. */
  async #settle(keys: readonly RouteKey[]): Promise<void> {
    const holders = new Map<RouteKey, FoundWay>()
    const asked = new Set(keys)
    const ways = new FoundWays()
    await this.#socket.eachRoute(
      {},
      (message) => {
        const key = routeKeyOf(message)
        if (!asked.has(key)) return
        const way = ways.of(message)
        if (holders.get(key)?.protocol !== this.#options.protocol) holders.set(key, way)
      },
      () => holders.clear(),
    )
    const now = this.#clock.monotonic()
    const ours: RouteKey[] = []
    for (const key of keys) {
      const holder = holders.get(key)
      const way = this.#wanted.byKey.get(key)
      if (!way) continue
      if (!holder) {
        this.#fail(key, 'EEXIST; what was in its way is gone, it is tried again', now)
        continue
      }
      if (holder.protocol !== this.#options.protocol) this.#fail(key, `held by a route of ${protocolName(holder.protocol)}`, now)
      else if (isSameWay(way, holder, this.#devices.byName)) this.#inForce(key)
      else ours.push(key)
    }
    await this.#put('replace', ours)
  }

  async #remove(keys: readonly RouteKey[]): Promise<void> {
    if (keys.length === 0) return
    for (const { key, code, message } of await this.#writer.remove(keys))
      this.#report(key, `cannot be removed: ${code}${message === '' ? '' : ` (${message})`}`)
  }

  #routeGone(key: RouteKey, protocol: number, port: number): void {
    if (!this.#wanted.byKey.has(key)) return
    // somebody else has made room
    if (protocol !== this.#options.protocol) this.#trySoon(this.#failures.has(key) ? key : undefined)
    else if (port === 0) this.#scheduleResync()
    else this.#disturbed(key, 'was deleted by another program')
  }

  #routeMade(key: RouteKey, protocol: number, isReplacing: boolean): void {
    if (!this.#wanted.byKey.has(key)) return
    if (protocol === this.#options.protocol) this.#disturbed(key, 'was changed by another program, under our tag')
    else if (isReplacing) {
      this.#fail(key, `was replaced by a route of ${protocolName(protocol)}`, this.#clock.monotonic())
      this.#scheduleRetry(this.#failures.retryAt(key))
    }
  }

  /** The first time it is put right at once, then ever later: two programs that fight over a route would only make it flap. */
  #disturbed(key: RouteKey, what: string): void {
    const waitMs = this.#strikes.add(key)
    if (waitMs === 0) {
      this.#report(key, `${what}; put back`)
      this.#trySoon(key)
      return
    }
    this.#fail(key, `${what}, again and again`, this.#clock.monotonic() + waitMs)
    this.#scheduleRetry(this.#failures.retryAt(key))
  }

  #failBlocked(key: RouteKey): void {
    const way = this.#wanted.byKey.get(key)
    if (way) this.#fail(key, obstacleOf(way, this.#devices.byName), this.#clock.monotonic(), true)
  }

  #fail(key: RouteKey, message: string, now: number, waitsForEvent = false): void {
    if (this.#failures.add(key, message, now, waitsForEvent)) this.#report(key, message)
  }

  #report(key: RouteKey, message: string): void {
    this.#options.onProblem?.({ prefix: describeRouteKey(key), message })
  }

  #isUsed(device: string | undefined): boolean {
    for (const way of this.#wanted.ways())
      for (const hop of way.nextHops) if (hop.device === undefined || hop.device === device) return true
    return false
  }

  #trySoon(key: RouteKey | undefined): void {
    if (key === undefined) return
    this.#soon.add(key)
    if (this.#soon.size === 1) this.#job(() => this.#try([...this.#soon]))
  }

  async #try(keys: readonly RouteKey[]): Promise<void> {
    this.#soon.clear()
    const { byKey } = this.#wanted
    const devices = this.#devices.byName
    const wanted = keys.filter((key) => byKey.has(key) || (this.#failures.delete(key), false))
    const usable = wanted.filter((key) => usableWay(byKey.get(key)!, devices))
    for (const key of wanted) if (!usableWay(byKey.get(key)!, devices)) this.#failBlocked(key)
    await this.#put('create', usable)
    this.#scheduleRetry()
  }

  #scheduleResync(): void {
    if (!this.#hasApplied || this.#isClosed || this.#resyncTimer) return
    const rested = this.#look.at + RESYNC_REST * this.#look.tookMs - this.#clock.monotonic()
    this.#resyncTimer = this.#clock.after(Math.max(RESYNC_MS, rested), () => {
      this.#resyncTimer = undefined
      this.#job(() => this.#resync())
    })
  }

  /** @param next when something is due; it is only ever moved earlier, for to look through all failures at each event takes long when there are many */
  #scheduleRetry(next: number = this.#failures.next()): void {
    if (this.#isClosed || next >= this.#retryAt) return
    this.#retryTimer?.cancel()
    this.#retryAt = next
    this.#retryTimer = this.#clock.after(Math.max(0, next - this.#clock.monotonic()), () => {
      this.#retryAt = Infinity
      this.#job(() => this.#try(this.#failures.due(this.#clock.monotonic())))
    })
  }

  /** Work that nobody waits for. */
  #job(work: () => Promise<void>): void {
    if (this.#isClosed) return
    this.#queue(work).catch((error: unknown) => {
      this.#options.onProblem?.({ prefix: '', message: `the routing table cannot be set right: ${(error as Error).message}` })
      this.#scheduleResync()
    })
  }

  #queue<T>(job: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(job)
    this.#tail = result.catch(() => {})
    return result
  }
}
