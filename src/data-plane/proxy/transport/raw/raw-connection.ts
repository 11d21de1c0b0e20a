import type { Socket } from 'node:net'
import { getSystemErrorName } from 'node:util'
import type { SocketAddress } from '../../../../policy/traffic/model/index.ts'
import type { Connection, ConnectionHandler, TlsSession } from '../contract.ts'
import type { Bindings, HandleAddress, StreamHandle, WriteRequest } from './bindings.ts'
import { giveLoan, takeLoan, type Loan } from './loans.ts'
import { appendTo, giveRegion, REGION_BYTES, takeRegion, type Region } from './regions.ts'

/** Above this many bytes that wait, writers are told to wait. */
const HIGH_WATER_BYTES = 128 * 1024
const READ_BYTES = 64 * 1024
/** Of memory that is lent, from this many bytes on: what is less is put together with its neighbours. */
const DIRECT_BYTES = 16 * 1024
const UV_EOF = -4095

/**
 * One buffer for the reads of all connections: reads come one after another, and bytes are valid during a callback alone. That is what makes reading cost
 * no allocation, and what a connection that keeps bytes too long would leak another one's bytes by: hence `poisonReads`. Who fills it whole reads on into
 * memory that is lent to him (loans.ts).
 */
const readBuffer = Buffer.allocUnsafeSlow(READ_BYTES)
let isPoisoned = false

/** For tests: overwrites what was read after each callback, so that whoever looks later sees that he may not. */
export function poisonReads(on: boolean): void {
  isPoisoned = on
}

/** Callbacks of reads that we are in. Inside of one, output is gathered: a head and its body become one write. */
let depth = 0
const dirty: RawConnection[] = []

function leave(): void {
  if (--depth > 0) return
  // flushing may tell somebody to go on, who writes more
  for (let at = 0; at < dirty.length; at++) (dirty[at] as RawConnection).flush()
  dirty.length = 0
}

/** The loan whose bytes are given out just now: these may be written without a copy. */
let lent: Loan | undefined

function onRead(this: StreamHandle): Buffer | undefined {
  const connection = this.biplaneOwner as RawConnection
  const count = connection.bindings.state[connection.bindings.readIndex] as number
  if (count === 0) return undefined
  const { loan } = connection
  const buffer = loan?.bytes ?? readBuffer
  // writing to TLS may bring what it has decrypted, from within another one's read
  const outer = lent
  lent = loan
  depth++
  try {
    if (count > 0) {
      connection.received(buffer, 0, count)
      if (isPoisoned && (loan?.holders ?? 1) === 1) buffer.fill(0xdb, 0, count)
    } else connection.readFailed(count)
  } finally {
    lent = outer
    leave()
  }
  return connection.nextBuffer(count)
}

/** A Connection on Node's handles, without sockets and streams in between: half the CPU of those. */
export class RawConnection implements Connection {
  readonly bindings: Bindings
  readonly remote: SocketAddress
  readonly local: SocketAddress
  readonly tls?: TlsSession
  readonly fd: number
  pendingBytes = 0
  /** What it reads into, in place of the buffer of all. */
  loan: Loan | undefined
  readonly #handle: StreamHandle
  readonly #socket: Socket
  #request: WriteRequest
  #handler: ConnectionHandler | undefined
  #first: Buffer | undefined
  /** Output that was not given to the kernel yet; and what it is taking just now. */
  #queue: Region[] = []
  #inFlight: Region | undefined
  #isDirty = false
  #isFull = false
  #isReading = false
  #isPaused = false
  #hasEnded = false
  /** The end came before somebody took over, or before what came first was given out. */
  #isEndUntold = false
  #wantsEnd = false
  #hasShutDown = false
  #isClosed = false
  #isGone = false
  #error: Error | undefined

