import { statusLine } from '../../../../protocols/http1/index.ts'
import type { Headers, ResponseHead } from '../../contract.ts'
import type { Connection } from '../../transport/contract.ts'
import type { OutputBuffer } from './output-buffer.ts'

export interface ResponseContext {
  readonly method: string
  readonly isHttp10: boolean
  /** The client would like another request on this connection. */
  readonly keepsAlive: boolean
}

/** Writes one response. What goes out together goes in one write. */
export class Http1ResponseWriter {
  readonly #connection: Connection
  readonly #context: ResponseContext
  readonly #out: OutputBuffer
  #framing: 'none' | 'length' | 'chunked' | 'close' | 'tunnel' = 'none'
  #left = 0
  #closes: boolean
  hasHead = false

  constructor(connection: Connection, out: OutputBuffer, context: ResponseContext) {
    this.#connection = connection
    this.#context = context
    this.#out = out
    this.#closes = !context.keepsAlive
  }

  get willClose(): boolean {
    return this.#closes
  }

  closeAfter(): void {
    this.#closes = true
  }

  /** Interim answers; HTTP/1.0 has none. */
  informational(status: number, headers: Headers): void {
    if (this.#context.isHttp10 || this.hasHead) return
    this.#out.text(statusLine(status))
    this.#fields(headers)
    this.#out.text('\r\n')
    this.#out.flush()
  }

  head(head: ResponseHead, end: boolean): void {
    this.hasHead = true
    const { status, headers } = head
    const out = this.#out
    out.text(statusLine(status))
    this.#fields(headers)
    this.#frame(head, end)
    out.text('\r\n')
    if (end) out.flush()
    else out.flushSoon()
  }

  /** @returns false: wait */
  body(buffer: Buffer, start: number, end: number): boolean {
    const size = end - start
    if (size === 0) return true
    switch (this.#framing) {
      case 'none':
        return true
      case 'chunked':
        return this.#out.chunk(buffer, start, end)
      case 'length':
        // more than was promised would be taken for the next response
        if (size > this.#left) {
          this.#closes = true
          const take = this.#left
          this.#left = 0
          return this.#out.bytes(buffer, start, start + take)
        }
        this.#left -= size
        return this.#out.bytes(buffer, start, end)
      default:
        return this.#out.bytes(buffer, start, end)
    }
  }

  end(trailers: Headers | undefined): void {
    if (this.#framing === 'chunked') {
      this.#out.text('0\r\n')
      if (trailers) this.#fields(trailers)
      this.#out.text('\r\n')
    }
    // fewer than were promised: the client must see that something is missing
    if (this.#framing === 'length' && this.#left > 0) {
      this.#out.flush()
      this.#connection.destroy()
      return
    }
    if (this.#framing === 'close') this.#closes = true
    this.#out.flush()
  }

  #frame({ status, headers }: ResponseHead, end: boolean): void {
    const { method, isHttp10, keepsAlive } = this.#context
    const out = this.#out
    const length = headers.get('content-length')
    if (status === 101) {
      this.#framing = 'tunnel'
      out.text('connection: Upgrade\r\n')
      return
    }
    if (end || method === 'HEAD' || status < 200 || status === 204 || status === 304) {
      this.#framing = 'none'
      if (end && length === undefined && method !== 'HEAD' && status >= 200 && status !== 204 && status !== 304)
        out.text('content-length: 0\r\n')
    } else if (length !== undefined) {
      this.#framing = 'length'
      this.#left = Number(length)
    } else if (isHttp10) {
      this.#framing = 'close'
      this.#closes = true
    } else {
      this.#framing = 'chunked'
      out.text('transfer-encoding: chunked\r\n')
    }
    if (this.#closes || !keepsAlive) {
      this.#closes = true
      out.text('connection: close\r\n')
    } else if (isHttp10) out.text('connection: keep-alive\r\n')
  }

  #fields(headers: Headers): void {
    const out = this.#out
    headers.forEach((name, value) => out.field(name, value))
  }
}
