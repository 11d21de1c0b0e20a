import type { Socket } from 'node:net'

/** Bounds the connections of one address. Refused ones are closed before a handshake costs anything. */
export interface ConnectionCap {
  /** False when the socket was refused and destroyed. */
  admit(socket: Socket): boolean
}

export function createConnectionCap(maxPerAddress: number): ConnectionCap {
  const counts = new Map<string, number>()
  return {
    admit(socket) {
      const address = socket.remoteAddress ?? ''
      const count = counts.get(address) ?? 0
      if (count >= maxPerAddress) {
        socket.destroy()
        return false
      }
      counts.set(address, count + 1)
      socket.once('close', () => {
        const left = (counts.get(address) ?? 1) - 1
        if (left === 0) counts.delete(address)
        else counts.set(address, left)
      })
      return true
    },
  }
}
