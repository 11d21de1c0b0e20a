// Sends every message of a WebSocket back (RFC 6455), enough for the suite: no extensions, messages of at most 1 MiB.
import { createHash } from 'node:crypto'

const LIMIT = 1024 * 1024

/** Takes over the connection of an upgrade request. */
export function echoWebSocket(request, socket, first) {
  const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
  let rest = Buffer.alloc(0)
  const take = (chunk) => {
    rest = Buffer.concat([rest, chunk])
    for (let frame = read(rest); frame; frame = read(rest)) {
      if (frame.length > LIMIT) return socket.destroy()
      if (!frame.payload) return undefined
      rest = rest.subarray(frame.end)
      const { opcode } = frame
      if (opcode === 9) socket.write(write(0x8a, frame.payload))
      else if (opcode === 8) return socket.end(write(0x88, frame.payload))
      else if (opcode < 3) socket.write(write(frame.first, frame.payload))
    }
    return undefined
  }
  socket.on('data', take)
  socket.on('error', () => socket.destroy())
  if (first.length > 0) take(first)
}

function read(bytes) {
  if (bytes.length < 2) return undefined
  const short = bytes[1] & 127
  const extra = short === 127 ? 8 : short === 126 ? 2 : 0
  if (bytes.length < 6 + extra) return undefined
  const length = extra === 0 ? short : extra === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
  const end = 6 + extra + length
  if (bytes.length < end) return { length }
  const mask = bytes.subarray(2 + extra, 6 + extra)
  const payload = Buffer.from(bytes.subarray(6 + extra, end)).map((byte, i) => byte ^ mask[i & 3])
  return { first: bytes[0], opcode: bytes[0] & 15, length, payload, end }
}

function write(first, payload) {
  const head = payload.length > 0xffff ? Buffer.alloc(10) : payload.length > 125 ? Buffer.alloc(4) : Buffer.alloc(2)
  head[0] = first
  head[1] = head.length === 10 ? 127 : head.length === 4 ? 126 : payload.length
  if (head.length === 10) head.writeBigUInt64BE(BigInt(payload.length), 2)
  if (head.length === 4) head.writeUInt16BE(payload.length, 2)
  return Buffer.concat([head, payload])
}
