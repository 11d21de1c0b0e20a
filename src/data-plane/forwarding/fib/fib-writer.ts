import { ROUTE_TYPES, type KernelRoute } from '../../../protocols/netlink/route/index.ts'
import type { RouteChange, RouteSocket } from '../netlink/index.ts'
import { parseRouteKey, type RouteKey } from './route-key.ts'
import { toKernelHops, usableWay, type Devices, type Way } from './way.ts'

/** Routes sent in one call. One call is one turn of the thread pool, and in it the kernel lets nobody else change its tables. */
const BATCH = 2000
/** While the kernel works on one call, the next is put into bytes. */
const CALLS_AHEAD = 2

export interface WriteFailure {
  readonly key: RouteKey
  readonly code: string
  readonly message: string
}

/** Writes routes of one tag, many at a time. */
export class FibWriter {
  readonly #socket: RouteSocket
  readonly #protocol: number

  constructor(socket: RouteSocket, protocol: number) {
    this.#socket = socket
    this.#protocol = protocol
  }

  /**
   * Creates or replaces routes; those whose devices are not usable must have been taken out.
   * @returns what failed
   */
  put(
    op: 'create' | 'replace',
    keys: readonly RouteKey[],
    wanted: ReadonlyMap<RouteKey, Way>,
    devices: Devices,
  ): Promise<readonly WriteFailure[]> {
    const hops = new Map<Way, KernelRoute['nextHops']>()
    return this.#write(keys, (key) => {
      const way = wanted.get(key) as Way
      let nextHops = hops.get(way)
      if (!nextHops) hops.set(way, (nextHops = toKernelHops(usableWay(way, devices) ?? way, devices)))
      return { op, route: this.#route(key, way, nextHops) }
    })
  }

  /** Deletes routes with our tag; that one is gone already is no failure. */
  async remove(keys: readonly RouteKey[]): Promise<readonly WriteFailure[]> {
    const gone: Way = { type: 'unicast', nextHops: [], source: undefined }
    const failures = await this.#write(keys, (key) => ({ op: 'delete', route: this.#route(key, gone, []) }))
    return failures.filter(({ code }) => code !== 'ESRCH' && code !== 'ENOENT')
  }

  #route(key: RouteKey, { type, source }: Way, nextHops: KernelRoute['nextHops']): KernelRoute {
    const { destination, length, table, metric } = parseRouteKey(key)
    return { destination, length, table, metric, protocol: this.#protocol, type: ROUTE_TYPES[type], nextHops, ...(source && { source }) }
  }

  async #write(keys: readonly RouteKey[], change: (key: RouteKey) => RouteChange): Promise<readonly WriteFailure[]> {
    const failures: WriteFailure[] = []
    const running: Promise<void>[] = []
    for (let at = 0; at < keys.length; at += BATCH) {
      const batch = keys.slice(at, at + BATCH)
      const call = this.#socket.changeRoutes(batch.map(change)).then((failed) => {
        for (const { index, code, message } of failed) failures.push({ key: batch[index] as RouteKey, code, message })
      })
      // it may fail while the one before it is waited for
      call.catch(() => {})
      running.push(call)
      if (running.length >= CALLS_AHEAD) await running.shift()
    }
    await Promise.all(running)
    return failures
  }
}
