import { closeSync, openSync } from 'node:fs'
import { errnoName } from '../../../base/linux/libc.ts'
import { NetlinkWriter, type Acknowledgement, type MessageCursor } from '../../../protocols/netlink/index.ts'
import {
  isClonedRoute,
  NETLINK_ROUTE,
  readAddress,
  readLink,
  readNeighbour,
  readRoute,
  readRule,
  RTM,
  writeAppendForwarding,
  writeDeleteAddress,
  writeDeleteLink,
  writeDeleteNeighbour,
  writeDeleteRule,
  writeGetAddresses,
  writeGetLink,
  writeGetLinks,
  writeGetNeighbours,
  writeGetRoutes,
  writeGetRules,
  writeMatchRoute,
  writeNewAddress,
  writeNewLink,
  writeNewNeighbour,
  writeNewRule,
  writeRoute,
  writeSetLink,
  type KernelAddress,
  type KernelLink,
  type KernelNeighbour,
  type KernelRoute,
  type KernelRule,
  type LinkChange,
  type NewLink,
} from '../../../protocols/netlink/route/index.ts'
import { NetlinkError } from './netlink-error.ts'
import { NetlinkSocket } from './netlink-socket.ts'

/** Tries to read a table that changes while it is read. */
const DUMP_TRIES = 5

export type Write = (writer: NetlinkWriter, sequence: number) => void

/** A change of the routing table, as one of many. */
export interface RouteChange {
  readonly op: 'create' | 'replace' | 'delete'
  readonly route: KernelRoute
}

/** What a route change of many has met. */
export interface RouteFailure {
  /** Of the change. */
  readonly index: number
  /** Errno by name. */
  readonly code: string
  /** The kernel's own words; empty when it has none. */
  readonly message: string
}

/**
 * Links, addresses, routes, neighbours and rules of one network namespace. Requests run one after another; each throws NetlinkError with the errno by name as
 * `code`. Links are given by index, as `link(name)` tells it. Needs root.
 */
export class RouteSocket {
  readonly #socket: NetlinkSocket

  private constructor(socket: NetlinkSocket) {
    this.#socket = socket
  }

  /** @param options namespace: path of one; default: that of this process. @throws SystemCallError */
  static open(options: { readonly namespace?: string } = {}): RouteSocket {
    return new RouteSocket(NetlinkSocket.open({ ...options, protocol: NETLINK_ROUTE }))
  }

  /** Of the notifications that this socket causes. */
  get port(): number {
    return this.#socket.port
  }

  close(): void {
    this.#socket.close()
  }

  links(): Promise<readonly KernelLink[]> {
    return this.#dump('links', RTM.newLink, (writer, sequence) => writeGetLinks(writer, sequence), readLink)
  }

  /** Undefined: there is none of that name. */
  async link(name: string): Promise<KernelLink | undefined> {
    let found: KernelLink | undefined
    try {
      await this.one(
        `link ${name}`,
        (writer, sequence) => writeGetLink(writer, sequence, name),
        (message) => {
          if (message.type === RTM.newLink) found = readLink(message)
        },
      )
    } catch (error) {
      if ((error as NetlinkError).code !== 'ENODEV') throw error
    }
    return found
  }

  addLink(link: NewLink): Promise<void> {
    return this.one(`add link ${link.name}`, (writer, sequence) => writeNewLink(writer, sequence, link))
  }

  /**
   * A veth pair whose other end is in the namespace at a path. Both ends appear at once, or none. The other end is down: the kernel cannot
   * make it otherwise; a socket in its namespace sets it up.
   */
  async addVeth(
    link: LinkChange & { readonly name: string },
    peer: Omit<LinkChange, 'isUp'> & { readonly name: string },
    namespace: string,
  ): Promise<void> {
    const namespaceFd = openSync(namespace, 'r')
    try {
      await this.addLink({ ...link, kind: 'veth', peer: { ...peer, namespaceFd } })
    } finally {
      closeSync(namespaceFd)
    }
  }

