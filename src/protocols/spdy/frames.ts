/** What a client of exec sends, as far as the server has to know it. */
export type SpdyFrame =
  | { readonly type: 'open'; readonly stream: number; readonly fin: boolean; readonly headers: Uint8Array }
  | { readonly type: 'headers'; readonly stream: number; readonly headers: Uint8Array }
  | { readonly type: 'data'; readonly stream: number; readonly fin: boolean; readonly bytes: Uint8Array }
  | { readonly type: 'reset'; readonly stream: number; readonly status: number }
  | { readonly type: 'ping'; readonly id: number }
  | { readonly type: 'goaway' }
  /** SETTINGS, WINDOW_UPDATE and what nobody knows: to be passed over. */
  | { readonly type: 'other'; readonly kind: number }

/** Input that is not SPDY/3.1, or more of it than allowed. The connection cannot go on. */
export class SpdyError extends Error {
  override readonly name = 'SpdyError'
}

const SYN_STREAM = 1
const SYN_REPLY = 2
const RST_STREAM = 3
const PING = 6
const GOAWAY = 7
const HEADERS = 8
const VERSION = 3
const FLAG_FIN = 1
const HEAD_BYTES = 8
/** Longest control frame; exec's are about a hundred bytes. */
const MAX_CONTROL_BYTES = 16 * 1024
/** Longest data frame that is read; clients cut at 64 KiB or less. */
const MAX_DATA_BYTES = 1024 * 1024
/** Longest payload of one data frame that is written. */
const MAX_WRITE_BYTES = 64 * 1024

/** Cuts a byte stream into frames, however it is chopped. Source: SPDY protocol draft 3.1, section 2.2. */
export class SpdyFrameReader {
  #rest: Buffer = Buffer.alloc(0)

  /** @returns the frames that are whole now, in order. @throws {SpdyError} for what is no SPDY/3.1 or longer than allowed */
  push(bytes: Uint8Array): SpdyFrame[] {
    this.#rest = this.#rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#rest, bytes])
    const frames: SpdyFrame[] = []
    let at = 0
    while (this.#rest.length - at >= HEAD_BYTES) {
      const word = this.#rest.readUInt32BE(at)
      const length = this.#rest.readUIntBE(at + 5, 3)
      checkHead(word, length)
      if (this.#rest.length - at < HEAD_BYTES + length) break
      const payload = this.#rest.subarray(at + HEAD_BYTES, at + HEAD_BYTES + length)
      frames.push(decode(word, this.#rest.readUInt8(at + 4), payload))
      at += HEAD_BYTES + length
    }
    this.#rest = this.#rest.subarray(at)
    return frames
  }
}

function checkHead(word: number, length: number): void {
  const isControl = word >>> 31 === 1
  if (isControl && ((word >>> 16) & 0x7fff) !== VERSION)
    throw new SpdyError(`SPDY version ${(word >>> 16) & 0x7fff} where ${VERSION} is spoken`)
  const limit = isControl ? MAX_CONTROL_BYTES : MAX_DATA_BYTES
  if (length > limit) throw new SpdyError(`a frame of ${length} bytes where ${limit} are allowed`)
}

function decode(word: number, flags: number, payload: Buffer): SpdyFrame {
  const fin = (flags & FLAG_FIN) !== 0
  if (word >>> 31 === 0) return { type: 'data', stream: word, fin, bytes: payload }
  const kind = word & 0xffff
  const needed = SMALLEST[kind] ?? 0
  if (payload.length < needed)
    throw new SpdyError(`a control frame of type ${kind} with ${payload.length} bytes where ${needed} are needed`)
  if (kind === SYN_STREAM) return { type: 'open', stream: streamOf(payload), fin, headers: payload.subarray(10) }
  if (kind === HEADERS) return { type: 'headers', stream: streamOf(payload), headers: payload.subarray(4) }
  if (kind === RST_STREAM) return { type: 'reset', stream: streamOf(payload), status: payload.readUInt32BE(4) }
  if (kind === PING) return { type: 'ping', id: payload.readUInt32BE(0) }
  if (kind === GOAWAY) return { type: 'goaway' }
  return { type: 'other', kind }
}

const SMALLEST: Readonly<Record<number, number>> = { [SYN_STREAM]: 10, [HEADERS]: 4, [RST_STREAM]: 8, [PING]: 4 }

function streamOf(payload: Buffer): number {
  return payload.readUInt32BE(0) & 0x7fffffff
}

/** SYN_REPLY. `headers` is a compressed header block. */
export function encodeReply(stream: number, headers: Uint8Array): Buffer {
  return control(SYN_REPLY, Buffer.concat([word32(stream), headers]))
}

/** Data frames of at most 64 KiB; the last one ends the stream when `fin`. No bytes without `fin` are no frame. */
export function encodeData(stream: number, bytes: Uint8Array, fin: boolean): Buffer {
  const pieces = bytes.length === 0 && fin ? 1 : Math.ceil(bytes.length / MAX_WRITE_BYTES)
  const parts: Uint8Array[] = []
  for (let i = 0; i < pieces; i++) {
    const piece = bytes.subarray(i * MAX_WRITE_BYTES, (i + 1) * MAX_WRITE_BYTES)
    const head = Buffer.alloc(HEAD_BYTES)
    head.writeUInt32BE(stream, 0)
    head.writeUInt32BE(piece.length, 4)
    if (fin && i === pieces - 1) head[4] = FLAG_FIN
    parts.push(head, piece)
  }
  return Buffer.concat(parts)
}

/** RST_STREAM. Status 2: no such stream; 3: refused; 5: cancelled. */
export function encodeReset(stream: number, status: number): Buffer {
  return control(RST_STREAM, Buffer.concat([word32(stream), word32(status)]))
}

export function encodePing(id: number): Buffer {
  return control(PING, word32(id))
}

/** GOAWAY with status OK. */
export function encodeGoaway(lastStream: number): Buffer {
  return control(GOAWAY, Buffer.concat([word32(lastStream), word32(0)]))
}

function control(kind: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(HEAD_BYTES)
  head.writeUInt16BE(0x8000 | VERSION, 0)
  head.writeUInt16BE(kind, 2)
  head.writeUInt32BE(payload.length, 4)
  return Buffer.concat([head, payload])
}

function word32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
