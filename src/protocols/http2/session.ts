import { FieldBlock, HpackDecoder, HpackError } from '../hpack/index.ts'
import { ErrorCode, Flag, FrameType, MAX_STREAM_ID, MAX_WINDOW, PREFACE, errorName } from './constants.ts'
import { writeGoAway, writePing, writeReset } from './control-frames.ts'
import { FloodGuard } from './flood-guard.ts'
import { FrameOutput } from './frame-output.ts'
import { FrameReader, type FrameSink } from './frame-reader.ts'
import { MessageShape, checkRequest, checkResponse, checkTrailers } from './message-rules.ts'
import { ReceiveSide } from './receive-side.ts'
import { SendSide } from './send-side.ts'
import type { SessionEvents, SessionOptions } from './session-events.ts'
import { StreamTable } from './stream-table.ts'
import { PeerSettings, type SessionLimits, applySetting, writeSettings } from './settings.ts'
import { Http2Stream, resetByPeer } from './stream.ts'

const WRONG_LENGTH = 'the body is not as long as content-length says'
const [PING_ALIVE, PING_DRAIN] = [1, 2]

/**
 * One HTTP/2 connection as a state machine: bytes go in by `receive`, events come out of `events` and the streams' handlers, frames come out in `output`. It
 * does no I/O and has no timers. What a peer can make it keep is bounded by the limits; what it can make it do without use ends with ENHANCE_YOUR_CALM.
 * Source: RFC 9113.
 */
export class Http2Session implements FrameSink {
  readonly output: FrameOutput
  readonly sender: SendSide
  readonly peer: PeerSettings = new PeerSettings()
  readonly streams: StreamTable = new StreamTable()
  readonly shape: MessageShape = new MessageShape()
  /** The fields decoded last. */
  block: FieldBlock = new FieldBlock()
  readonly #server: boolean
  readonly #limits: SessionLimits
  readonly #events: SessionEvents
  readonly #nowMs: () => number
  readonly #decoder: HpackDecoder
  readonly #reader: FrameReader
  #now = 1
  readonly #receiver: ReceiveSide
  #lastPeerId = 0
  #nextId: number
  #ended = false
  #drain: 'no' | 'announced' | 'final' = 'no'
  #lastAccepted = MAX_STREAM_ID
  #isGoingAway = false
  /** Updates of windows the peer may send; data we send earns more. */
  #updatesUsed = 0
  #streamsEver = 0
  readonly #resets = new FloodGuard(200, 50)
  readonly #controls = new FloodGuard(1000, 200)
  readonly #useless = new FloodGuard(200, 50)

