import { once } from 'node:events'
import { connect, createServer, type Server } from 'node:net'
import { platform } from 'node:os'
import { sleep, type Clock } from '../../../base/clock.ts'
import type { ListenAddress } from './shared-socket.ts'

const RETRY_MS = 200
const ASK_MS = 2_000
const MAX_OWNER = 1_000

/** An address that serves another cluster or node. */
export class AddressTakenError extends Error {
  override readonly name = 'AddressTakenError'
  readonly code = 'AddressTaken'

  constructor({ host, port }: ListenAddress, owner: string) {
    super(`${host} port ${port} belongs to the DNS server of ${owner}: choose another --listen address, or end that server`)
  }
}

/**
 * Keeps servers of different clusters from sharing an address, which the kernel would let them: each would get some of the questions. Processes of one
 * `owner` may share it, for a hand-over. The claim is a name in Linux' abstract namespace, which is as wide as the network namespace, and ends with the process.
 * @returns what gives it back. @throws AddressTakenError
 */
export async function claimAddress(address: ListenAddress, owner: string, clock: Clock): Promise<() => void> {
  const done = new AbortController()
  if (platform() !== 'linux') return () => done.abort()
  const path = `\0biplane-dns ${address.host} ${address.port}`
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.end(owner)
  })
  if (!(await listen(server, path))) {
    const other = await ownerOf(path)
    if (other !== undefined && other !== owner) throw new AddressTakenError(address, other)
    // the process that hands over has the name until its end: then it is ours
    void takeLater(server, path, clock, done.signal)
  }
  return () => {
    done.abort()
    server.close()
  }
}

async function takeLater(server: Server, path: string, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await sleep(clock, RETRY_MS, signal).catch(() => {})
    // whatever is in the way now may be gone later; the address itself is shared already
    if (signal.aborted || (await listen(server, path).catch(() => false))) return
  }
}

function listen(server: Server, path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      server.off('error', failed)
      server.unref()
      resolve(true)
    }
    const failed = (error: NodeJS.ErrnoException): void => {
      server.off('listening', done)
      if (error.code === 'EADDRINUSE') resolve(false)
      else reject(error)
    }
    server.once('error', failed)
    server.once('listening', done)
    server.listen({ path })
  })
}

/** What the process says that has the name; undefined when it is gone by now, or says nothing. */
async function ownerOf(path: string): Promise<string | undefined> {
  const socket = connect({ path })
  socket.setTimeout(ASK_MS, () => socket.destroy())
  let text = ''
  socket.on('data', (chunk) => (text = (text + chunk.toString()).slice(0, MAX_OWNER)))
  socket.on('error', () => {})
  await once(socket, 'close')
  return text === '' ? undefined : text
}
