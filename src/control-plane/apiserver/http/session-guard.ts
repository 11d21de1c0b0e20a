import { constants as http2, type ServerHttp2Session } from 'node:http2'
import type { Clock } from '../../../base/clock.ts'
import type { Logger } from '../../../base/log.ts'
import { createFloodGuard, type FloodLimits } from './flood-guard.ts'

export interface SessionGuardOptions {
  readonly clock: Clock
  readonly log: Logger
  /** Until the first request. */
  readonly headTimeoutMs: number
  /** Without any request open. */
  readonly idleTimeoutMs: number
  readonly resets?: FloodLimits | undefined
}

/**
 * Ends HTTP/2 connections that ask for nothing, fall idle, or open streams only to reset them (GOAWAY with ENHANCE_YOUR_CALM). Floods of
 * settings, pings and empty frames are ended by nghttp2 itself.
 */
export function guardSession(session: ServerHttp2Session, options: SessionGuardOptions): void {
  const flood = createFloodGuard(options.clock, options.resets)
  let open = 0
  let used = false
  let flooding = false
  const first = options.clock.after(options.headTimeoutMs, () => used || session.destroy())
  session.once('close', () => first.cancel())
  session.setTimeout(options.idleTimeoutMs, () => open === 0 && session.close())
  session.on('stream', (stream) => {
    used = true
    open += 1
    stream.once('close', () => {
      open -= 1
      const reset = stream.rstCode === http2.NGHTTP2_CANCEL || !stream.headersSent
      if (!reset || flooding || session.destroyed || flood.allow()) return
      flooding = true
      options.log.warn('http/2 client resets too many streams', { remote: session.socket.remoteAddress })
      session.goaway(http2.NGHTTP2_ENHANCE_YOUR_CALM)
      // not at once: closing a connection on which bytes wait unread would take the GOAWAY with it
      options.clock.after(LINGER_MS, () => session.destroy())
    })
  })
}

const LINGER_MS = 100
