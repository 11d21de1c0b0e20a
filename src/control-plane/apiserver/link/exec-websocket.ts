import type { IncomingHttpHeaders } from 'node:http'
import type { Duplex } from 'node:stream'
import { StatusError } from '../../../base/errors.ts'
import { EXEC_CHANNELS } from '../../../protocols/exec-link.ts'
import {
  answerHandshake,
  encodeClose,
  encodeMessage,
  encodePong,
  WebSocketError,
  WebSocketReader,
} from '../../../protocols/websocket/index.ts'
import type { ExecDialect, ExecSink } from './exec-upgrade.ts'

/** Best first. They differ in how stdin ends, which is not served. */
const PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io']
const NORMAL = 1000

export interface WebSocketExecOptions {
  readonly stdout: boolean
  readonly stderr: boolean
}

/** Exec over WebSocket: binary messages of a channel's number and its bytes. Source: KEP-4006. @throws {StatusError} `BadRequest` for a bad handshake */
export function openWebSocketExec(headers: IncomingHttpHeaders, options: WebSocketExecOptions): ExecDialect {
  const answer = answerHandshake(headers, PROTOCOLS)
  if ('problem' in answer) throw new StatusError('BadRequest', `unable to upgrade: ${answer.problem}`)
  return {
    accept(socket, first) {
      const lines = Object.entries(answer.headers).map(([name, value]) => `${name}: ${value}\r\n`)
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`)
      if (first.length > 0) socket.unshift(first)
      listen(socket)
      return Promise.resolve(sinkOf(socket, options))
    },
  }
}

/** Answers pings and goodbyes; messages would be stdin, which was not asked for. */
function listen(socket: Duplex): void {
  const reader = new WebSocketReader()
  socket.on('data', (bytes: Uint8Array) => {
    try {
      for (const frame of reader.push(bytes)) {
        if (!socket.writable) return
        if (frame.type === 'ping') socket.write(encodePong(frame.bytes))
        if (frame.type === 'close') socket.end(encodeClose(NORMAL))
      }
    } catch (error) {
      if (!(error instanceof WebSocketError)) throw error
      if (socket.writable) socket.end(encodeClose(error.code, error.message))
    }
  })
}

function sinkOf(socket: Duplex, { stdout, stderr }: WebSocketExecOptions): ExecSink {
  const wanted = new Set<number>([
    EXEC_CHANNELS.error,
    ...(stdout ? [EXEC_CHANNELS.stdout] : []),
    ...(stderr ? [EXEC_CHANNELS.stderr] : []),
  ])
  return {
    write(channel, bytes) {
      if (!socket.writable || !wanted.has(channel)) return Promise.resolve()
      if (socket.write(encodeMessage(Buffer.concat([Buffer.from([channel]), bytes])))) return Promise.resolve()
      return new Promise((resolve) => {
        const done = (): void => {
          socket.off('drain', done).off('close', done)
          resolve()
        }
        socket.on('drain', done).on('close', done)
      })
    },
    close() {
      if (socket.writable) socket.end(encodeClose(NORMAL))
    },
  }
}
