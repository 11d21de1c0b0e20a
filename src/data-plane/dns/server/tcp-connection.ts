import type { Socket } from 'node:net'
import type { Clock, Timer } from '../../../base/clock.ts'

export interface TcpConnectionOptions {
  readonly clock: Clock
  readonly handle: (bytes: Buffer) => Buffer | Promise<Buffer> | undefined
  readonly onClosed: () => void
}

/** Silence after which a connection is closed. */
const IDLE_MS = 10_000
/** Questions of one connection under way; the next ones wait in the kernel. */
const MAX_PIPELINED = 64
/** Bytes of answers that the client does not read. */
const MAX_UNSENT = 1024 * 1024

/** One client over TCP: messages with their length in front, several under way at a time, answered in any order. Source: RFC 7766. */
export class TcpConnection {
  readonly #socket: Socket
  readonly #options: TcpConnectionOptions
  #received: Buffer = Buffer.alloc(0)
  #underWay = 0
  #isEnding = false
  #idle: Timer | undefined

  constructor(socket: Socket, options: TcpConnectionOptions) {
    this.#socket = socket
    this.#options = options
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('error', () => socket.destroy())
    socket.on('end', () => this.end())
    socket.once('close', () => {
      this.#idle?.cancel()
      options.onClosed()
    })
    this.#wait()
  }

  /** Closes once everything that was asked has been answered. */
  end(): void {
    this.#isEnding = true
    if (this.#underWay === 0) this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #wait(): void {
    this.#idle?.cancel()
    this.#idle = this.#options.clock.after(IDLE_MS, () => this.#socket.destroy())
  }

  #read(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
    this.#take()
  }

  #take(): void {
    while (this.#received.length >= 2 && this.#underWay < MAX_PIPELINED) {
      const end = 2 + this.#received.readUInt16BE(0)
      if (this.#received.length < end) break
      const bytes = this.#received.subarray(2, end)
      this.#received = this.#received.subarray(end)
      this.#wait()
      void this.#answer(bytes)
    }
    if (this.#underWay >= MAX_PIPELINED) this.#socket.pause()
  }

  async #answer(bytes: Buffer): Promise<void> {
    this.#underWay++
    const answer = await this.#options.handle(bytes)
    this.#underWay--
    // what cannot even be called a query ends the connection: where the next one begins is anyone's guess
    if (!answer || this.#socket.writableLength > MAX_UNSENT) return void this.#socket.destroy()
    const length = Buffer.allocUnsafe(2)
    length.writeUInt16BE(answer.length)
    this.#socket.write(Buffer.concat([length, answer]))
    if (this.#isEnding && this.#underWay === 0) this.#socket.end()
    else if (this.#underWay === MAX_PIPELINED - 1) {
      this.#socket.resume()
      this.#take()
    }
  }
}
