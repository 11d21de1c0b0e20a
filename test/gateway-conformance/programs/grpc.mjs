// Just enough of gRPC (unary, no compression) and of protobuf for the echo programs.

/** A field of type string, bytes or message; nothing when it is empty. */
export function field(number, value) {
  const bytes = Buffer.from(value ?? '')
  return bytes.length === 0 ? bytes : Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes])
}

function varint(value) {
  const bytes = []
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128)
  return Buffer.from([...bytes, value])
}

/** The first field `number` of length-delimited fields; empty when there is none. */
export function readField(bytes, number) {
  for (let at = 0; at < bytes.length;) {
    const [key, afterKey] = readVarint(bytes, at)
    const [length, start] = readVarint(bytes, afterKey)
    if ((key & 7) !== 2) throw new Error('only length-delimited fields are read here')
    if (key >>> 3 === number) return bytes.subarray(start, start + length)
    at = start + length
  }
  return Buffer.alloc(0)
}

function readVarint(bytes, at) {
  let value = 0
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = bytes[at++]
    value |= (byte & 127) << shift
    if (byte < 128) break
  }
  return [value >>> 0, at]
}

/** A message with its prefix. */
export function framed(message) {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

/** The message of a whole body. */
export async function readMessage(stream) {
  const chunks = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks).subarray(5)
}

/** Serves unary methods by path on a server of node:http2. `handler(message, headers, stream)` gives the message to answer. */
export function serveUnary(server, handlers) {
  server.on('stream', async (stream, headers, _flags, raw) => {
    stream.on('error', () => {})
    const handler = handlers.get(headers[':path'])
    try {
      const message = await readMessage(stream)
      if (stream.destroyed) return
      if (!handler) return refuse(stream, 12, `method ${headers[':path']} not implemented`)
      const answer = handler(message, raw, stream)
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      stream.end(framed(answer))
    } catch (error) {
      if (!stream.destroyed && !stream.headersSent) refuse(stream, 13, error.message)
    }
  })
}

function refuse(stream, status, message) {
  const head = {
    ':status': 200,
    'content-type': 'application/grpc',
    'grpc-status': String(status),
    'grpc-message': encodeURIComponent(message),
  }
  stream.respond(head, { endStream: true })
}
