import { performServerHandshake, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import { backoffMs } from '../../../base/backoff.ts'
import { sleep, type Clock } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import { NODE_LINK_PATH, NODE_LINK_PROTOCOL } from '../../../protocols/node-link.ts'
import { dialUpgrade } from './dial-upgrade.ts'

export interface NodeLinkOptions {
  /** `https://host:port`. */
  readonly server: string
  readonly ca: string
  readonly cert: () => string
  readonly key: () => string
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
  /** Answers one request that comes over the link. */
  readonly serve: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, signal: AbortSignal) => void
}

const BACKOFF = { baseMs: 200, maxMs: 10_000, jitter: 0.5 }

/** Keeps a link to the API server until the signal aborts: dials, serves HTTP/2 on it, dials again. See protocols/node-link.ts. */
export async function runNodeLink(options: NodeLinkOptions, signal: AbortSignal): Promise<void> {
  for (let failures = 0; !signal.aborted;) {
    try {
      const socket = await dialUpgrade({ ...options, path: NODE_LINK_PATH, protocol: NODE_LINK_PROTOCOL }, signal)
      failures = 0
      await serveLink(socket, options, signal)
    } catch (error) {
      failures++
      if (!signal.aborted) options.log.debug('node link failed', { error: messageOf(error) })
    }
    await sleep(options.clock, backoffMs(Math.max(1, failures), BACKOFF, options.random), signal).catch(() => {})
  }
}

function serveLink(socket: Duplex, options: NodeLinkOptions, signal: AbortSignal): Promise<void> {
  // a server's own connection listener would refuse: this connection has agreed on HTTP/1.1 before the roles flipped
  const session = performServerHandshake(socket)
  session.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    const gone = new AbortController()
    stream.on('close', () => gone.abort())
    stream.on('error', () => {})
    options.serve(stream, headers, gone.signal)
  })
  return new Promise((resolve) => {
    const end = (): void => void socket.destroy()
    session.on('error', (error) => options.log.debug('node link session failed', { error: messageOf(error) }))
    signal.addEventListener('abort', end, { once: true })
    socket.on('error', end)
    socket.on('close', () => {
      signal.removeEventListener('abort', end)
      resolve()
    })
  })
}
