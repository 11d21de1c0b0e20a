import type { FieldBlock } from '../hpack/index.ts'
import { ErrorCode, errorName } from './constants.ts'

/** What becomes of a stream's events. Bytes and blocks are valid during the call alone. */
export interface StreamHandler {
  /** A response head, informational ones too; on the client's side alone. */
  onHead(stream: Http2Stream, block: FieldBlock, status: number, ended: boolean): void
  /** Give the bytes back with `Http2Session.consume` when they have gone on. */
  onData(stream: Http2Stream, bytes: Buffer, start: number, end: number, ended: boolean): void
  onTrailers(stream: Http2Stream, block: FieldBlock): void
  /** Part of what was queued went out, or all of it. */
  onProgress(stream: Http2Stream): void
  /** The stream ended before its time; the last call. `unprocessed`: the peer said that it did nothing with it. */
  onReset(stream: Http2Stream, reset: StreamReset): void
}

/** Why a stream ended. */
export interface StreamReset {
  readonly code: number
  readonly message: string
  /** Whether this end found the fault. */
  readonly isLocal: boolean
  readonly unprocessed: boolean
  /** The whole connection is gone. */
  readonly isConnection: boolean
}

/** RST_STREAM has come. */
export function resetByPeer(code: number): StreamReset {
  const message = `the peer reset the stream with ${errorName(code)}`
  return { code, message, isLocal: false, unprocessed: code === ErrorCode.refusedStream, isConnection: false }
}

/** One stream of a session: windows, the ends of both directions, and what waits for a window. */
export class Http2Stream {
  readonly id: number
  handler: StreamHandler | undefined = undefined
  sendWindow: number
  receiveWindow: number
  /** Bytes consumed that the peer was not told of. */
  unacknowledged = 0
  localEnded = false
  remoteEnded = false
  isClosed = false
  hasHead = false
  /** No body follows whatever content-length says: an answer to HEAD. */
  hasNoBody = false
  /** Declared, -1: not. */
  contentLength = -1
  received = 0
  readonly openedMs: number
  readonly queue: Buffer[] = []
  queuedBytes = 0
  /** After the queue the stream ends, */
  endsAfterQueue = false
  /** with these trailers, if there are any. */
  queuedTrailers: Buffer | undefined = undefined

  constructor(id: number, sendWindow: number, receiveWindow: number, openedMs: number) {
    this.id = id
    this.sendWindow = sendWindow
    this.receiveWindow = receiveWindow
    this.openedMs = openedMs
  }
}
