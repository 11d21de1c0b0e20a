import type { Socket } from 'node:net'
import { parseIp } from '../../src/base/ip.ts'
import {
  decodeNotification,
  decodeOpen,
  encodeOpen,
  frameMessage,
  isFault,
  KEEPALIVE_BYTES,
  MESSAGE_TYPE,
  nextFrame,
  type Capability,
  type NotificationMessage,
  type OpenMessage,
} from '../../src/protocols/bgp/index.ts'
import { kernelSockets } from '../../src/control-plane/routing/session/bgp-sockets.ts'
import type { LabHost } from '../../src/testing/network-lab/index.ts'
import { poll } from '../support/poll.ts'

export interface RawPeerOptions {
  readonly as: number
  readonly routerId?: number
  readonly families?: readonly (1 | 2)[]
  readonly capabilities?: readonly Capability[]
  readonly port?: number
}

/** A peer that says whatever bytes it is told to. */
export class RawPeer {
  readonly #socket: Socket
  #rest: Buffer = Buffer.alloc(0)
  readonly updates: Uint8Array[] = []
  open: OpenMessage | undefined
  notification: NotificationMessage | undefined
  keepalives = 0
  readonly #life: NodeJS.Timeout
  isClosed = false

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.on('error', () => {})
    // a hold time of 90 s is offered
    this.#life = setInterval(() => socket.write(KEEPALIVE_BYTES), 20_000)
    socket.on('close', () => {
      this.isClosed = true
      clearInterval(this.#life)
    })
  }

  /** Connects from a host and is established when it returns. */
  static async connect(host: LabHost, address: string, options: RawPeerOptions): Promise<RawPeer> {
    const sockets = kernelSockets((fn) => host.inside(fn))
    const socket = sockets.connect({ address: parseIp(address) as Uint8Array, port: options.port ?? 179 }, {})
    const peer = new RawPeer(socket)
    const { as, routerId = 0xc0000202, families = [1], capabilities = [] } = options
    socket.write(
      encodeOpen({
        as: as > 65_535 ? 23_456 : as,
        holdTimeSeconds: 90,
        routerId,
        capabilities: [
          ...families.map((afi): Capability => ({ kind: 'multiprotocol', afi, safi: 1 })),
          { kind: 'four-octet-as', as },
          { kind: 'route-refresh' },
          ...capabilities,
        ],
      }),
    )
    await poll('an OPEN', () => peer.open, { everyMs: 10 })
    socket.write(KEEPALIVE_BYTES)
    await poll('a KEEPALIVE', () => (peer.keepalives > 0 ? true : undefined), { everyMs: 10 })
    return peer
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes)
  }

  /** An UPDATE with this body, in hexadecimal. */
  update(hex: string): void {
    this.write(frameMessage(MESSAGE_TYPE.update, Buffer.from(hex.replace(/\s/g, ''), 'hex')))
  }

  /** Waits until what was written has left. */
  async flushed(): Promise<void> {
    await poll('room in the socket', () => (this.#socket.writableLength === 0 ? true : undefined), { everyMs: 10 })
  }

  /** Waits while more than a megabyte waits to be sent. */
  async room(): Promise<void> {
    if (this.#socket.writableLength < 1_000_000) return
    await poll('room in the socket', () => (this.#socket.writableLength < 1_000_000 ? true : undefined), { everyMs: 5, withinMs: 600_000 })
  }

  close(): void {
    this.#socket.destroy()
  }

  #receive(chunk: Buffer): void {
    const bytes = Buffer.concat([this.#rest, chunk])
    let at = 0
    for (;;) {
      const frame = nextFrame(bytes, at, bytes.length, 65_535)
      if (!frame || isFault(frame)) break
      const body = bytes.subarray(frame.start + 19, frame.end)
      if (frame.type === MESSAGE_TYPE.open) {
        const open = decodeOpen(body)
        if (!isFault(open)) this.open = open
      } else if (frame.type === MESSAGE_TYPE.keepalive) this.keepalives++
      else if (frame.type === MESSAGE_TYPE.notification) this.notification = decodeNotification(body)
      else if (frame.type === MESSAGE_TYPE.update) this.updates.push(Uint8Array.from(body))
      at = frame.end
    }
    this.#rest = bytes.subarray(at)
  }
}
