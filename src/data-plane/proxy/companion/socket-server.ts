import { chmodSync, rmSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import { messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'

export interface SocketServerOptions {
  /** Path of the socket to serve; relative to the working directory, where the whole is longer than a socket's name may be. */
  readonly socket: string
  /** Of the socket, such as 0o600. */
  readonly mode: number
  readonly log: Logger
}

const MAX_CONNECTIONS = 16
const MAX_STREAMS = 16

/** HTTP/2 for the other containers of a pod, on a unix socket. @returns ends it, and all connections at once */
export async function serveOnSocket(
  { socket, mode, log }: SocketServerOptions,
  serve: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
): Promise<() => Promise<void>> {
  const server = createServer({ settings: { maxConcurrentStreams: MAX_STREAMS } })
  server.maxConnections = MAX_CONNECTIONS
  const sessions = new Set<ServerHttp2Session>()
  server.on('session', (session) => {
    sessions.add(session)
    session.on('error', () => {})
    session.once('close', () => sessions.delete(session))
  })
  server.on('sessionError', (error: Error) => log.debug('a session of the data plane failed', { error: messageOf(error) }))
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {})
    serve(stream, headers)
  })
  // of a process that was killed
  rmSync(socket, { force: true })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(socket, () => {
      server.off('error', reject)
      resolve()
    })
  })
  chmodSync(socket, mode)
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve())
      for (const session of sessions) session.destroy()
    })
}
