import { constants, type ServerHttp2Stream } from 'node:http2'
import { decodeDeltaRequest, decodeDiscoveryRequest, type Node } from '../../../protocols/discovery/index.ts'
import { GrpcError, grpcFrame, GrpcFrameError, GrpcReader, GrpcStatus, grpcTrailers } from '../../../protocols/grpc-frames/index.ts'
import { ProtobufError } from '../../../protocols/protobuf/index.ts'
import { DeltaStream } from './delta-stream.ts'
import type { PushTarget } from './pusher.ts'
import type { SendBudget } from './send-budget.ts'
import { SotwStream } from './sotw-stream.ts'
import { StreamProtocolError, type StreamOptions } from './stream-state.ts'

/** Who is at the other end, and which proxy's configuration it may have. */
export interface StreamIdentity {
  /** Name of the proxy that `node.id` means; undefined: it is not this peer's. */
  proxyOf(nodeId: string): string | undefined
}

export interface DiscoveryCallOptions {
  readonly protocol: 'sotw' | 'delta'
  readonly identity: StreamIdentity
  readonly maxMessageBytes: number
  readonly budget: SendBudget
  readonly monotonic: () => number
  readonly streamOptions: (proxy: string) => StreamOptions
  /** The stream has said who it is. */
  readonly opened: (target: PushTarget, node: Node) => void
  readonly closed: (target: PushTarget) => void
}

/** One discovery stream: bytes to requests, responses to bytes. Ends with a gRPC status, whatever the client does. */
export class DiscoveryCall {
  readonly #stream: ServerHttp2Stream
  readonly #options: DiscoveryCallOptions
  readonly #reader: GrpcReader
  #target: (PushTarget & { readonly state: DeltaStream | SotwStream }) | undefined
  #ended = false
  /** Bytes that were sent and not taken by the connection yet: one response of each type at most. */
  #queued = 0
  /** When the first of them was sent, or some were taken last. */
  #queuedAt = 0

  constructor(stream: ServerHttp2Stream, options: DiscoveryCallOptions) {
    this.#stream = stream
    this.#options = options
    this.#reader = new GrpcReader(options.maxMessageBytes)
    stream.on('data', (chunk: Buffer) => this.#guard(() => this.#data(chunk)))
    stream.on('end', () => this.#guard(() => this.#end()))
    stream.on('close', () => this.#close())
    stream.on('error', () => this.#close())
  }

  /** Ends the call. */
  end(code: number, message = ''): void {
    if (this.#ended || this.#stream.destroyed) return
    this.#ended = true
    endCall(this.#stream, code, message)
    this.#close()
  }

  #data(chunk: Buffer): void {
    if (this.#ended) return
    for (const message of this.#reader.push(chunk)) {
      if (this.#ended) return
      this.#request(message)
    }
    this.#flush()
  }

  #end(): void {
    this.#reader.end()
    this.end(GrpcStatus.OK)
  }

  #request(message: Buffer): void {
    if (this.#options.protocol === 'delta') {
      const request = decodeDeltaRequest(message)
      const state = this.#open(request.node, (options) => new DeltaStream(options))
      if (state instanceof DeltaStream) state.receive(request)
    } else {
      const request = decodeDiscoveryRequest(message)
      const state = this.#open(request.node, (options) => new SotwStream(options))
      if (state instanceof SotwStream) state.receive(request)
    }
  }

  #open(node: Node | undefined, make: (options: StreamOptions) => DeltaStream | SotwStream): DeltaStream | SotwStream {
    if (this.#target) {
      if (node && node.id !== '' && this.#options.identity.proxyOf(node.id) !== this.#target.state.proxy)
        throw new GrpcError(GrpcStatus.INVALID_ARGUMENT, `node.id has changed to "${node.id}" on an open stream`)
      return this.#target.state
    }
    if (!node || node.id === '') throw new GrpcError(GrpcStatus.INVALID_ARGUMENT, 'the first request of a stream has to say node.id')
    const proxy = this.#options.identity.proxyOf(node.id)
    if (proxy === undefined)
      throw new GrpcError(GrpcStatus.PERMISSION_DENIED, `node.id "${node.id}" is not the proxy that the credentials name`)
    const state = make(this.#options.streamOptions(proxy))
    this.#target = { state, flush: this.#flush }
    this.#options.opened(this.#target, node)
    return state
  }

  /** Since when nothing of what was sent has been read, monotonic milliseconds; undefined: nothing waits to be. */
  get unreadSince(): number | undefined {
    return this.#queued > 0 ? this.#queuedAt : undefined
  }

  /** Ends a stream that nobody reads: trailers would wait behind what nobody reads. */
  drop(): void {
    if (this.#stream.destroyed) return
    this.#stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM)
    this.#close()
  }

  /** One function for pusher and budget; neither is to suffer from what fails here. */
  readonly #flush = (): void => this.#guard(() => this.#send())

  #send(): void {
    if (!this.#target || this.#ended || this.#stream.destroyed) return
    // what comes meanwhile is sent together, when this has been read
    if (this.#queued > 0 || !this.#options.budget.admits(this.#flush)) return
    for (const { bytes } of this.#target.state.next()) this.#write(grpcFrame(bytes))
  }

  #write(frame: Buffer): void {
    const { length } = frame
    if (this.#queued === 0) this.#queuedAt = this.#options.monotonic()
    this.#queued += length
    this.#options.budget.take(length)
    // called as well when the stream ends before
    this.#stream.write(frame, () => {
      this.#queued -= length
      this.#queuedAt = this.#options.monotonic()
      // its own turn comes after that of those who wait
      this.#options.budget.give(length)
      if (this.#queued === 0) this.#flush()
    })
  }

  #guard(work: () => void): void {
    try {
      work()
    } catch (error) {
      const [code, message] = statusOf(error)
      this.end(code, message)
    }
  }

  #close(): void {
    const target = this.#target
    this.#target = undefined
    this.#ended = true
    this.#options.budget.leave(this.#flush)
    if (target) this.#options.closed(target)
  }
}

/** Ends a call that has responded already. */
export function endCall(stream: ServerHttp2Stream, code: number, message: string): void {
  stream.once('wantTrailers', () => stream.sendTrailers(grpcTrailers(code, message)))
  stream.end()
}

/** Answers a call with nothing but a status. */
export function refuseCall(stream: ServerHttp2Stream, code: number, message: string): void {
  if (stream.destroyed || stream.headersSent) return
  stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...grpcTrailers(code, message) }, { endStream: true })
}

const FRAME_CODES = { TooLarge: GrpcStatus.RESOURCE_EXHAUSTED, Compressed: GrpcStatus.UNIMPLEMENTED, Truncated: GrpcStatus.INTERNAL }

/** How an error is told to the client. */
export function statusOf(error: unknown): readonly [number, string] {
  if (error instanceof GrpcError) return [error.code, error.message]
  if (error instanceof GrpcFrameError) return [FRAME_CODES[error.code], error.message]
  if (error instanceof ProtobufError) return [GrpcStatus.INVALID_ARGUMENT, `the message is no discovery request: ${error.message}`]
  if (error instanceof StreamProtocolError)
    return [error.code === 'ResourceExhausted' ? GrpcStatus.RESOURCE_EXHAUSTED : GrpcStatus.INVALID_ARGUMENT, error.message]
  return [GrpcStatus.INTERNAL, 'internal error']
}
