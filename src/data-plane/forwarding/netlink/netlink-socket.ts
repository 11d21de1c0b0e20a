import { loadLibc, type SystemCallError } from '../../../base/linux/libc.ts'
import {
  MessageCursor,
  NLM_DUMP_INTERRUPTED,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_NOOP,
  readAcknowledgement,
  type Acknowledgement,
} from '../../../protocols/netlink/index.ts'
import { NetlinkError } from './netlink-error.ts'
import { openSocket, setBuffer, type OpenSocketOptions } from './open-socket.ts'

const MSG_DONTWAIT = 0x40
/** `recv` says how long the datagram was, not how much of it had room. */
const MSG_TRUNC = 0x20
const BUFFER_BYTES = 65_536
const RECEIVE_BYTES = 8 * 1024 * 1024
/** What a send buffer holds without being asked to grow. */
const SEND_BYTES = 128 * 1024
/** A long dump lets others run after so much. */
const SLICE_MS = 4
const LATE_MS = 2
const LATE_TRIES = 2000

export type NetlinkSocketOptions = Pick<OpenSocketOptions, 'protocol' | 'namespace'>

/** What is sent in one call. */
export interface NetlinkRequest {
  readonly bytes: Uint8Array
  /** Of the message whose acknowledgement, answer or NLMSG_DONE comes last. */
  readonly lastSequence: number
  /** An error with this number ends the request too: it is about a batch as a whole. */
  readonly beginSequence?: number
  /** For errors: what was asked. */
  readonly what: string
}

/**
 * Requests to one netlink family, one after another in the order of asking.
 *
 * The kernel does all the work of a request inside `send`, and waits there for the locks of others: so that runs on a thread of the pool. When it
 * returns, the answers lie in the socket; they are read at once, without waiting, on this thread. Parts of a dump are made by the
 * kernel while they are read. No thread waits for anything that may not come.
 */
export class NetlinkSocket {
  /** Of the notifications that this socket's requests cause. */
  readonly port: number
  readonly #fd: number
  readonly #buffer = new Uint8Array(BUFFER_BYTES)
  #sequence = 0
  #sendBytes = SEND_BYTES
  #tail: Promise<unknown> = Promise.resolve()
  #isClosed = false

  private constructor(fd: number, port: number) {
    this.#fd = fd
    this.port = port
  }

  /** @throws SystemCallError */
  static open(options: NetlinkSocketOptions): NetlinkSocket {
    const { fd, port } = openSocket({ ...options, receiveBytes: RECEIVE_BYTES, sendBytes: SEND_BYTES })
    return new NetlinkSocket(fd, port)
  }