  setLink(index: number, change: LinkChange): Promise<void> {
    return this.one(`set link ${index}`, (writer, sequence) => writeSetLink(writer, sequence, index, change))
  }

  deleteLink(index: number): Promise<void> {
    return this.one(`delete link ${index}`, (writer, sequence) => writeDeleteLink(writer, sequence, index))
  }

  addresses(): Promise<readonly KernelAddress[]> {
    return this.#dump('addresses', RTM.newAddress, writeGetAddresses, readAddress)
  }

  /** An address that is there already, the same, is no error. */
  addAddress(address: KernelAddress): Promise<void> {
    return this.one('add address', (writer, sequence) => writeNewAddress(writer, sequence, address))
  }

  deleteAddress(address: KernelAddress): Promise<void> {
    return this.one('delete address', (writer, sequence) => writeDeleteAddress(writer, sequence, address))
  }

  async routes(
    filter: { readonly family?: 4 | 6; readonly protocol?: number; readonly table?: number } = {},
  ): Promise<readonly KernelRoute[]> {
    const routes: KernelRoute[] = []
    await this.eachRoute(
      filter,
      (message) => void routes.push(readRoute(message)),
      () => void (routes.length = 0),
    )
    return routes
  }

  /**
   * Reads routes without keeping them. Where the table changed meanwhile it begins anew, 5 times at most: the last picture may then lack a route or have one twice.
   * @param again called before each further try: forget what was read
   */
  async eachRoute(
    filter: { readonly family?: 4 | 6; readonly protocol?: number; readonly table?: number },
    onRoute: (message: MessageCursor) => void,
    again: () => void,
  ): Promise<void> {
    const families = filter.family === undefined ? ([4, 6] as const) : ([filter.family] as const)
    for (let tries = 1; ; tries++) {
      let isInterrupted = false
      for (const family of families) {
        const dump = await this.#dumpOnce(
          'routes',
          (writer, sequence) => writeGetRoutes(writer, sequence, family, filter),
          (message) => {
            if (message.type === RTM.newRoute && !isClonedRoute(message)) onRoute(message)
          },
        ).catch((error: unknown) => {
          // no such table: it has no routes
          if ((error as NetlinkError).code === 'ENOENT') return { isInterrupted: false }
          throw error
        })
        isInterrupted ||= dump.isInterrupted
      }
      if (!isInterrupted || tries === DUMP_TRIES) return
      again()
    }
  }

  /** The route that a packet to this address takes. Undefined: none. @throws NetlinkError also where the route is one that refuses packets */
  async matchRoute(destination: Uint8Array): Promise<KernelRoute | undefined> {
    let found: KernelRoute | undefined
    try {
      await this.one(
        'match route',
        (writer, sequence) => writeMatchRoute(writer, sequence, destination),
        (message) => {
          if (message.type === RTM.newRoute) found = readRoute(message)
        },
      )
    } catch (error) {
      if ((error as NetlinkError).code !== 'ENETUNREACH') throw error
    }
    return found
  }

  /** EEXIST: there is a route of the same prefix, table and metric, whoever made it. */
  createRoute(route: KernelRoute): Promise<void> {
    return this.one('create route', (writer, sequence) => writeRoute(writer, 'create', sequence, route, true))
  }

  /** Takes the place of the route of the same prefix, table and metric, whoever made it. */
  replaceRoute(route: KernelRoute): Promise<void> {
    return this.one('replace route', (writer, sequence) => writeRoute(writer, 'replace', sequence, route, true))
  }

  /** Only one of the same protocol; ESRCH: there is none. */
  deleteRoute(route: KernelRoute): Promise<void> {
    return this.one('delete route', (writer, sequence) => writeRoute(writer, 'delete', sequence, route, true))
  }

  /** Many changes in one call to the kernel, each of them done or failed by itself. @returns the failures */
  async changeRoutes(changes: readonly RouteChange[]): Promise<readonly RouteFailure[]> {
    if (changes.length === 0) return []
    const first = this.#socket.sequences(changes.length)
    const writer = new NetlinkWriter(80 * changes.length)
    changes.forEach(({ op, route }, i) => writeRoute(writer, op, first + i, route, i === changes.length - 1))
    const lastSequence = first + changes.length - 1
    const errors = await this.#socket.request({ bytes: writer.finish(), lastSequence, what: 'change routes' })
    return errors.map(({ sequence, errno, message = '' }) => ({ index: sequence - first, code: errnoName(errno), message }))
  }

  neighbours(kind: KernelNeighbour['kind'], link = 0): Promise<readonly KernelNeighbour[]> {
    return this.#dump('neighbours', RTM.newNeighbour, (writer, sequence) => writeGetNeighbours(writer, sequence, kind, link), readNeighbour)
  }

  /** One that is there already is changed. */
  addNeighbour(neighbour: KernelNeighbour): Promise<void> {
    return this.one('add neighbour', (writer, sequence) => writeNewNeighbour(writer, sequence, neighbour))
  }

  /** One more host behind the same link-layer address of a VXLAN. */
  appendForwarding(neighbour: KernelNeighbour): Promise<void> {
    return this.one('append forwarding entry', (writer, sequence) => writeAppendForwarding(writer, sequence, neighbour))
  }

  deleteNeighbour(neighbour: KernelNeighbour): Promise<void> {
    return this.one('delete neighbour', (writer, sequence) => writeDeleteNeighbour(writer, sequence, neighbour))
  }

  rules(family: 4 | 6): Promise<readonly KernelRule[]> {
    return this.#dump('rules', RTM.newRule, (writer, sequence) => writeGetRules(writer, sequence, family), readRule)
  }

  /** EEXIST: there is one that is the same. */
  addRule(rule: KernelRule): Promise<void> {
    return this.one('add rule', (writer, sequence) => writeNewRule(writer, sequence, rule))
  }

  deleteRule(rule: KernelRule): Promise<void> {
    return this.one('delete rule', (writer, sequence) => writeDeleteRule(writer, sequence, rule))
  }

  /** One acknowledged request. @throws NetlinkError */
  async one(what: string, write: Write, onMessage?: (message: MessageCursor) => void): Promise<void> {
    const [error] = await this.#request(what, [write], onMessage)
    if (error) throw NetlinkError.of(what, error)
  }

  /** Many acknowledged requests in one call to the kernel. Each is done or fails by itself. @throws NetlinkError the first failure */
  async many(what: string, writes: readonly Write[]): Promise<void> {
    if (writes.length === 0) return
    const [error] = await this.#request(what, writes)
    if (error) throw NetlinkError.of(what, error)
  }

  #request(what: string, writes: readonly Write[], onMessage?: (message: MessageCursor) => void): Promise<readonly Acknowledgement[]> {
    const first = this.#socket.sequences(writes.length)
    const writer = new NetlinkWriter(256 * writes.length)
    writes.forEach((write, i) => write(writer, first + i))
    return this.#socket.request({ bytes: writer.finish(), lastSequence: first + writes.length - 1, what }, onMessage)
  }

  async #dump<T>(what: string, type: number, write: Write, read: (message: MessageCursor) => T): Promise<readonly T[]> {
    for (let tries = 1; ; tries++) {
      const found: T[] = []
      const { isInterrupted } = await this.#dumpOnce(what, write, (message) => {
        if (message.type === type) found.push(read(message))
      })
      if (!isInterrupted || tries === DUMP_TRIES) return found
    }
  }

  #dumpOnce(what: string, write: Write, onMessage: (message: MessageCursor) => void): Promise<{ readonly isInterrupted: boolean }> {
    const sequence = this.#socket.sequences(1)
    const writer = new NetlinkWriter(64)
    write(writer, sequence)
    return this.#socket.dump({ bytes: writer.finish(), lastSequence: sequence, what: `read ${what}` }, onMessage)
  }
}
