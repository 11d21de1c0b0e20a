import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../../../base/fake-clock.ts'
import type { Connection, ConnectionHandler } from '../../transport/contract.ts'
import { Http2ClientConnection } from './http2-client-connection.ts'
import { DEFAULT_LIMITS } from './protocol.ts'
import { DEFAULT_TIMES } from './connection-watch.ts'
import { serveHttp2 } from './serve-http2.ts'

/** A connection to a peer that says what the test says, and never closes. */
class StubbornPeer implements Connection {
  readonly remote = { address: '192.0.2.1', port: 1 }
  readonly local = { address: '192.0.2.2', port: 2 }
  readonly fd = -1
  readonly pendingBytes = 0
  said = ''
  handler!: ConnectionHandler
  handle(handler: ConnectionHandler): void {
    this.handler = handler
  }
  write(): boolean {
    return true
  }
  pause(): void {}
  resume(): void {}
  end(): void {
    this.said += 'end '
  }
  destroy(): void {
    this.said += 'destroy'
    this.handler.onClose()
  }
}

describe('a connection of HTTP/2 that is over', () => {
  it('does not wait for a client that leaves its side open', async () => {
    const clock = new FakeClock()
    const peer = new StubbornPeer()
    let closed = 0
    serveHttp2(peer, { clock, onClose: () => closed++ }, () => {
      throw new Error('no request')
    })
    peer.handler.onData(Buffer.from('GET / HTTP/1.1\r\nhost: a\r\n\r\n'), 0, 26)
    await clock.advance(1_000)
    expect([peer.said, closed]).toEqual(['end ', 0])
    await clock.advance(10_000)
    expect([peer.said, closed, clock.timers]).toEqual(['end destroy', 1, 0])
  })

  it('does not wait for a server that leaves its side open', async () => {
    const clock = new FakeClock()
    const peer = new StubbornPeer()
    let closed = 0
    const connection = new Http2ClientConnection(peer, {
      clock,
      limits: DEFAULT_LIMITS,
      times: DEFAULT_TIMES,
      maxRequests: 0,
      onCapacity() {},
      onClose: () => closed++,
    })
    connection.drain()
    await clock.advance(11_000)
    expect([peer.said, closed, clock.timers]).toEqual(['end destroy', 1, 0])
  })
})
