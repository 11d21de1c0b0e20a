import { connect, type ClientHttp2Session } from 'node:http2'
import { createConnection } from 'node:net'
import { messageOf } from '../../../base/errors.ts'
import { forwardable, joinStreams, refuseStream } from '../../node/mesh/join-streams.ts'
import { serveOnSocket, type SocketServerOptions } from './socket-server.ts'

export interface RelayOptions extends SocketServerOptions {
  /** Path of the node agent's socket. */
  readonly dial: string
  /** Put over those that came: the token that says whose streams these are. Read anew for each stream. */
  readonly headers: () => Promise<Readonly<Record<string, string>>>
}

export interface Relay {
  close(): Promise<void>
}

/** Leads streams of xDS from a data plane that knows nothing of tokens on to the node agent. */
export async function openRelay({ dial, headers, ...options }: RelayOptions): Promise<Relay> {
  let link: ClientHttp2Session | undefined
  const linked = (): ClientHttp2Session => {
    if (link && !link.closed && !link.destroyed) return link
    const session = connect('http://control-plane', { createConnection: () => createConnection(dial) })
    session.on('error', (error) => options.log.debug('the link to the node agent failed', { error: messageOf(error) }))
    session.once('close', () => {
      if (link === session) link = undefined
    })
    link = session
    return session
  }
  const close = await serveOnSocket(options, (stream, sent) => {
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
  return {
    close: () => {
      link?.destroy()
      return close()
    },
  }
}