  /** The first of `count` numbers for messages. */
  sequences(count: number): number {
    if (this.#sequence + count > 0x7fff_ffff) this.#sequence = 0
    const first = this.#sequence + 1
    this.#sequence += count
    return first
  }

  /**
   * Sends one or many messages of which the last is acknowledged (NLM_ACK).
   * @param onMessage called for all that is no acknowledgement. What the cursor stands on is gone when it returns.
   * @returns the errors, in order; empty when all went well
   */
  request(request: NetlinkRequest, onMessage?: (message: MessageCursor) => void): Promise<readonly Acknowledgement[]> {
    return this.#queue(async () => {
      await this.#send(request.bytes)
      const errors: Acknowledgement[] = []
      const onAnswer = (message: MessageCursor): boolean => {
        if (message.type !== NLMSG_ERROR) {
          onMessage?.(message)
          return false
        }
        const acknowledgement = readAcknowledgement(message)
        if (acknowledgement.errno !== 0) errors.push(acknowledgement)
        return message.sequence === request.lastSequence || (acknowledgement.errno !== 0 && message.sequence === request.beginSequence)
      }
      try {
        await this.#receive(request, onAnswer)
      } catch (error) {
        // of a batch, which is done whole or not at all, the first refusals say enough
        const isEnough = (error as NetlinkError).code === 'ENOBUFS' && request.beginSequence !== undefined && errors.length > 0
        if (!isEnough) throw error
      }
      return errors
    })
  }

  /**
   * Reads a table to its end (NLM_DUMP).
   * @returns whether it changed meanwhile, so that parts may be missing or double
   * @throws NetlinkError
   */
  dump(request: NetlinkRequest, onMessage: (message: MessageCursor) => void): Promise<{ readonly isInterrupted: boolean }> {
    return this.#queue(async () => {
      await this.#send(request.bytes)
      let isInterrupted = false
      await this.#receive(request, (message) => {
        if (message.sequence !== request.lastSequence) return false
        if ((message.flags & NLM_DUMP_INTERRUPTED) !== 0) isInterrupted = true
        if (message.type !== NLMSG_DONE && message.type !== NLMSG_ERROR) {
          onMessage(message)
          return false
        }
        const acknowledgement = readAcknowledgement(message)
        if (acknowledgement.errno !== 0) throw NetlinkError.of(request.what, acknowledgement)
        return true
      })
      return { isInterrupted }
    })
  }

  /** After what has been asked before. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    void this.#tail.finally(() => loadLibc().close(this.#fd))
  }

  #queue<T>(job: () => Promise<T>): Promise<T> {
    if (this.#isClosed) return Promise.reject(new NetlinkError('the netlink socket', 'ECLOSED'))
    const result = this.#tail.then(job)
    this.#tail = result.catch(() => {})
    return result
  }

  async #send(bytes: Uint8Array): Promise<void> {
    // what an earlier request, cut off by an error, has left
    this.#discard()
    if (bytes.length > this.#sendBytes - 1024) {
      this.#sendBytes = bytes.length + 1024
      setBuffer(this.#fd, 'send', this.#sendBytes)
    }
    await loadLibc().sendAsync(this.#fd, bytes, 0)
  }

  #discard(): void {
    while (this.#take() !== undefined);
  }

  /** Reads until `onMessage` says that it was the last. @throws NetlinkError `ENOBUFS` when some had no room; those that had are told */
  async #receive(request: NetlinkRequest, onMessage: (message: MessageCursor) => boolean): Promise<void> {
    let begin = performance.now()
    let isLossy = false
    for (let late = 0, isOver = false; !isOver;) {
      const length = this.#take()
      if (length === 'lost') {
        isLossy = true
        continue
      }
      if (length === undefined) {
        if (isLossy) break
        // not seen with a kernel that works as described above
        if (++late > LATE_TRIES) throw new NetlinkError(request.what, 'ETIMEDOUT')
        await new Promise((resolve) => setTimeout(resolve, LATE_MS))
        continue
      }
      const cursor = new MessageCursor(this.#buffer, 0, length)
      while (!isOver && cursor.next()) isOver = cursor.type !== NLMSG_NOOP && onMessage(cursor)
      if (isOver || performance.now() - begin < SLICE_MS) continue
      await new Promise((resolve) => setImmediate(resolve))
      begin = performance.now()
    }
    if (isLossy) throw new NetlinkError(request.what, 'ENOBUFS')
  }

  /** The next datagram. @returns its length; undefined: none is there; `lost`: there was no room for some, others may be there */
  #take(): number | 'lost' | undefined {
    try {
      return receiveNow(this.#fd, this.#buffer)
    } catch (error) {
      if ((error as SystemCallError).code === 'ENOBUFS') return 'lost'
      throw error
    }
  }
}

/** Reads one datagram without waiting. @returns its length; undefined: none is there. @throws SystemCallError, `EMSGSIZE` when it does not fit */
export function receiveNow(fd: number, buffer: Uint8Array): number | undefined {
  try {
    const length = loadLibc().recv(fd, buffer, MSG_DONTWAIT | MSG_TRUNC)
    if (length > buffer.length) throw new NetlinkError(`a netlink datagram of ${length} bytes`, 'EMSGSIZE')
    return length
  } catch (error) {
    if ((error as SystemCallError).code === 'EAGAIN') return undefined
    throw error
  }
}