  /** Takes over a socket of Node's, plain or TLS, that is connected; from then on it is there to be destroyed, and for nothing else. */
  constructor(bindings: Bindings, socket: Socket, tls?: TlsSession) {
    const handle = handleOf(socket)
    if (!handle) throw new Error('the socket has no handle: it is not connected')
    this.bindings = bindings
    this.#handle = handle
    this.#socket = socket
    if (tls) this.tls = tls
    this.#request = this.#newRequest()
    this.fd = handle.fd ?? -1
    this.remote = addressOf(handle, 'getpeername')
    this.local = addressOf(handle, 'getsockname')
    socket.setNoDelay(true)
    socket.pause()
    // the stream above is not to read any more: what it holds it gives out now, and asking it would start it again
    socket._read = () => {}
    if (socket.readableLength > 0) this.#first = (socket.read() as Buffer | null) ?? undefined
    handle.readStop()
    handle.reading = false
    handle.biplaneOwner = this
    handle.onread = onRead
    handle.useUserBuffer(readBuffer)
    // errors of TLS come this way; reads and writes do not
    socket.on('error', (error: Error) => this.destroy(error))
    socket.on('close', () => this.#closed())
  }

  #newRequest(): WriteRequest {
    const request = new this.bindings.Write()
    request.owner = this
    request.oncomplete = writeCompleted
    return request
  }

