import * as net from 'node:net'
import { getSystemErrorName } from 'node:util'

/**
 * A socket of Node's that is bound and takes no connections: what `listen` takes as `handle`, in this process or in a child that it was sent to. Opaque.
 */
export interface SharedHandle {
  close(): void
}

/** A socket whose connections other processes take, all of them from one queue of the kernel's. */
export interface SharedSocket {
  readonly handle: SharedHandle
  readonly port: number
  /** Closes this process's hold on it: the socket goes when the last process has closed its own. */
  close(): void
}

interface TcpHandle extends SharedHandle {
  getsockname(into: { port?: number }): number
}

/** What node:cluster binds with: not in its documentation, and there from Node 0.10 to 26. */
type CreateHandle = (address: string, port: number, family: 4 | 6, fd: number, flags: number) => TcpHandle | number

const createHandle = (net as unknown as { readonly _createServerHandle?: CreateHandle })._createServerHandle

/** Why sockets cannot be shared between processes here; undefined: they can. */
export function sharingProblem(): string | undefined {
  return typeof createHandle === 'function' ? undefined : 'this Node has no net._createServerHandle'
}

/**
 * Binds without listening: connections are refused until the first process listens, and wait from then on, also while no process takes them.
 * @param port 0: a free one @throws Error as net.Server does (EADDRINUSE, EACCES)
 */
export function bindShared(host: string, port: number): SharedSocket {
  const problem = sharingProblem()
  if (problem !== undefined || !createHandle) throw new Error(`sockets cannot be shared: ${problem ?? ''}`)
  const handle = createHandle(host, port, host.includes(':') ? 6 : 4, -1, 0)
  if (typeof handle === 'number') throw bindError(getSystemErrorName(handle), host, port)
  const bound: { port?: number } = {}
  const failed = handle.getsockname(bound)
  // libuv tells of a port in use when it listens, and the kernel would listen at any other port then: who has none of his own has not got it
  if (failed !== 0 || !bound.port || (port !== 0 && bound.port !== port)) {
    handle.close()
    throw bindError('EADDRINUSE', host, port)
  }
  return { handle, port: bound.port, close: () => handle.close() }
}

function bindError(code: string, host: string, port: number): Error {
  return Object.assign(new Error(`bind ${code} ${host.includes(':') ? `[${host}]` : host}:${port}`), {
    code,
    syscall: 'bind',
    address: host,
    port,
  })
}
