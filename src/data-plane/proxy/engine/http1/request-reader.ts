import { ChunkDecoder, HeadReader, parseRequestHead, type ParsedRequest } from '../../../../protocols/http1/index.ts'
import type { RequestHead } from '../../contract.ts'
import type { DownstreamEvents } from '../contract.ts'
import { HeaderList } from '../header-list.ts'

/** Requests on one connection, one after another. */
export class Http1RequestReader {
  readonly #heads: HeadReader
  readonly #scheme: string
  #chunks: ChunkDecoder | undefined
  #rest = 0
  #isWhole = true
  #isTunnel = false
  request: ParsedRequest | undefined

  constructor(maxHeadBytes: number, scheme: string) {
    this.#heads = new HeadReader(maxHeadBytes)
    this.#scheme = scheme
  }

  /** Part of a head has come. */
  get isInside(): boolean {
    return this.#heads.isInside
  }

  get isWhole(): boolean {
    return this.#isWhole
  }

  /** Bytes of the body that are still to come; without end where it is chunked. */
  get restBytes(): number {
    return this.#isWhole ? 0 : this.#chunks ? Number.POSITIVE_INFINITY : this.#rest
  }

  get keepsAlive(): boolean | undefined {
    const { request } = this
    return request && (request.isHttp10 ? request.keepAlive && !request.close : !request.close)
  }

  get trailers(): HeaderList | undefined {
    return this.#chunks && this.#chunks.trailers.length > 0 ? new HeaderList(this.#chunks.trailers) : undefined
  }

  /** @throws {Http1Error} */
  readHead(buffer: Buffer, start: number, end: number): { readonly head: RequestHead; readonly end: number } | undefined {
    let at = start
    // an empty line before a request: old clients send one behind a body (RFC 9112 section 2.2)
    if (!this.#heads.isInside && buffer[at] === 13 && buffer[at + 1] === 10 && at + 1 < end) at += 2
    if (at === end) return undefined
    const found = this.#heads.read(buffer, at, end)
    if (!found) return undefined
    const request = parseRequestHead(found.text)
    this.request = request
    const { framing, method, target, authority, scheme, upgrade } = request
    this.#isWhole = framing.type === 'none'
    this.#chunks = framing.type === 'chunked' ? new ChunkDecoder() : undefined
    this.#rest = framing.type === 'length' ? framing.bytes : 0
    const headers = new HeaderList(request.fields)
    if (framing.type === 'length') headers.append('content-length', String(framing.bytes))
    return {
      end: found.end,
      head: {
        method,
        path: target,
        authority,
        scheme: scheme ?? this.#scheme,
        headers,
        isGrpc: headers.get('content-type')?.startsWith('application/grpc') ?? false,
        ...(upgrade === undefined ? {} : { upgrade: upgrade.toLowerCase() }),
        endsWithHead: framing.type === 'none',
      },
    }
  }

  /** @returns where the body stopped, or `end` @throws {Http1Error} */
  readBody(buffer: Buffer, start: number, end: number, events: DownstreamEvents): number {
    if (this.#chunks) {
      const at = this.#chunks.decode(buffer, start, end, events)
      this.#isWhole = this.#chunks.isDone
      return at
    }
    const take = Math.min(this.#rest, end - start)
    this.#rest -= take
    this.#isWhole = this.#rest === 0
    events.onData(buffer, start, start + take)
    return start + take
  }

  /** The next head may come. */
  next(): void {
    this.request = undefined
    this.#chunks = undefined
    this.#isWhole = true
  }

  /** From here on bytes are no requests any more. */
  tunnel(): void {
    this.#isTunnel = true
  }

  get isTunnel(): boolean {
    return this.#isTunnel
  }
}