  handle(handler: ConnectionHandler): void {
    const isFirst = this.#handler === undefined
    this.#handler = handler
    if (!isFirst) return
    if (this.#isClosed) this.#tellLater()
    else if (this.#first || this.#hasEnded) setImmediate(() => this.#giveFirst())
    else this.#read()
  }

  #giveFirst(): void {
    if (this.#isClosed || this.#isPaused) return
    const first = this.#first
    this.#first = undefined
    depth++
    try {
      if (first) this.received(first, 0, first.length)
      if (this.#isEndUntold && !this.#isClosed) this.#tellEnd()
    } finally {
      leave()
    }
    this.#read()
  }

  #read(): void {
    if (this.#isReading || this.#isPaused || this.#isClosed || this.#hasEnded || !this.#handler || this.#first) return
    this.#isReading = true
    const problem = this.#handle.readStart()
    if (problem < 0) this.#failLater(problem)
  }

  received(buffer: Buffer, start: number, end: number): void {
    if (this.#isClosed) return
    if (this.#handler) return this.#handler.onData(buffer, start, end)
    // TLS gives out what it has decrypted although nobody reads: at most what came with the end of the handshake
    const bytes = Buffer.copyBytesFrom(buffer, start, end - start)
    this.#first = this.#first ? Buffer.concat([this.#first, bytes]) : bytes
  }

  /** @returns what the next reads go into, after one of so many bytes; undefined: the same as before */
  nextBuffer(count: number): Buffer | undefined {
    const { loan } = this
    // small reads come to an end, or slowly: neither is worth memory of its own
    const isLarge = count >= READ_BYTES && this.#isReading && !this.#isClosed
    if (isLarge ? loan?.holders === 1 : !loan) return undefined
    if (loan) giveLoan(loan)
    this.loan = isLarge ? takeLoan() : undefined
    return this.loan?.bytes ?? readBuffer
  }

  readFailed(code: number): void {
    if (this.#isClosed || this.#hasEnded) return
    if (code !== UV_EOF) return this.destroy(failure('read', code))
    this.#hasEnded = true
    this.#isReading = false
    this.#handle.readStop()
    this.#isEndUntold = true
    if (this.#handler && !this.#first) this.#tellEnd()
  }

  #tellEnd(): void {
    this.#isEndUntold = false
    this.#handler?.onEnd()
    if (this.#hasShutDown) this.destroy()
  }

  write(buffer: Buffer, start = 0, end: number = buffer.length): boolean {
    if (this.#isClosed || this.#wantsEnd) return true
    if (lent?.bytes === buffer && end - start >= DIRECT_BYTES && this.#writeLent(lent, start, end)) return !this.#isFull
    this.pendingBytes += end - start
    while (start < end) {
      let region = this.#queue.at(-1)
      if (!region || region.length === REGION_BYTES) this.#queue.push((region = takeRegion()))
      const next = Math.min(end, start + REGION_BYTES - region.length)
      appendTo(region, buffer, start, next)
      start = next
    }
    if (depth > 0 && this.pendingBytes <= HIGH_WATER_BYTES) {
      if (!this.#isDirty && !this.#inFlight) {
        this.#isDirty = true
        dirty.push(this)
      }
    } else this.flush()
    this.#isFull = this.pendingBytes > HIGH_WATER_BYTES
    return !this.#isFull
  }

  /** @returns false: something else has to go out first */
  #writeLent(loan: Loan, start: number, end: number): boolean {
    this.flush()
    if (this.#inFlight || this.#isClosed) return false
    const problem = this.#handle.writeBuffer(this.#request, loan.bytes.subarray(start, end))
    if (problem !== 0) this.#failLater(problem)
    else if (this.bindings.state[this.bindings.asyncIndex] !== 0) {
      loan.holders++
      this.#inFlight = { bytes: loan.bytes, length: end - start, loan }
      this.pendingBytes = end - start
      this.#isFull = this.pendingBytes > HIGH_WATER_BYTES
    }
    return true
  }

  /** Gives output to the kernel until it takes no more at once. */
  flush(): void {
    this.#isDirty = false
    while (!this.#inFlight && !this.#isClosed) {
      const region = this.#queue.shift()
      if (!region) break
      const { bytes, length } = region
      const problem = this.#handle.writeBuffer(this.#request, bytes.subarray(0, length))
      if (problem !== 0) {
        giveRegion(region)
        this.#failLater(problem)
        return
      }
      if (this.bindings.state[this.bindings.asyncIndex] !== 0) {
        this.#inFlight = region
        return
      }
      this.#wentOut(region)
    }
    if (this.#wantsEnd && this.pendingBytes === 0) this.#shutDown()
  }

  writeCompleted(status: number): void {
    const region = this.#inFlight
    this.#inFlight = undefined
    if (!region) return
    // a request is used once when it went its way without us
    this.#request = this.#newRequest()
    if (this.#isClosed) return giveRegion(region)
    if (status < 0) {
      giveRegion(region)
      return this.destroy(failure('write', status))
    }
    this.#wentOut(region)
    this.flush()
    if (!this.#isFull || this.pendingBytes > 0 || this.#isClosed) return
    this.#isFull = false
    depth++
    try {
      this.#handler?.onDrain()
    } finally {
      leave()
    }
  }

  #wentOut(region: Region): void {
    this.pendingBytes -= region.length
    giveRegion(region)
  }

  pause(): void {
    this.#isPaused = true
    if (!this.#isReading || this.#isClosed) return
    this.#isReading = false
    this.#handle.readStop()
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    if ((this.#first || this.#isEndUntold) && this.#handler) setImmediate(() => this.#giveFirst())
    else this.#read()
  }

  end(): void {
    if (this.#wantsEnd || this.#isClosed) return
    this.#wantsEnd = true
    if (depth > 0 && this.#isDirty) return
    this.flush()
  }

  #shutDown(): void {
    if (this.#hasShutDown || this.#isClosed) return
    this.#hasShutDown = true
    const request = new this.bindings.Shutdown()
    request.oncomplete = (status) => {
      if (status < 0 && !this.#hasEnded) this.destroy()
      else if (this.#hasEnded) this.destroy()
    }
    const problem = this.#handle.shutdown(request)
    if (problem < 0) this.#failLater(problem)
  }

  #failLater(code: number): void {
    setImmediate(() => this.destroy(failure('write', code)))
  }

  destroy(error?: Error): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#error = error
    // what libuv has in flight stays ours until it says that it is done with it
    for (const region of this.#queue) giveRegion(region)
    this.#queue = []
    this.pendingBytes = 0
    this.#socket.destroy()
    // the handle reads no more; inside of a read, what comes after it does this
    if (this.loan && lent !== this.loan) {
      giveLoan(this.loan)
      this.loan = undefined
    }
  }

  #closed(): void {
    this.destroy()
    this.#isGone = true
    this.#handler?.onClose(this.#error)
  }

  /** Somebody takes over what has closed meanwhile. */
  #tellLater(): void {
    if (this.#isGone) setImmediate(() => this.#handler?.onClose(this.#error))
  }
}

/** The stream handle of a socket; undefined once it is closed. */
function handleOf(socket: Socket): StreamHandle | undefined {
  return (socket as unknown as { readonly _handle?: StreamHandle | null })._handle ?? undefined
}

function writeCompleted(this: WriteRequest, status: number): void {
  this.owner?.writeCompleted(status)
}

function failure(what: string, code: number): Error {
  const name = getSystemErrorName(code)
  return Object.assign(new Error(`${what} ${name}`), { code: name })
}

function addressOf(handle: StreamHandle, method: 'getpeername' | 'getsockname'): SocketAddress {
  const into: Partial<HandleAddress> = {}
  handle[method]?.(into)
  const { address = '', port = 0 } = into
  return { address: address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address, port }
}
