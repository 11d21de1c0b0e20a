import type { Headers, RequestHead, ResponseHead, UpstreamEndpoint, UpstreamFailure } from '../contract.ts'

/**
 * How the two sides of an exchange meet. The core (exchange.ts) stands in the middle: codecs of the client's side give it a DownstreamStream and call its
 * DownstreamEvents; it opens an UpstreamStream of an endpoint and hears its UpstreamEvents. Neither side knows what protocol the other speaks.
 *
 * Back-pressure: `write` says false when its side is full; then the core pauses the other side until `onDrain`. Bytes are valid during a call alone.
 * Calls of events may come from within calls of streams, except that `onClose`-like events (onReset, onFailure, onEnd) never come from within `open`.
 */

/** The client's side of one request, as a codec has it. */
export interface DownstreamStream {
  /** Interim responses (1xx, not 101). */
  sendInformational(status: number, headers: Headers): void
  /** Head of the response; `end`: nothing follows. For an upgrade that the upstream has accepted, `status` 101 (HTTP/1.1) or 200 (extended CONNECT) opens the tunnel. */
  sendHead(head: ResponseHead, end: boolean): void
  /** @returns false: wait for onDrain */
  write(buffer: Buffer, start: number, end: number): boolean
  /** Ends the response, with trailers where there are any. */
  end(trailers?: Headers): void
  /** No more of this response: the stream is reset, or the connection closed where the protocol knows nothing better. */
  reset(reason: 'cancel' | 'internal' | 'refused' | 'timeout'): void
  /** No more onData until `resume`. */
  pause(): void
  resume(): void
}

/** What happens on the client's side. */
export interface DownstreamEvents {
  onData(buffer: Buffer, start: number, end: number): void
  onTrailers(trailers: Headers): void
  /** The request is whole. */
  onEnd(): void
  onDrain(): void
  /** The client has gone, or has broken the protocol. No more calls after it. */
  onReset(reason: 'gone' | 'protocol'): void
}

/** One request to an upstream. */
export interface UpstreamStream {
  write(buffer: Buffer, start: number, end: number): boolean
  end(trailers?: Headers): void
  /** The answer is not wanted any more. Events stop. */
  cancel(): void
  pause(): void
  resume(): void
}

/** What happens on the upstream's side. */
export interface UpstreamEvents {
  /** The request has been given a connection and its head has been written: its body may follow. Before this, bodies are held back. */
  onReady(): void
  onInformational(status: number, headers: Headers): void
  onHead(head: ResponseHead, end: boolean): void
  onData(buffer: Buffer, start: number, end: number): void
  /** The response is whole. */
  onEnd(trailers?: Headers): void
  onDrain(): void
  /** The stream is over. After `onHead` the response has broken off. */
  onFailure(failure: UpstreamFailure): void
}

/** The engine's side of UpstreamEndpoint. */
export interface EngineEndpoint extends UpstreamEndpoint {
  /**
   * Sends the head of a request. `hasBody` false: it ends with its head. @param bodyBytes length of the body where it is known (content-length)
   */
  open(request: UpstreamRequest, events: UpstreamEvents): UpstreamStream
}

export interface UpstreamRequest {
  readonly head: RequestHead
  readonly hasBody: boolean
  /** The client spoke HTTP/1.0 or HTTP/1.1, or HTTP/2. */
  readonly downstreamProtocol: 'http1' | 'http2'
}
