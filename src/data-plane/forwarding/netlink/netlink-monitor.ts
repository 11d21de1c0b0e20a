import type { Clock, Timer } from '../../../base/clock.ts'
import { loadLibc, type SystemCallError } from '../../../base/linux/libc.ts'
import { MessageCursor, NLMSG_ERROR, readAcknowledgement } from '../../../protocols/netlink/index.ts'
import { NetlinkError } from './netlink-error.ts'
import { receiveNow } from './netlink-socket.ts'
import { openSocket, type OpenSocketOptions } from './open-socket.ts'

const BUFFER_BYTES = 262_144
const RECEIVE_BYTES = 32 * 1024 * 1024
const FAST_MS = 5
const SLOW_MS = 100
/** Datagrams read in one go, before others run. */
const BURST = 500

export interface NetlinkMonitorOptions extends Pick<OpenSocketOptions, 'protocol' | 'namespace'> {
  /** Multicast groups, by number. */
  readonly groups: readonly number[]
  readonly clock: Clock
  /** Sent first, each acknowledged: for what is asked for by requests, not by groups. */
  readonly requests?: readonly Uint8Array[]
  /** Default 32 MiB, taken only when used. */
  readonly receiveBytes?: number
  /** What the kernel leaves out: exceptPort, exceptRoutesOf. */
  readonly filter?: Uint8Array
  /** What the cursor stands on is gone when it returns. */
  readonly onMessage: (message: MessageCursor) => void
  /** The kernel had no room for some notifications: what they said must be read anew. */
  readonly onLost: () => void
  /** It has failed and is closed: no more notifications. */
  readonly onFailed: (error: Error) => void
}

/**
 * Notifications of multicast groups.
 *
 * It looks whether some have come: 5 ms after the last, ever more seldom down to every 100 ms while nothing happens. libuv cannot wait for such
 * a socket, a `recv` that waits would hold one of the four threads that files and names need too, and a thread of our own costs
 * megabytes; a look that finds nothing costs some 20 us.
 */
export class NetlinkMonitor {
  readonly #options: NetlinkMonitorOptions
  readonly #fd: number
  /** Only the pages that a datagram has touched take memory. */
  readonly #buffer = new Uint8Array(BUFFER_BYTES)
  #timer: Timer | undefined
  #waitMs = FAST_MS
  #isClosed = false

  private constructor(options: NetlinkMonitorOptions, fd: number) {
    this.#options = options
    this.#fd = fd
  }

  /** @throws SystemCallError, NetlinkError */
  static open(options: NetlinkMonitorOptions): NetlinkMonitor {
    const { fd } = openSocket({ ...options, receiveBytes: options.receiveBytes ?? RECEIVE_BYTES })
    const monitor = new NetlinkMonitor(options, fd)
    try {
      for (const request of options.requests ?? []) monitor.#ask(request)
    } catch (error) {
      monitor.close()
      throw error
    }
    monitor.#schedule()
    return monitor
  }

  /** Reads now all that has come. Notifications of a request are there when its acknowledgement is. */
  drain(): void {
    while (!this.#isClosed && this.#read() === BURST);
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#timer?.cancel()
    loadLibc().close(this.#fd)
  }

  #ask(request: Uint8Array): void {
    loadLibc().send(this.#fd, request, 0)
    const length = receiveNow(this.#fd, this.#buffer) ?? 0
    const cursor = new MessageCursor(this.#buffer, 0, length)
    while (cursor.next()) {
      if (cursor.type !== NLMSG_ERROR) continue
      const acknowledgement = readAcknowledgement(cursor)
      if (acknowledgement.errno !== 0) throw NetlinkError.of('listen to netlink', acknowledgement)
      return
    }
    throw new NetlinkError('listen to netlink', 'EPROTO')
  }

  #schedule(): void {
    if (!this.#isClosed) this.#timer = this.#options.clock.after(this.#waitMs, () => this.#tick())
  }

  #tick(): void {
    const count = this.#read()
    this.#waitMs = count === BURST ? 0 : count > 0 ? FAST_MS : Math.min(SLOW_MS, Math.max(1, this.#waitMs) * 2)
    this.#schedule()
  }

  /** @returns how many datagrams there were, at most BURST */
  #read(): number {
    let count = 0
    try {
      for (; count < BURST && !this.#isClosed; count++) {
        const length = this.#take()
        if (length === undefined) break
        const cursor = new MessageCursor(this.#buffer, 0, length)
        while (cursor.next()) this.#options.onMessage(cursor)
      }
    } catch (error) {
      this.close()
      this.#options.onFailed(error as Error)
    }
    return count
  }

  #take(): number | undefined {
    for (let losses = 0; ; losses++) {
      try {
        return receiveNow(this.#fd, this.#buffer)
      } catch (error) {
        if ((error as SystemCallError).code !== 'ENOBUFS' || losses === BURST) throw error
        this.#options.onLost()
      }
    }
  }
}
