import type { IncomingHttpHeaders } from 'node:http'
import type { Clock } from '../../../base/clock.ts'
import { StatusError } from '../../../base/errors.ts'
import { EXEC_CHANNELS } from '../../../protocols/exec-link.ts'
import { SpdySession, type SpdyStream } from '../../../protocols/spdy/index.ts'
import type { ExecDialect, ExecSink } from './exec-upgrade.ts'

const PROTOCOL = 'v4.channel.k8s.io'
/** How long a client may take to open its streams. Source: k8s.io/kubelet remotecommand. */
const STREAMS_WITHIN_MS = 30_000

export interface SpdyExecOptions {
  readonly stdout: boolean
  readonly stderr: boolean
  readonly clock: Clock
}

/**
 * Exec over SPDY/3.1: the client opens a stream for each output and one for the status, told apart by their header `streamtype`.
 * Source: k8s.io/kubelet pkg/cri/streaming/remotecommand, protocol v4. @throws {StatusError} `Forbidden` for older protocols alone, as upstream
 */
export function openSpdyExec(headers: IncomingHttpHeaders, options: SpdyExecOptions): ExecDialect {
  const offered = String(headers['x-stream-protocol-version'] ?? '').split(/\s*,\s*/)
  if (!offered.includes(PROTOCOL)) {
    throw new StatusError(
      'Forbidden',
      `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server [${PROTOCOL}]`,
    )
  }
  return {
    accept(socket, first) {
      const wanted = ['error', ...(options.stdout ? ['stdout'] : []), ...(options.stderr ? ['stderr'] : [])]
      const streams = new Map<string, SpdyStream>()
      return new Promise((resolve, reject) => {
        const deadline = options.clock.after(STREAMS_WITHIN_MS, () =>
          reject(new Error(`the client did not open all of ${wanted.join(', ')}`)),
        )
        socket.once('close', () => {
          deadline.cancel()
          reject(new Error('the client has gone'))
        })
        socket.write(
          `HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: SPDY/3.1\r\nx-stream-protocol-version: ${PROTOCOL}\r\n\r\n`,
        )
        if (first.length > 0) socket.unshift(first)
        const session = new SpdySession(socket, {
          onStream(stream) {
            streams.set(stream.headers.get('streamtype') ?? '', stream)
            if (!wanted.every((name) => streams.has(name))) return
            deadline.cancel()
            resolve(sinkOf(session, streams))
          },
        })
      })
    },
  }
}

function sinkOf(session: SpdySession, streams: ReadonlyMap<string, SpdyStream>): ExecSink {
  const names = new Map<number, string>(Object.entries(EXEC_CHANNELS).map(([name, channel]) => [channel, name]))
  return {
    write: (channel, bytes) => streams.get(names.get(channel) ?? '')?.write(bytes) ?? Promise.resolve(),
    close() {
      for (const stream of streams.values()) stream.end()
      session.close()
    },
  }
}