  constructor(options: SessionOptions) {
    this.#server = options.isServer
    this.#limits = options.limits
    this.#events = options.events
    this.#nowMs = options.nowMs
    this.#nextId = options.isServer ? 2 : 1
    this.#decoder = new HpackDecoder({ maxTableBytes: options.limits.headerTableBytes, maxListBytes: options.limits.maxHeaderListBytes })
    this.output = new FrameOutput(() => this.#events.onOutput())
    this.#receiver = new ReceiveSide(this.output, options.limits)
    this.sender = new SendSide(this.output, (stream) => this.#halfEnded(stream))
    this.#reader = new FrameReader(this, options.isServer ? PREFACE : undefined, options.limits.maxHeaderListBytes)
  }

  /** Sends the preface of this side. */
  start(): void {
    if (!this.#server) {
      this.output.reserve(PREFACE.length)
      this.output.copy(PREFACE, 0, PREFACE.length)
    }
    writeSettings(this.output, this.#limits, this.#server)
    this.#receiver.start()
  }

  /** Takes bytes of the connection; they are valid during the call alone. */
  receive(bytes: Buffer, start: number, end: number): void {
    if (this.#ended) return
    this.#now = this.#nowMs()
    this.#reader.receive(bytes, start, end)
  }

  get isEnded(): boolean {
    return this.#ended
  }

  /** Whether a client can open one more stream. */
  get canOpen(): boolean {
    return (
      !this.#ended &&
      !this.#isGoingAway &&
      this.#drain === 'no' &&
      this.streams.size < this.peer.maxConcurrentStreams &&
      this.#nextId < MAX_STREAM_ID
    )
  }

  /** No new streams. */
  get isGoingAway(): boolean {
    return this.#ended || this.#isGoingAway || this.#drain !== 'no' || this.#nextId >= MAX_STREAM_ID
  }

  /** Opens a stream; the caller has seen that it {@link canOpen}, and sends HEADERS next. */
  open(): Http2Stream {
    const stream = new Http2Stream(this.#nextId, this.sender.initialWindow, this.#limits.streamWindowBytes, this.#nowMs())
    this.#nextId += 2
    this.#streamsEver++
    this.streams.set(stream.id, stream)
    return stream
  }

  /** Data was handed on: the peer may send as much again. */
  consume(stream: Http2Stream, count: number): void {
    if (!this.#ended) this.#receiver.consume(stream, count)
  }

  /** Ends a stream from this side; its handler hears nothing. */
  reset(stream: Http2Stream, code: number): void {
    if (stream.isClosed || this.#ended) return
    writeReset(this.output, stream.id, code)
    this.#forget(stream)
    this.#settle()
  }

  /** Asks for a sign of life. */
  ping(kind: number = PING_ALIVE): void {
    writePing(this.output, kind)
  }

  /**
   * Lets the peer know that no new streams are wanted; those under way go on. A server says so in two steps, so that streams on their way still count:
   * the second follows the answer to a ping, or {@link finishDrain}. Source: RFC 9113 6.8.
   */
  drain(): void {
    if (this.#drain !== 'no' || this.#ended) return
    this.#drain = 'announced'
    if (this.#server) {
      writeGoAway(this.output, MAX_STREAM_ID, ErrorCode.noError, '')
      this.ping(PING_DRAIN)
    } else this.finishDrain()
  }

  /** The second step of {@link drain}. */
  finishDrain(): void {
    if (this.#drain !== 'announced' || this.#ended) return
    this.#drain = 'final'
    this.#lastAccepted = this.#lastPeerId
    writeGoAway(this.output, this.#lastPeerId, ErrorCode.noError, '')
    this.#endIfDrained()
  }

  #endIfDrained(): void {
    if (this.streams.size > 0 || this.#ended || !(this.#drain === 'final' || (this.#isGoingAway && !this.#server))) return
    this.#ended = true
    this.#events.onEnd(ErrorCode.noError, 'drained')
  }

  /** The connection is over, by a fault found here or because it was closed; every stream hears of it. */
  onFault(code: number, message: string): void {
    if (this.#ended) return
    writeGoAway(this.output, this.#lastPeerId, code, message.slice(0, 200))
    this.closed(code, message)
  }

  /** The connection is gone: nothing can be written any more. */
  closed(code: number, message: string): void {
    if (this.#ended) return
    this.#ended = true
    for (const stream of this.streams.values()) {
      if (stream.isClosed) continue
      this.#forget(stream)
      const unprocessed = !this.#server && this.#isGoingAway && stream.id > this.#lastAccepted
      stream.handler?.onReset(stream, { code, message, isLocal: code !== ErrorCode.noError, unprocessed, isConnection: true })
    }
    this.#events.onEnd(code, message)
  }

  #streamFault(stream: Http2Stream, code: number, message: string): void {
    if (!this.#resets.take(this.#now)) return this.onFault(ErrorCode.enhanceYourCalm, 'too many streams ended with faults')
    this.reset(stream, code)
    stream.handler?.onReset(stream, { code, message, isLocal: true, unprocessed: false, isConnection: false })
  }

  #halfEnded(stream: Http2Stream): void {
    if (!stream.localEnded || !stream.remoteEnded || stream.isClosed) return
    this.#forget(stream)
    this.#settle()
  }

  #forget(stream: Http2Stream): void {
    if (stream.isClosed) return
    stream.isClosed = true
    this.sender.forget(stream)
    this.streams.delete(stream.id)
  }

  /** After handlers have heard of it: there is room for another stream, or this was the last one. */
  #settle(): void {
    if (this.#ended) return
    this.#events.onCapacity()
    this.#endIfDrained()
  }

  #isIdle(id: number): boolean {
    return (id & 1) === (this.#server ? 1 : 0) ? id > this.#lastPeerId : id >= this.#nextId
  }

  /** DATA; `flowBytes` counts padding too. */
  onData(id: number, bytes: Buffer, start: number, end: number, ended: boolean, flowBytes: number): void {
    if (!this.#receiver.take(flowBytes)) return this.onFault(ErrorCode.flowControlError, 'DATA beyond the window of the connection')
    const stream = this.streams.get(id)
    if (stream === undefined) {
      if (this.#isIdle(id)) return this.onFault(ErrorCode.protocolError, `DATA on the idle stream ${id}`)
      this.#receiver.consumeConnection(flowBytes)
      if (flowBytes === 0 && !this.#useless.take(this.#now)) this.onFault(ErrorCode.enhanceYourCalm, 'too many empty frames')
      return
    }
    if (stream.remoteEnded) return this.#afterEnd(stream, flowBytes)
    if (flowBytes > stream.receiveWindow)
      return this.#streamFault(stream, ErrorCode.flowControlError, 'DATA beyond the window of its stream')
    if (!this.#server && !stream.hasHead) return this.#badData(stream, flowBytes, 'DATA before a response head')
    if (start === end && !ended && !this.#useless.take(this.#now))
      return this.onFault(ErrorCode.enhanceYourCalm, 'too many empty DATA frames')
    stream.receiveWindow -= flowBytes
    stream.received += end - start
    if (stream.contentLength >= 0 && (ended ? stream.received !== stream.contentLength : stream.received > stream.contentLength)) {
      return this.#badData(stream, flowBytes, WRONG_LENGTH)
    }
    if (stream.hasNoBody && stream.received > 0) return this.#badData(stream, flowBytes, 'a body where there can be none')
    if (flowBytes > end - start) this.consume(stream, flowBytes - (end - start))
    if (ended) stream.remoteEnded = true
    stream.handler?.onData(stream, bytes, start, end, ended)
    if (ended) this.#halfEnded(stream)
  }

  #badData(stream: Http2Stream, flowBytes: number, message: string): void {
    this.#receiver.consumeConnection(flowBytes)
    this.#streamFault(stream, ErrorCode.protocolError, message)
  }

  #afterEnd(stream: Http2Stream, flowBytes: number): void {
    this.#receiver.consumeConnection(flowBytes)
    this.#streamFault(stream, ErrorCode.streamClosed, 'a frame after the end of its stream')
  }

  /** A whole header block. */
  onHeaders(id: number, bytes: Buffer, start: number, end: number, ended: boolean): void {
    const { block } = this
    block.clear()
    try {
      this.#decoder.decode(bytes, start, end, block)
    } catch (error) {
      if (!(error instanceof HpackError)) throw error
      return this.onFault(ErrorCode.compressionError, error.message)
    }
    const stream = this.streams.get(id)
    if (stream !== undefined) return this.#server || stream.hasHead ? this.#trailers(stream, ended) : this.#responseHead(stream, ended)
    if (!this.#isIdle(id)) {
      if (!this.#useless.take(this.#now)) this.onFault(ErrorCode.enhanceYourCalm, 'too many HEADERS on closed streams')
      return
    }
    if (!this.#server || (id & 1) === 0) return this.onFault(ErrorCode.protocolError, `HEADERS on stream ${id}, which the peer cannot open`)
    this.#request(id, ended)
  }

  #request(id: number, ended: boolean): void {
    this.#lastPeerId = id
    if (this.#drain === 'final') return
    this.#streamsEver++
    if (this.streams.size >= this.#limits.maxConcurrentStreams) return this.#refuse(id, ErrorCode.refusedStream)
    const { block, shape } = this
    if (block.isTooLarge) return this.#refuse(id, ErrorCode.enhanceYourCalm)
    const isMalformed = checkRequest(block, shape, this.#limits.connectProtocol) !== undefined || (ended && shape.contentLength > 0)
    if (isMalformed) return this.#refuse(id, ErrorCode.protocolError)
    const stream = new Http2Stream(id, this.sender.initialWindow, this.#limits.streamWindowBytes, this.#now)
    stream.hasHead = true
    stream.remoteEnded = ended
    stream.contentLength = shape.contentLength
    this.streams.set(id, stream)
    this.#events.onRequest(stream, block, ended)
  }

  #refuse(id: number, code: number): void {
    if (!this.#resets.take(this.#now)) return this.onFault(ErrorCode.enhanceYourCalm, 'too many streams that had to be refused')
    writeReset(this.output, id, code)
  }

  #responseHead(stream: Http2Stream, ended: boolean): void {
    const { block, shape } = this
    if (stream.remoteEnded) return this.#afterEnd(stream, 0)
    const fault = block.isTooLarge ? 'the header list is too large' : checkResponse(block, shape)
    if (fault !== undefined) return this.#streamFault(stream, ErrorCode.protocolError, fault)
    const status = Number(block.value(shape.status))
    if (status < 200) {
      if (ended) return this.#streamFault(stream, ErrorCode.protocolError, 'an informational response ends the stream')
      if (!this.#useless.take(this.#now)) return this.onFault(ErrorCode.enhanceYourCalm, 'too many informational responses')
    } else {
      stream.hasHead = true
      if (status === 204 || status === 304) stream.hasNoBody = true
      if (!stream.hasNoBody) stream.contentLength = shape.contentLength
      if (ended && stream.contentLength > 0) return this.#streamFault(stream, ErrorCode.protocolError, 'the body is missing')
      stream.remoteEnded = ended
    }
    stream.handler?.onHead(stream, block, status, ended)
    if (ended) this.#halfEnded(stream)
  }

  #trailers(stream: Http2Stream, ended: boolean): void {
    if (stream.remoteEnded) return this.#afterEnd(stream, 0)
    const fault = ended ? checkTrailers(this.block) : 'trailers do not end the stream'
    if (fault !== undefined) return this.#streamFault(stream, ErrorCode.protocolError, fault)
    if (stream.contentLength >= 0 && stream.received !== stream.contentLength) return this.#badData(stream, 0, WRONG_LENGTH)
    stream.remoteEnded = true
    stream.handler?.onTrailers(stream, this.block)
    this.#halfEnded(stream)
  }

  onResetStream(id: number, code: number): void {
    if (this.#isIdle(id)) return this.onFault(ErrorCode.protocolError, `RST_STREAM on the idle stream ${id}`)
    const stream = this.streams.get(id)
    // A stream that lived for long, or was answered, may be cancelled as often as one likes: gRPC deadlines are.
    const isRapid = stream === undefined || this.#now - stream.openedMs < 100
    if (this.#server && isRapid && !this.#resets.take(this.#now))
      return this.onFault(ErrorCode.enhanceYourCalm, 'too many streams reset at once')
    if (stream === undefined) return
    this.#forget(stream)
    stream.handler?.onReset(stream, resetByPeer(code))
    this.#settle()
  }

  onSettings(bytes: Buffer, start: number, end: number): void {
    if (!this.#controls.take(this.#now)) return this.onFault(ErrorCode.enhanceYourCalm, 'too many SETTINGS')
    if (this.peer.isUnknown) this.peer.maxConcurrentStreams = Infinity
    this.peer.isUnknown = false
    for (let p = start; p < end; p += 6) {
      const fault = applySetting(this, bytes.readUInt16BE(p), bytes.readUInt32BE(p + 2), this.#server)
      if (fault !== undefined) return this.onFault(fault.code, fault.message)
    }
    this.output.header(0, FrameType.settings, Flag.ack, 0)
    this.sender.resume()
    this.#events.onCapacity()
  }

  onSettingsAck(): void {
    this.#decoder.settingsAcknowledged()
  }

  onPing(bytes: Buffer, start: number, isAck: boolean): void {
    if (isAck) {
      if (bytes.readUInt32BE(start + 4) === PING_DRAIN) this.finishDrain()
      else this.#events.onPong()
      return
    }
    if (!this.#controls.take(this.#now)) return this.onFault(ErrorCode.enhanceYourCalm, 'too many PINGs')
    this.output.header(8, FrameType.ping, Flag.ack, 0)
    this.output.copy(bytes, start, start + 8)
  }

  onGoAway(lastId: number, code: number, debug: string): void {
    if (this.#isGoingAway && lastId > this.#lastAccepted && !this.#server)
      return this.onFault(ErrorCode.protocolError, 'GOAWAY allows more than before')
    this.#isGoingAway = true
    if (!this.#server) {
      this.#lastAccepted = lastId
      for (const stream of this.streams.values()) {
        if (stream.isClosed || stream.id <= lastId) continue
        this.#forget(stream)
        const message = `the peer is going away (${errorName(code)})`
        stream.handler?.onReset(stream, { code, message, isLocal: false, unprocessed: true, isConnection: false })
      }
    }
    this.#events.onGoAway(code, debug)
    this.#settle()
  }

  onWindowUpdate(id: number, more: number): void {
    if (++this.#updatesUsed > 1000 + 4 * (this.sender.dataFrames + this.#streamsEver)) {
      return this.onFault(ErrorCode.enhanceYourCalm, 'too many WINDOW_UPDATEs')
    }
    if (id === 0) {
      if (more === 0) return this.onFault(ErrorCode.protocolError, 'WINDOW_UPDATE of 0')
      this.sender.window += more
      if (this.sender.window > MAX_WINDOW) return this.onFault(ErrorCode.flowControlError, 'the window of the connection overflows')
      return this.sender.resume()
    }
    const stream = this.streams.get(id)
    if (stream === undefined) {
      if (this.#isIdle(id)) this.onFault(ErrorCode.protocolError, `WINDOW_UPDATE on the idle stream ${id}`)
      return
    }
    if (more === 0) return this.#streamFault(stream, ErrorCode.protocolError, 'WINDOW_UPDATE of 0')
    stream.sendWindow += more
    if (stream.sendWindow > MAX_WINDOW) return this.#streamFault(stream, ErrorCode.flowControlError, 'the window of the stream overflows')
    if (stream.queuedBytes > 0) this.sender.resume()
  }

  /** PRIORITY and unknown frames, which mean nothing to us. */
  onIgnored(): void {
    if (!this.#controls.take(this.#now)) this.onFault(ErrorCode.enhanceYourCalm, 'too many frames without use')
  }
}
