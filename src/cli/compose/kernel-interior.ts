import type { Clock, Timer } from '../../base/clock.ts'
import { messageOf } from '../../base/errors.ts'
import { prefixOf } from '../../base/ip.ts'
import type { Logger } from '../../base/log.ts'
import type { InteriorRoute, InteriorRoutes } from '../../control-plane/routing/index.ts'
import { exceptRoutesOf, NetlinkMonitor, RouteSocket } from '../../data-plane/forwarding/index.ts'
import { ROUTE_PROTOCOL } from '../../policy/route/fib-route.ts'
import {
  NETLINK_ROUTE,
  NEXT_HOP_DEAD,
  NEXT_HOP_LINKDOWN,
  readRoute,
  ROUTE_TYPES,
  RTNLGRP,
  type KernelRoute,
} from '../../protocols/netlink/route/index.ts'

export interface KernelInteriorOptions {
  /** Path of a network namespace; default: that of the process. */
  readonly namespace?: string
  readonly clock: Clock
  readonly log: Logger
}

const MAIN_TABLE = 254
const SETTLE_MS = 30
/** A look at a large table is not repeated more often than this many times its length. */
const REST = 10

/** Routes of the kernel's main table that are not the router's own: those by which its next hops are reached. */
export class KernelInterior implements InteriorRoutes {
  readonly #options: KernelInteriorOptions
  readonly #socket: RouteSocket
  readonly #monitor: NetlinkMonitor
  readonly #listeners = new Set<() => void>()
  #routes: readonly InteriorRoute[] = []
  #timer: Timer | undefined
  #lookMs = 0
  #isClosed = false

  /** Call `load` before use. Needs root. @throws SystemCallError */
  constructor(options: KernelInteriorOptions) {
    this.#options = options
    const namespace = options.namespace === undefined ? {} : { namespace: options.namespace }
    this.#socket = RouteSocket.open(namespace)
    this.#monitor = NetlinkMonitor.open({
      ...namespace,
      protocol: NETLINK_ROUTE,
      groups: [RTNLGRP.link, RTNLGRP.ipv4Address, RTNLGRP.ipv6Address, RTNLGRP.ipv4Route, RTNLGRP.ipv6Route],
      clock: options.clock,
      // what this router writes itself is no news, and may be much
      filter: exceptRoutesOf(ROUTE_PROTOCOL.router),
      onMessage: () => this.#soon(),
      onLost: () => this.#soon(),
      onFailed: (error) => options.log.error('changes of routes are not seen any more', { error: messageOf(error) }),
    })
  }

  list(): Iterable<InteriorRoute> {
    return this.#routes
  }

  onChange(fn: () => void): () => void {
    this.#listeners.add(fn)
    return () => this.#listeners.delete(fn)
  }

  async load(): Promise<void> {
    const startMs = this.#options.clock.monotonic()
    const links = new Map((await this.#socket.links()).map(({ index, name }) => [index, name]))
    const found: InteriorRoute[] = []
    await this.#socket.eachRoute(
      { table: MAIN_TABLE },
      (message) => {
        if (message.bytes[message.start + 5] === ROUTE_PROTOCOL.router) return
        const route = interiorRoute(readRoute(message), links)
        if (route) found.push(route)
      },
      () => void (found.length = 0),
    )
    this.#lookMs = this.#options.clock.monotonic() - startMs
    const isSame = JSON.stringify(found) === JSON.stringify(this.#routes)
    this.#routes = found
    if (!isSame) for (const fn of this.#listeners) fn()
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#monitor.close()
    this.#socket.close()
  }

  #soon(): void {
    if (this.#timer || this.#isClosed) return
    this.#timer = this.#options.clock.after(Math.max(SETTLE_MS, this.#lookMs * REST), () => {
      this.#timer = undefined
      this.load().catch((error: unknown) => {
        if (!this.#isClosed) this.#options.log.warn('routes of the kernel cannot be read', { error: messageOf(error) })
      })
    })
  }
}

function interiorRoute(route: KernelRoute, links: ReadonlyMap<number, string>): InteriorRoute | undefined {
  if (route.type !== ROUTE_TYPES.unicast || route.table !== MAIN_TABLE) return undefined
  const hop = route.nextHops.find(({ flags }) => (flags & (NEXT_HOP_DEAD | NEXT_HOP_LINKDOWN)) === 0)
  if (!hop) return undefined
  const device = links.get(hop.link)
  return {
    prefix: prefixOf(route.destination, route.length),
    metric: route.metric,
    ...(hop.gateway ? { gateway: hop.gateway } : {}),
    ...(device === undefined ? {} : { device }),
  }
}
