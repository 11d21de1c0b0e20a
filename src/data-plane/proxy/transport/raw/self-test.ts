import { listen } from '../accept.ts'
import type { Connection } from '../contract.ts'
import { dial } from '../dial.ts'
import type { WrapSocket } from '../socket-connection.ts'
import { loadBindings } from './bindings.ts'
import { RawConnection } from './raw-connection.ts'

/** Much more than a socket takes at once: the writer has to wait, and what waits must arrive unchanged. */
const TEST_BYTES = 8 * 1024 * 1024
const STEP_BYTES = 61_440

/**
 * Sends bytes to and fro over a pair of raw connections: small ones, then so many that writes are left half done.
 * @param timeoutMs default 2,000 @returns why raw connections cannot be used here; undefined: they can. Never throws.
 */
export async function rawProblem(timeoutMs = 2_000): Promise<string | undefined> {
  const bindings = loadBindings()
  if ('problem' in bindings) return bindings.problem
  const open: Connection[] = []
  const wrap: WrapSocket = (socket, tls) => {
    const connection = new RawConnection(bindings, socket, tls)
    open.push(connection)
    return connection
  }
  let timer: NodeJS.Timeout | undefined
  try {
    const acceptor = await listen({ host: '127.0.0.1', port: 0 }, (accepted) => echo(accepted.plain()), wrap)
    try {
      const tooLate = new Promise<string>((resolve) => {
        timer = setTimeout(() => resolve(`no echo within ${timeoutMs} ms`), timeoutMs)
      })
      const address = { address: '127.0.0.1', port: acceptor.port }
      return await Promise.race([talk(await dial({ address, timeoutMs }, wrap)), tooLate])
    } finally {
      for (const connection of open) connection.destroy()
      await acceptor.close()
    }
  } catch (error) {
    return (error as Error).message
  } finally {
    clearTimeout(timer)
  }
}

function echo(connection: Connection): void {
  connection.handle({
    onData(buffer, start, end) {
      if (!connection.write(buffer, start, end)) connection.pause()
    },
    onEnd: () => connection.end(),
    onDrain: () => connection.resume(),
    onClose() {},
  })
}

/** Without a period, so that bytes in a wrong place are seen. */
const pattern: Buffer = Buffer.alloc(STEP_BYTES)
for (let i = 0; i < STEP_BYTES; i++) pattern[i] = (i * 31 + (i >> 8) * 7) & 0xff

function talk(connection: Connection): Promise<string | undefined> {
  return new Promise((resolve) => {
    let sent = 0
    let received = 0
    let hasWaited = false
    const send = (): void => {
      while (sent < TEST_BYTES) {
        // a few at first, for the write that is done at once
        const from = sent % STEP_BYTES
        const to = sent === 0 ? 10 : Math.min(STEP_BYTES, from + TEST_BYTES - sent)
        sent += to - from
        if (connection.write(pattern, from, to)) continue
        hasWaited = true
        return
      }
      connection.end()
    }
    const isAsSent = (buffer: Buffer, start: number, end: number): boolean => {
      for (let at = start; at < end;) {
        const from = received % STEP_BYTES
        const count = Math.min(end - at, STEP_BYTES - from)
        if (buffer.compare(pattern, from, from + count, at, at + count) !== 0) return false
        at += count
        received += count
      }
      return true
    }
    connection.handle({
      onData(buffer, start, end) {
        if (!isAsSent(buffer, start, end)) resolve('bytes came back changed')
      },
      onEnd() {
        if (received !== TEST_BYTES) resolve(`${received} of ${TEST_BYTES} bytes came back`)
        else resolve(hasWaited ? undefined : 'writes never have to wait')
      },
      onDrain: send,
      onClose: (error) => resolve(error?.message ?? 'the connection was closed'),
    })
    send()
  })
}
