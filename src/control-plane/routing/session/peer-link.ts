import type { Clock, Timer } from '../../../base/clock.ts'
import { HEADER_BYTES, isFault, MESSAGE_TYPE, nextFrame, type BgpFault, type MessageType } from '../../../protocols/bgp/index.ts'
import type { BgpSocket } from './bgp-sockets.ts'

export interface PeerLinkHandler {
  onConnected(): void
  /** The body is only good until this returns. */
  onMessage(type: MessageType, body: Uint8Array): void
  onFault(fault: BgpFault): void
  onClosed(reason: string): void
  onDrain(): void
  onHoldExpired(): void
}

/** Bytes that may wait to be sent; routes are taken from the Rib only below it. */
const HIGH_WATER_BYTES = 256 * 1024
/** How long a NOTIFICATION may take to leave. */
const LINGER_MS = 2_000

/** One TCP connection with a peer: whole messages in, bytes out, and the time since something came. */
export class PeerLink {
  readonly #socket: BgpSocket
  readonly #handler: PeerLinkHandler
  readonly #clock: Clock
  #rest: Buffer | undefined
  #maxMessageBytes = 4096
  #heardAtMs: number
  #hold: { readonly ms: number; timer: Timer } | undefined
  #isClosed = false
  #sentBytes = 0
  #sentAtMs: number

  constructor(socket: BgpSocket, handler: PeerLinkHandler, clock: Clock) {
    this.#socket = socket
    this.#handler = handler
    this.#clock = clock
    this.#heardAtMs = clock.monotonic()
    this.#sentAtMs = this.#heardAtMs
    let reason = 'the peer closed the connection'
    socket.setNoDelay(true)
    socket.on('connect', () => this.#tell(() => handler.onConnected()))
    socket.on('data', (chunk: Buffer) => this.#tell(() => this.#receive(chunk)))
    socket.on('drain', () => this.#tell(() => handler.onDrain()))
    socket.on('error', (error) => (reason = error.message))
    socket.on('close', () =>
      this.#tell(() => {
        this.#stop()
        handler.onClosed(reason)
      }),
    )
  }

  get localAddress(): string | undefined {
    return this.#socket.localAddress
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress
  }

  /** Whether more may be given to `write` now. */
  get hasRoom(): boolean {
    return !this.#isClosed && this.#socket.writableLength < HIGH_WATER_BYTES
  }

  /** Longest message that may come, from the next on. */
  set maxMessageBytes(value: number) {
    this.#maxMessageBytes = value
  }

  write(bytes: Uint8Array): void {
    if (!this.#isClosed) this.#socket.write(bytes)
  }

  /** Closes once what was written is out, or after two seconds. Nothing is heard of it any more. */
  close(): void {
    if (this.#isClosed) return
    this.#stop()
    const socket = this.#socket
    if (socket.connecting) return void socket.destroy()
    socket.end()
    const timer = this.#clock.after(LINGER_MS, () => socket.destroy())
    socket.once('finish', () => {
      timer.cancel()
      socket.destroy()
    })
  }

  /** How long nothing of what waits to be sent has left; 0 when nothing waits. */
  stuckMs(): number {
    const sent = this.#socket.bytesWritten - this.#socket.writableLength
    const now = this.#clock.monotonic()
    if (this.#socket.writableLength === 0 || sent !== this.#sentBytes) {
      this.#sentBytes = sent
      this.#sentAtMs = now
    }
    return now - this.#sentAtMs
  }

  /** Expects a message within `ms`, from now and from each message on. 0: never mind. */
  expectWithin(ms: number): void {
    this.#hold?.timer.cancel()
    this.#hold = undefined
    this.#heardAtMs = this.#clock.monotonic()
    if (ms > 0) this.#arm(ms, ms)
  }

  #arm(ms: number, inMs: number): void {
    this.#hold = { ms, timer: this.#clock.after(inMs, () => this.#onHold(ms)) }
  }

  #onHold(ms: number): void {
    const left = (): number => this.#heardAtMs + ms - this.#clock.monotonic()
    if (left() > 0) return this.#arm(ms, left())
    // this process may have been stalled: what lies in the socket since then is read first
    setImmediate(() =>
      setImmediate(() => {
        if (this.#isClosed || this.#hold?.ms !== ms) return
        if (left() > 0) this.#arm(ms, left())
        else this.#tell(() => this.#handler.onHoldExpired())
      }),
    )
  }

  #receive(chunk: Buffer): void {
    const bytes = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk
    this.#rest = undefined
    let at = 0
    for (;;) {
      const frame = nextFrame(bytes, at, bytes.length, this.#maxMessageBytes)
      if (frame === undefined) break
      if (isFault(frame)) return this.#handler.onFault(frame)
      // of all messages only these say that the peer lives (RFC 4271 section 8.2.2)
      if (frame.type !== MESSAGE_TYPE.routeRefresh) this.#heardAtMs = this.#clock.monotonic()
      this.#handler.onMessage(frame.type, bytes.subarray(frame.start + HEADER_BYTES, frame.end))
      if (this.#isClosed) return
      at = frame.end
    }
    // a copy: the chunk is a part of a larger buffer, which would be held
    if (at < bytes.length) this.#rest = Buffer.from(bytes.subarray(at))
  }

  #tell(fn: () => void): void {
    if (!this.#isClosed) fn()
  }

  #stop(): void {
    this.#isClosed = true
    this.#hold?.timer.cancel()
    this.#hold = undefined
  }
}
