/** What a client sends. Fragments of a message are put together. */
export type WebSocketFrame =
  | { readonly type: 'message'; readonly bytes: Uint8Array }
  | { readonly type: 'ping'; readonly bytes: Uint8Array }
  | { readonly type: 'pong' }
  | { readonly type: 'close'; readonly code: number }

/** Input that is no WebSocket of a client, or more of it than allowed. `code` is for the close frame. */
export class WebSocketError extends Error {
  override readonly name = 'WebSocketError'
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

const CONTINUATION = 0
const BINARY = 2
const CLOSE = 8
const PING = 9
const PONG = 10
const PROTOCOL_ERROR = 1002
const TOO_BIG = 1009
const NO_CODE = 1005
/** Longest message that is read. */
const MAX_MESSAGE_BYTES = 1024 * 1024

interface Head {
  readonly isLast: boolean
  readonly opcode: number
  readonly payloadAt: number
  readonly length: number
}

/** Cuts a client's bytes into frames, however they are chopped. Source: RFC 6455, section 5. */
export class WebSocketReader {
  #rest: Buffer = Buffer.alloc(0)
  #fragments: Buffer[] | undefined
  #size = 0

  /** @returns what is whole now, in order. @throws {WebSocketError} */
  push(bytes: Uint8Array): WebSocketFrame[] {
    this.#rest = this.#rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#rest, bytes])
    const frames: WebSocketFrame[] = []
    for (;;) {
      const head = readHead(this.#rest)
      if (!head || this.#rest.length < head.payloadAt + head.length) return frames
      const payload = unmask(this.#rest, head)
      this.#rest = this.#rest.subarray(head.payloadAt + head.length)
      const frame = head.opcode >= CLOSE ? control(head, payload) : this.#collect(head, payload)
      if (frame) frames.push(frame)
    }
  }

  #collect({ opcode, isLast }: Head, payload: Buffer): WebSocketFrame | undefined {
    if ((opcode === CONTINUATION) !== (this.#fragments !== undefined)) throw new WebSocketError(PROTOCOL_ERROR, 'fragments out of order')
    const fragments = (this.#fragments ??= [])
    this.#size += payload.length
    if (this.#size > MAX_MESSAGE_BYTES) throw new WebSocketError(TOO_BIG, `a message of more than ${MAX_MESSAGE_BYTES} bytes`)
    fragments.push(payload)
    if (!isLast) return undefined
    this.#fragments = undefined
    this.#size = 0
    return { type: 'message', bytes: Buffer.concat(fragments) }
  }
}

function readHead(bytes: Buffer): Head | undefined {
  if (bytes.length < 2) return undefined
  const [first, second] = [bytes.readUInt8(0), bytes.readUInt8(1)]
  const opcode = first & 15
  if ((first & 0x70) !== 0) throw new WebSocketError(PROTOCOL_ERROR, 'a frame of an extension that was not agreed on')
  if ((second & 0x80) === 0) throw new WebSocketError(PROTOCOL_ERROR, 'a frame of a client that is not masked')
  if ((opcode > BINARY && opcode < CLOSE) || opcode > PONG) throw new WebSocketError(PROTOCOL_ERROR, `a frame of type ${opcode}`)
  const short = second & 127
  const isLast = first >= 0x80
  if (opcode >= CLOSE && (short > 125 || !isLast))
    throw new WebSocketError(PROTOCOL_ERROR, 'a control frame in pieces or of more than 125 bytes')
  const extra = short === 127 ? 8 : short === 126 ? 2 : 0
  if (bytes.length < 2 + extra) return undefined
  const length = extra === 0 ? short : extra === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
  if (length > MAX_MESSAGE_BYTES) throw new WebSocketError(TOO_BIG, `a message of more than ${MAX_MESSAGE_BYTES} bytes`)
  return { isLast, opcode, payloadAt: 2 + extra + 4, length }
}

function unmask(bytes: Buffer, { payloadAt, length }: Head): Buffer {
  const payload = Buffer.from(bytes.subarray(payloadAt, payloadAt + length))
  for (let i = 0; i < length; i++) payload[i] = (payload[i] as number) ^ (bytes[payloadAt - 4 + (i & 3)] as number)
  return payload
}

function control({ opcode }: Head, payload: Buffer): WebSocketFrame {
  if (opcode === PING) return { type: 'ping', bytes: payload }
  if (opcode === PONG) return { type: 'pong' }
  if (payload.length === 1) throw new WebSocketError(PROTOCOL_ERROR, 'a close frame with half a code')
  return { type: 'close', code: payload.length === 0 ? NO_CODE : payload.readUInt16BE(0) }
}

/** A whole binary message of a server. */
export function encodeMessage(bytes: Uint8Array): Buffer {
  return encode(BINARY, bytes)
}

export function encodePong(bytes: Uint8Array): Buffer {
  return encode(PONG, bytes)
}

/** Source of codes: RFC 6455, section 7.4. */
export function encodeClose(code: number, reason = ''): Buffer {
  const text = Buffer.from(reason).subarray(0, 123)
  const payload = Buffer.alloc(2 + text.length)
  payload.writeUInt16BE(code)
  text.copy(payload, 2)
  return encode(CLOSE, payload)
}

function encode(opcode: number, payload: Uint8Array): Buffer {
  const { length } = payload
  const extra = length > 0xffff ? 8 : length > 125 ? 2 : 0
  const head = Buffer.alloc(2 + extra)
  head[0] = 0x80 | opcode
  head[1] = extra === 8 ? 127 : extra === 2 ? 126 : length
  if (extra === 8) head.writeBigUInt64BE(BigInt(length), 2)
  if (extra === 2) head.writeUInt16BE(length, 2)
  return Buffer.concat([head, payload])
}
