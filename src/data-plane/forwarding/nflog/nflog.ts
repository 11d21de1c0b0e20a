import { systemClock, type Clock } from '../../../base/clock.ts'
import { NETLINK_NETFILTER, type MessageCursor } from '../../../protocols/netlink/index.ts'
import { encodeBindGroup, NFULNL_MSG, readLoggedPacket, readPacketTuple, type PacketTuple } from '../../../protocols/netlink/nflog/index.ts'
import { NetlinkMonitor } from '../netlink/index.ts'

/** Heads of IPv6 with a few extensions, and ports. */
const COPY_BYTES = 160
const RECEIVE_BYTES = 4 * 1024 * 1024
const DELAY_MS = 50
const QUEUE = 4096

export interface NflogOptions {
  /** Of `log group N` in rules: 0 to 65535. One listener each in a namespace. */
  readonly group: number
  /** Path of a network namespace; default: that of this process. */
  readonly namespace?: string
  readonly clock?: Clock
  /** Packets that wait to be taken. Default 4096; when full, new ones are dropped and counted. */
  readonly queue?: number
}

/** A packet that a rule has logged. */
export interface LoggedPacket {
  readonly prefix: string
  /** NF_INET_...: 0 prerouting, 1 input, 2 forward, 3 output, 4 postrouting. */
  readonly hook: number
  readonly mark: number
  /** Indexes of the links; 0: none. */
  readonly inDevice: number
  readonly outDevice: number
  /** Undefined: not an IP packet. */
  readonly tuple: PacketTuple | undefined
}

/** Packets in the order of the kernel; ends with `close`. */
export interface Nflog extends AsyncIterable<LoggedPacket> {
  /** Packets that were logged and are not in the iteration. */
  readonly dropped: {
    /** The reader was slow. */
    readonly queue: number
    /** The kernel had no room: counted by gaps in its numbers. */
    readonly kernel: number
  }
  close(): void
}

/** Takes the packets of a group. Needs root. @throws SystemCallError, NetlinkError `EPERM` when another listens to the group */
export function openNflog(options: NflogOptions): Nflog {
  const size = options.queue ?? QUEUE
  const queue: LoggedPacket[] = []
  const dropped = { queue: 0, kernel: 0 }
  let nextSequence: number | undefined
  const state: { isClosed: boolean; failure?: Error } = { isClosed: false }
  let wake = (): void => {}
  const onMessage = (message: MessageCursor): void => {
    if (message.type !== NFULNL_MSG.packet) return
    const { payload, sequence, timeMs: _time, ...packet } = readLoggedPacket(message)
    if (nextSequence !== undefined) dropped.kernel += (sequence - nextSequence) >>> 0
    nextSequence = (sequence + 1) >>> 0
    if (queue.length >= size) dropped.queue++
    else queue.push({ ...packet, tuple: readPacketTuple(payload) })
    wake()
  }
  const monitor = NetlinkMonitor.open({
    protocol: NETLINK_NETFILTER,
    groups: [],
    requests: encodeBindGroup(options.group, COPY_BYTES, DELAY_MS),
    clock: options.clock ?? systemClock,
    receiveBytes: RECEIVE_BYTES,
    ...(options.namespace !== undefined && { namespace: options.namespace }),
    onMessage,
    // the gap in the numbers will say how many
    onLost: () => {},
    onFailed: (error) => {
      state.failure = error
      wake()
    },
  })
  const close = (): void => {
    state.isClosed = true
    monitor.close()
    wake()
  }
  const iterate = async function* (): AsyncGenerator<LoggedPacket> {
    try {
      while (!state.isClosed) {
        if (state.failure) throw state.failure
        const batch = queue.splice(0)
        yield* batch
        if (batch.length === 0) await new Promise<void>((resolve) => (wake = resolve))
      }
    } finally {
      close()
    }
  }
  return { dropped, close, [Symbol.asyncIterator]: iterate }
}
