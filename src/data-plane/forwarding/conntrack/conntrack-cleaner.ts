import { systemClock, type Clock } from '../../../base/clock.ts'
import { errnoName } from '../../../base/linux/libc.ts'
import { NETLINK_NETFILTER, NetlinkWriter } from '../../../protocols/netlink/index.ts'
import {
  CTNL_MSG,
  readFlow,
  writeDeleteFlow,
  writeGetFlows,
  type Flow,
  type FlowFilter,
} from '../../../protocols/netlink/conntrack/index.ts'
import { NetlinkError, NetlinkSocket } from '../netlink/index.ts'
import { StaleFlowMatcher, type StaleFlows } from './stale-flows.ts'

const UDP = 17
/** Wishes of this long are answered by one look at the table. */
const GATHER_MS = 20
const DELETE_BATCH = 1000

export interface ConntrackOptions {
  /** Path of a network namespace; default: that of this process. */
  readonly namespace?: string
  readonly clock?: Clock
}

/** Makes the kernel forget flows, so that the next packet of each is sent anew to a backend that is there. */
export interface ConntrackCleaner {
  /**
   * Deletes UDP flows. Nothing waits for it on the way of packets; calls that come close together share one look at the table, which the kernel
   * filters. @returns how many flows that look has deleted, those of others included. @throws NetlinkError
   */
  deleteUdp(stale: StaleFlows): Promise<number>
  close(): void
}

/** Needs root. @throws SystemCallError */
export function openConntrackCleaner(options: ConntrackOptions = {}): ConntrackCleaner {
  return new Cleaner(
    NetlinkSocket.open({ protocol: NETLINK_NETFILTER, ...(options.namespace !== undefined && { namespace: options.namespace }) }),
    options.clock ?? systemClock,
  )
}

class Cleaner implements ConntrackCleaner {
  readonly #socket: NetlinkSocket
  readonly #clock: Clock
  #gathering: { readonly matcher: StaleFlowMatcher; readonly done: Promise<number> } | undefined
  /** The kernel is older than its filter. */
  #isUnfiltered = false

  constructor(socket: NetlinkSocket, clock: Clock) {
    this.#socket = socket
    this.#clock = clock
  }

  deleteUdp(stale: StaleFlows): Promise<number> {
    if (!this.#gathering) {
      const matcher = new StaleFlowMatcher()
      const done = new Promise<void>((resolve) => this.#clock.after(GATHER_MS, resolve)).then(() => {
        this.#gathering = undefined
        return this.#delete(matcher)
      })
      this.#gathering = { matcher, done }
    }
    this.#gathering.matcher.add(stale)
    return this.#gathering.done
  }

  close(): void {
    this.#socket.close()
  }

  async #delete(matcher: StaleFlowMatcher): Promise<number> {
    const flows: Flow[] = []
    for (const family of matcher.families()) {
      await this.#read(family, (flow) => {
        if (flow.original.protocol === UDP && matcher.matches(flow)) flows.push(flow)
      })
    }
    for (let at = 0; at < flows.length; at += DELETE_BATCH) await this.#deleteFlows(flows.slice(at, at + DELETE_BATCH))
    return flows.length
  }

  async #read(family: 4 | 6, onFlow: (flow: Flow) => void): Promise<void> {
    if (this.#isUnfiltered) return this.#dump(family, {}, onFlow)
    try {
      await this.#dump(family, { protocol: UDP }, onFlow)
    } catch (error) {
      if (!['EINVAL', 'EOPNOTSUPP'].includes((error as NetlinkError).code)) throw error
      this.#isUnfiltered = true
      await this.#dump(family, {}, onFlow)
    }
  }

  async #dump(family: 4 | 6, filter: FlowFilter, onFlow: (flow: Flow) => void): Promise<void> {
    const sequence = this.#socket.sequences(1)
    const writer = new NetlinkWriter(64)
    writeGetFlows(writer, sequence, family, filter)
    await this.#socket.dump({ bytes: writer.finish(), lastSequence: sequence, what: 'read tracked flows' }, (message) => {
      if (message.type === CTNL_MSG.newFlow) onFlow(readFlow(message))
    })
  }

  async #deleteFlows(flows: readonly Flow[]): Promise<void> {
    const first = this.#socket.sequences(flows.length)
    const writer = new NetlinkWriter(160 * flows.length)
    flows.forEach((flow, i) => writeDeleteFlow(writer, first + i, flow, i === flows.length - 1))
    const errors = await this.#socket.request({ bytes: writer.finish(), lastSequence: first + flows.length - 1, what: 'delete flows' })
    // ended by itself meanwhile
    const [error] = errors.filter(({ errno }) => errnoName(errno) !== 'ENOENT')
    if (error) throw NetlinkError.of('delete a tracked flow', error)
  }
}
