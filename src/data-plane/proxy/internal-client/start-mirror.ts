import type { RequestHead, UpstreamEndpoint } from '../contract.ts'
import type { EngineEndpoint, UpstreamEvents, UpstreamStream } from '../engine/contract.ts'
import { HeaderList, type Deadline, type TimerWheel } from '../engine/index.ts'
import type { MirrorRequest, StartMirror } from '../layers/index.ts'

/** Bytes of a body that wait for a connection, or for room on it. A copy that falls further behind is given up. */
const MAX_WAITING = 65_536
/** Since the last byte of the request: Envoy's default for routes. */
const TIMEOUT_MS = 15_000

/** Copies of requests: what comes back is thrown away. */
export function createStartMirror(wheel: TimerWheel): StartMirror {
  return (endpoint, head, authority) => new MirrorCopy(endpoint, head, authority, wheel)
}

class MirrorCopy implements MirrorRequest, UpstreamEvents {
  readonly #deadline: Deadline
  readonly #stream: UpstreamStream
  readonly #hasBody: boolean
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #canWrite = false
  /** The request's body is whole. */
  #isEnded = false
  /** All of it has gone. */
  #isSent = false
  #isOver = false

  constructor(endpoint: UpstreamEndpoint, head: RequestHead, authority: string, wheel: TimerWheel) {
    const { method, path, scheme, isGrpc, endsWithHead } = head
    // the request's own head changes after this, and is used again
    const copy: RequestHead = { method, path, authority, scheme, headers: HeaderList.copy(head.headers), isGrpc, endsWithHead }
    this.#hasBody = !endsWithHead
    this.#deadline = wheel.deadline(() => this.#giveUp())
    this.#deadline.set(TIMEOUT_MS)
    this.#stream = (endpoint as EngineEndpoint).open({ head: copy, hasBody: this.#hasBody, downstreamProtocol: 'http2' }, this)
    if (this.#canWrite) this.#flush()
  }

  write(chunk: Uint8Array, ended: boolean): void {
    if (this.#isOver || this.#isEnded || !this.#hasBody) return
    this.#isEnded = ended
    this.#deadline.set(TIMEOUT_MS)
    if (chunk.length > 0) {
      this.#waiting.push(Buffer.from(chunk))
      this.#waitingBytes += chunk.length
    }
    if (this.#canWrite) this.#flush()
    if (this.#waitingBytes > MAX_WAITING) this.#giveUp()
  }

  onReady(): void {
    this.#canWrite = true
    // from within `open` there is no stream yet
    if (this.#stream as UpstreamStream | undefined) this.#flush()
  }

  onDrain(): void {
    this.#canWrite = true
    this.#flush()
  }

  onInformational(): void {}

  onHead(_: unknown, end: boolean): void {
    if (end) this.onEnd()
  }

  onData(): void {}

  onEnd(): void {
    this.#over()
    // the answer came first: nobody reads what is left
    if (this.#hasBody && !this.#isSent) this.#stream.cancel()
  }

  onFailure(): void {
    this.#over()
  }

  #flush(): void {
    while (!this.#isOver && this.#canWrite) {
      const chunk = this.#waiting.shift()
      if (!chunk) break
      this.#waitingBytes -= chunk.length
      this.#canWrite = this.#stream.write(chunk, 0, chunk.length)
    }
    if (this.#isOver || this.#isSent || !this.#isEnded || this.#waiting.length > 0) return
    this.#isSent = true
    this.#stream.end()
  }

  #giveUp(): void {
    if (this.#isOver) return
    this.#over()
    this.#stream.cancel()
  }

  #over(): void {
    this.#isOver = true
    this.#waiting = []
    this.#deadline.cancel()
  }
}
