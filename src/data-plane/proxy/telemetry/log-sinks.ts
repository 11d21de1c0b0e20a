import { close, open, write } from 'node:fs'
import { connect, type Socket } from 'node:net'
import type { Clock } from '../../../base/clock.ts'
import type { LineSink } from './log-writer.ts'

/** Appends to an open file, pipe or terminal. @param ownsFd it is closed with the sink */
export function openFdSink(fd: number, ownsFd = false): LineSink {
  return {
    write(bytes, done) {
      const next = (offset: number): void =>
        write(fd, bytes, offset, bytes.length - offset, null, (error, written) => {
          if (error) done(error)
          else if (offset + written < bytes.length) next(offset + written)
          else done()
        })
      next(0)
    },
    close() {
      if (ownsFd) close(fd)
    },
  }
}

/** Appends to a file, opened at the first line and again after each failure, so that a full or missing disk may come back. */
export function openFileSink(path: string): LineSink {
  let inner: LineSink | undefined
  const give = (bytes: Buffer, done: (error?: Error) => void): void => {
    inner?.write(bytes, (error) => {
      if (error) {
        inner?.close()
        inner = undefined
      }
      done(error)
    })
  }
  return {
    write(bytes, done) {
      if (inner) return give(bytes, done)
      open(path, 'a', 0o644, (error, fd) => {
        if (error) return done(error)
        inner = openFdSink(fd, true)
        give(bytes, done)
      })
    },
    close() {
      inner?.close()
      inner = undefined
    },
  }
}

/** How long a connection is not tried again after it failed. */
const PAUSE = 1_000

/** Sends lines to `host:port`. While there is no connection, writes fail. */
export function openTcpSink(address: string, clock: Clock): LineSink {
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1')
  const port = Number(address.slice(colon + 1))
  let socket: Socket | undefined
  let pending: ((error?: Error) => void) | undefined
  let notBeforeMs = -Infinity
  const settle = (error?: Error): void => {
    const done = pending
    pending = undefined
    done?.(error)
  }
  const lose = (error: Error): void => {
    socket?.destroy()
    socket = undefined
    notBeforeMs = clock.monotonic() + PAUSE
    settle(error)
  }
  const reach = (): Socket => {
    const made = connect({ host, port })
    made.unref()
    made.on('error', lose)
    made.on('close', () => {
      if (socket === made) lose(new Error(`${address} has closed the connection`))
    })
    // nothing is expected back
    made.resume()
    return made
  }
  return {
    write(bytes, done) {
      if (!socket && clock.monotonic() < notBeforeMs) return done(new Error(`${address} could not be reached`))
      pending = done
      socket ??= reach()
      socket.write(bytes, (error) => (error ? lose(error) : settle()))
    },
    close() {
      const last = socket
      socket = undefined
      last?.end()
    },
  }
}
