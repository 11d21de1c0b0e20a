import { connect } from 'node:net'

/** Everything that a server says to some bytes, until it closes or says no more for a while. */
export function talk(
  port: number,
  bytes: string | Buffer,
  options: { readonly pieces?: number; readonly untilMs?: number } = {},
): Promise<string> {
  return new Promise((resolve) => {
    let said = ''
    const socket = connect(port, '127.0.0.1')
    const data = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes
    socket.setNoDelay(true)
    const finish = (): void => {
      socket.destroy()
      resolve(said)
    }
    const timer = setTimeout(finish, options.untilMs ?? 400)
    socket.on('data', (chunk: Buffer) => (said += chunk.toString('latin1')))
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(said)
    })
    const size = options.pieces ?? data.length
    const send = (at: number): void => {
      if (at >= data.length || socket.destroyed) return
      socket.write(data.subarray(at, at + size), () => setImmediate(() => send(at + size)))
    }
    send(0)
  })
}
