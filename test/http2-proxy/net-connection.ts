import type net from 'node:net'
import type { Connection, ConnectionHandler } from '../../src/data-plane/proxy/transport/contract.ts'

/** The transport contract over `net.Socket`, by public APIs alone. */
export function netConnection(socket: net.Socket): Connection {
  let handler: ConnectionHandler | undefined
  let error: Error | undefined
  socket.setNoDelay(true)
  socket.on('error', (failure) => (error = failure))
  socket.on('drain', () => handler?.onDrain())
  socket.on('end', () => handler?.onEnd())
  socket.on('close', () => handler?.onClose(error))
  const address = (host?: string, port?: number): Connection['remote'] => ({ address: host ?? '127.0.0.1', port: port ?? 0 })
  return {
    remote: address(socket.remoteAddress, socket.remotePort),
    local: address(socket.localAddress, socket.localPort),
    fd: -1,
    handle(taker) {
      handler = taker
      socket.on('data', (chunk) => handler?.onData(chunk, 0, chunk.length))
    },
    write: (buffer, start = 0, end = buffer.length) => socket.write(Buffer.from(buffer.subarray(start, end))),
    get pendingBytes() {
      return socket.writableLength
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    end: () => void socket.end(),
    destroy: (failure) => void socket.destroy(failure),
  }
}
