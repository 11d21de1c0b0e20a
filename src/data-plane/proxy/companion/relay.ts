import { chmodSync, rmSync } from 'node:fs'
import { connect, createServer, type ClientHttp2Session, type ServerHttp2Session } from 'node:http2'
import { createConnection } from 'node:net'
import { messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import { forwardable, joinStreams, refuseStream } from '../../node/mesh/join-streams.ts'

export interface RelayOptions {
  /** Path of the socket to serve; relative to the working directory, where the whole is longer than a socket's name may be. */
  readonly socket: string
  /** Of the socket, such as 0o600. */
  readonly mode: number
  /** Path of the node agent's socket. */
  readonly dial: string
  /** Put over those that came: the token that says whose streams these are. Read anew for each stream. */
  readonly headers: () => Promise<Readonly<Record<string, string>>>
  readonly log: Logger
}

export interface Relay {
  close(): Promise<void>
}

const MAX_CONNECTIONS = 16
const MAX_STREAMS = 16

/** Leads streams of xDS from a data plane that knows nothing of tokens on to the node agent. */
export async function openRelay({ socket, mode, dial, headers, log }: RelayOptions): Promise<Relay> {
  const server = createServer({ settings: { maxConcurrentStreams: MAX_STREAMS } })
  server.maxConnections = MAX_CONNECTIONS
  const sessions = new Set<ServerHttp2Session>()
  let link: ClientHttp2Session | undefined
  const linked = (): ClientHttp2Session => {
    if (link && !link.closed && !link.destroyed) return link
    const session = connect('http://control-plane', { createConnection: () => createConnection(dial) })
    session.on('error', (error) => log.debug('the link to the node agent failed', { error: messageOf(error) }))
    session.once('close', () => {
      if (link === session) link = undefined
    })
    link = session
    return session
  }
  server.on('session', (session) => {
    sessions.add(session)
    session.on('error', () => {})
    session.once('close', () => sessions.delete(session))
  })
  server.on('sessionError', (error: Error) => log.debug('a session of the data plane failed', { error: messageOf(error) }))
  server.on('stream', (stream, sent) => {
    stream.on('error', () => {})
    headers().then(
      (own) => {
        if (stream.destroyed) return
        try {
          joinStreams(stream, linked().request({ ...forwardable(sent), ...own }, { endStream: stream.endAfterHeaders }))
        } catch (error) {
          refuseStream(stream, messageOf(error))
        }
      },
      (error: unknown) => refuseStream(stream, messageOf(error)),
    )
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
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const session of sessions) session.destroy()
        link?.destroy()
      }),
  }
}
