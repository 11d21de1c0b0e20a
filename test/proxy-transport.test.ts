import { createHash, X509Certificate } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { connect as connectTls, createSecureContext, type SecureContext } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Accepted, Acceptor } from '../src/data-plane/proxy/transport/accept.ts'
import { chooseTransport, transport, type Transport, type TransportName } from '../src/data-plane/proxy/transport/choose-transport.ts'
import type { Connection, ConnectionHandler } from '../src/data-plane/proxy/transport/contract.ts'
import { DialError } from '../src/data-plane/proxy/transport/dial.ts'
import { bindShared } from '../src/data-plane/proxy/transport/shared-socket.ts'
import { poisonReads, rawProblem } from '../src/data-plane/proxy/transport/raw/index.ts'
import { meshCa } from './envoy-support/mesh-ca.ts'

const LOOPBACK = '127.0.0.1'
const openFds = (): number => readdirSync('/proc/self/fd').length
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

function bytesOf(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length)
  for (let i = 0; i < length; i++) bytes[i] = (i * seed + (i >> 7)) & 0xff
  return bytes
}

/** What happened on a connection, with bytes copied as the contract asks for. */
class Recorder implements ConnectionHandler {
  readonly chunks: Buffer[] = []
  closed = 0
  ended = 0
  drains = 0
  error: Error | undefined
  onChange: () => void = () => {}

  get bytes(): Buffer {
    return Buffer.concat(this.chunks)
  }
  onData(buffer: Buffer, start: number, end: number): void {
    this.chunks.push(Buffer.copyBytesFrom(buffer, start, end - start))
    this.onChange()
  }
  onEnd(): void {
    this.ended++
    this.onChange()
  }
  onDrain(): void {
    this.drains++
    this.onChange()
  }
  onClose(error?: Error): void {
    this.closed++
    this.error = error
    this.onChange()
  }
  /** Resolves when `is` holds; fails after 5 s. */
  until(is: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`waited in vain for ${is.toString()}`)), 5_000)
      this.onChange = () => {
        if (!is()) return
        clearTimeout(timer)
        resolve()
      }
      this.onChange()
    })
  }
}

function echo(connection: Connection): void {
  connection.handle({
    onData(buffer, start, end) {
      if (!connection.write(buffer, start, end)) connection.pause()
    },
    onEnd: () => connection.end(),
    onDrain: () => connection.resume(),
    onClose() {},
  })
}

const mesh = meshCa('mesh')
const { ca } = mesh
const pem = (name: string): { readonly cert: string; readonly key: string } => {
  const { certificate, privateKey } = mesh.identity(`spiffe://mesh/${name}`)
  return { cert: certificate, key: privateKey }
}
const [server, client] = [pem('server'), pem('client')]
const contextOf = (own: typeof server | undefined): SecureContext => createSecureContext({ ...own, ca })

beforeAll(() => poisonReads(true))
afterAll(() => poisonReads(false))

describe.each<TransportName>(['raw', 'sockets'])('transport %s', (name) => {
  const subject: Transport = transport(name)
  const acceptors: Acceptor[] = []
  const connections: Connection[] = []

  afterEach(async () => {
    for (const connection of connections.splice(0)) connection.destroy()
    for (const acceptor of acceptors.splice(0)) await acceptor.close()
  })

  async function serve(accept: (accepted: Accepted) => void): Promise<number> {
    const acceptor = await subject.listen({ host: LOOPBACK, port: 0 }, accept)
    acceptors.push(acceptor)
    return acceptor.port
  }
  async function dialTo(port: number): Promise<Connection> {
    const connection = await subject.dial({ address: { address: LOOPBACK, port }, timeoutMs: 2_000 })
    connections.push(connection)
    return connection
  }
  /** Two ends of one connection; the one that was accepted comes second. */
  async function pair(): Promise<[Connection, Connection]> {
    let take: (connection: Connection) => void = () => {}
    const accepted = new Promise<Connection>((resolve) => (take = resolve))
    const port = await serve((one) => take(one.plain()))
    const client = await dialTo(port)
    const server = await accepted
    connections.push(server)
    return [client, server]
  }

  it.each([1, 47, 48, 49, 4_096, 65_535, 65_537, 81_920, 81_921, 1_000_000, 5_000_000])('echoes %d bytes', async (size) => {
    const client = await dialTo(await serve((accepted) => echo(accepted.plain())))
    const sent = bytesOf(size, 31)
    const heard = new Recorder()
    client.handle(heard)
    client.write(sent)
    client.end()
    await heard.until(() => heard.closed === 1)
    expect([heard.bytes.length, digest(heard.bytes), heard.error]).toEqual([size, digest(sent), undefined])
  })

  it('takes connections at a socket that was bound before and given to it', async () => {
    const shared = bindShared(LOOPBACK, 0)
    const early = await subject
      .dial({ address: { address: LOOPBACK, port: shared.port }, timeoutMs: 2_000 })
      .catch((error: unknown) => error)
    expect((early as Error).message).toMatch(/ECONNREFUSED/)
    const acceptor = await subject.listen({ handle: shared.handle }, (accepted) => echo(accepted.plain()))
    acceptors.push(acceptor)
    expect(acceptor.port).toBe(shared.port)
    const client = await dialTo(shared.port)
    const heard = new Recorder()
    client.handle(heard)
    client.write(bytesOf(100_000))
    client.end()
    await heard.until(() => heard.closed === 1)
    expect(digest(heard.bytes)).toBe(digest(bytesOf(100_000)))
  })

  it('binds no other port than the one that was asked for', async () => {
    const port = await serve(() => {})
    expect(() => bindShared(LOOPBACK, port)).toThrow(`bind EADDRINUSE ${LOOPBACK}:${port}`)
    expect(() => bindShared('203.0.113.77', 0)).toThrow(/bind EADDRNOTAVAIL/)
  })

  it('tells both ends the same addresses', async () => {
    const [client, server] = await pair()
    expect([client.local, client.remote]).toEqual([server.remote, server.local])
    expect(client.local.address).toBe(LOOPBACK)
    expect(server.fd).toBeGreaterThan(2)
  })

  it('copies what cannot go out at once, so that the caller may use his buffer again', async () => {
    const [client, server] = await pair()
    const heard = new Recorder()
    server.handle(heard)
    server.pause()
    client.handle(new Recorder())
    const scratch = Buffer.alloc(50_000)
    let written = 0
    // more than the kernel takes while nobody reads
    while (client.pendingBytes < 100_000) {
      scratch.fill(written++ & 0xff)
      client.write(scratch)
    }
    scratch.fill(0xee)
    client.end()
    server.resume()
    await heard.until(() => heard.ended === 1)
    expect(heard.bytes.length).toBe(written * 50_000)
    for (let i = 0; i < written; i++) expect(heard.bytes[i * 50_000 + 25_000]).toBe(i & 0xff)
  })

  it('says when to wait, and once when to go on', async () => {
    const [client, server] = await pair()
    const reader = new Recorder()
    server.handle(reader)
    server.pause()
    const writer = new Recorder()
    client.handle(writer)
    const step = bytesOf(60_000)
    let writes = 1
    while (client.write(step)) expect(++writes).toBeLessThan(1_000)
    expect(client.pendingBytes).toBeLessThan(1_000_000)
    expect(writer.drains).toBe(0)
    server.resume()
    await writer.until(() => writer.drains === 1)
    await reader.until(() => reader.bytes.length === writes * step.length)
    expect(writer.drains).toBe(1)
    expect(client.pendingBytes).toBe(0)
  })

  it('reads nothing while it is paused', async () => {
    const [client, server] = await pair()
    const heard = new Recorder()
    server.handle(heard)
    server.pause()
    client.handle(new Recorder())
    client.write(bytesOf(100))
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(heard.chunks).toEqual([])
    server.resume()
    await heard.until(() => heard.bytes.length === 100)
  })

  it('sends after the other end has said that it sends no more', async () => {
    const [client, server] = await pair()
    const [atClient, atServer] = [new Recorder(), new Recorder()]
    client.handle(atClient)
    server.handle(atServer)
    client.end()
    await atServer.until(() => atServer.ended === 1)
    server.write(bytesOf(300_000))
    server.end()
    await atClient.until(() => atClient.ended === 1 && atClient.closed === 1)
    expect(atClient.bytes.length).toBe(300_000)
    await atServer.until(() => atServer.closed === 1)
    expect([atServer.error, atClient.error]).toEqual([undefined, undefined])
  })

  it('tells a reset as an error, once', async () => {
    const [client, server] = await pair()
    const heard = new Recorder()
    server.handle(heard)
    client.handle(new Recorder())
    server.write(bytesOf(100))
    client.pause()
    server.write(bytesOf(1_000_000))
    await new Promise((resolve) => setTimeout(resolve, 20))
    // bytes that nobody has read make the kernel send RST
    client.destroy()
    await heard.until(() => heard.closed === 1)
    expect(['ECONNRESET', 'EPIPE']).toContain((heard.error as NodeJS.ErrnoException).code)
  })

  it('is silent but for onClose once it is destroyed, and destroying is idempotent', async () => {
    const [client, server] = await pair()
    const heard = new Recorder()
    server.handle(heard)
    client.handle(new Recorder())
    client.write(bytesOf(10))
    server.destroy()
    expect(heard.closed).toBe(0)
    server.destroy()
    expect(server.write(bytesOf(10))).toBe(true)
    await heard.until(() => heard.closed === 1)
    expect([heard.chunks.length, heard.closed]).toEqual([0, 1])
  })

  it('may be destroyed from within its own onData', async () => {
    const [client, server] = await pair()
    const atClient = new Recorder()
    client.handle(atClient)
    let calls = 0
    server.handle({
      onData() {
        calls++
        server.write(bytesOf(10))
        server.destroy()
      },
      onEnd() {},
      onDrain() {},
      onClose() {},
    })
    client.write(bytesOf(200_000))
    await atClient.until(() => atClient.ended + atClient.closed > 0)
    expect(calls).toBe(1)
  })

  it('hands on what was looked at', async () => {
    const looked: string[] = []
    const port = await serve((accepted) => {
      void accepted
        .peek((bytes) => bytes.length >= 5, 1_000)
        .then(({ firstBytes }) => {
          looked.push(firstBytes.toString())
          echo(accepted.plain())
        })
    })
    const client = await dialTo(port)
    const heard = new Recorder()
    client.handle(heard)
    client.write(Buffer.from('hello '))
    await heard.until(() => heard.bytes.length === 6)
    client.write(Buffer.from('world'))
    await heard.until(() => heard.bytes.toString() === 'hello world')
    expect(looked).toEqual(['hello '])
  })

  it('speaks TLS with certificates on both sides, after a look at the hello', async () => {
    const names: (string | undefined)[] = []
    const port = await serve((accepted) => {
      void accepted
        .peek((bytes) => bytes.length > 100, 1_000)
        .then(({ hello }) => {
          names.push(hello?.serverName, ...(hello?.alpn ?? []))
          return accepted.secure({
            context: contextOf(server),
            alpn: ['istio'],
            clientCertificate: 'require',
            handshakeTimeoutMs: 2_000,
          })
        })
        .then((connection) => {
          connections.push(connection)
          names.push(connection.tls?.alpn, connection.tls?.peer?.subjectAltName)
          echo(connection)
        })
    })
    const verified: string[] = []
    const connection = await subject.dial({
      address: { address: LOOPBACK, port },
      timeoutMs: 2_000,
      tls: {
        serverName: 'p80.mesh.biplane',
        alpn: ['istio'],
        context: contextOf(client),
        verifyChain: true,
        verify: (certificate) => void verified.push(certificate.subjectAltName ?? ''),
      },
    })
    connections.push(connection)
    const heard = new Recorder()
    connection.handle(heard)
    const sent = bytesOf(3_000_000, 7)
    connection.write(sent)
    await heard.until(() => heard.bytes.length >= sent.length)
    expect(digest(heard.bytes)).toBe(digest(sent))
    connection.end()
    await heard.until(() => heard.closed === 1)
    expect(verified).toEqual(['URI:spiffe://mesh/server'])
    expect(names).toEqual(['p80.mesh.biplane', 'istio', 'istio', 'URI:spiffe://mesh/client'])
    expect(connection.tls?.peer).toBeInstanceOf(X509Certificate)
  })

  it('keeps what comes with the end of a handshake until somebody takes over', async () => {
    let take: (connection: Connection) => void = () => {}
    const secured = new Promise<Connection>((resolve) => (take = resolve))
    const options = { context: contextOf(server), alpn: [], clientCertificate: 'none', handshakeTimeoutMs: 2_000 } as const
    const port = await serve((accepted) => void accepted.secure(options).then(take))
    const socket = connectTls({ port, host: LOOPBACK, rejectUnauthorized: false }, () => socket.end('first'))
    socket.on('error', () => {})
    const connection = await secured
    connections.push(connection)
    if (!socket.writableFinished) await new Promise((resolve) => socket.once('finish', resolve))
    // a way there and back on another connection: by then it has come
    const other = await dialTo(await serve((accepted) => echo(accepted.plain())))
    const back = new Recorder()
    other.handle(back)
    other.write(Buffer.from('there'))
    await back.until(() => back.bytes.length === 5)
    const heard = new Recorder()
    connection.handle(heard)
    await heard.until(() => heard.ended === 1)
    expect(heard.bytes.toString()).toBe('first')
    socket.destroy()
  })

  it('refuses a server whose certificate the caller refuses', async () => {
    const port = await serve((accepted) => {
      accepted.secure({ context: contextOf(server), alpn: [], clientCertificate: 'none', handshakeTimeoutMs: 2_000 }).then(
        (connection) => void connections.push(connection),
        () => {},
      )
    })
    const tls = {
      alpn: [],
      context: contextOf(client),
      verifyChain: true,
      verify: (): void => {
        throw new Error('spiffe://mesh/server is not who was asked for')
      },
    }
    const error = await subject.dial({ address: { address: LOOPBACK, port }, timeoutMs: 2_000, tls }).catch((problem: unknown) => problem)
    expect(error).toBeInstanceOf(DialError)
    expect([(error as DialError).kind, (error as Error).message]).toEqual(['tls', 'spiffe://mesh/server is not who was asked for'])
  })

  it('refuses a client without certificate where one is required', async () => {
    let refused: (error: Error) => void = () => {}
    const refusal = new Promise<Error>((resolve) => (refused = resolve))
    const port = await serve((accepted) => {
      const context = contextOf(server)
      accepted
        .secure({ context, alpn: [], clientCertificate: 'require', handshakeTimeoutMs: 2_000 })
        .then((connection) => connections.push(connection), refused)
    })
    const tls = { alpn: [], context: contextOf(undefined), verifyChain: true, verify: () => {} }
    // TLS 1.3: the client is through before the server has seen that it shows nothing
    const connection = await subject.dial({ address: { address: LOOPBACK, port }, timeoutMs: 2_000, tls })
    const heard = new Recorder()
    connection.handle(heard)
    expect((await refusal).message).toMatch(/certificate/i)
    await heard.until(() => heard.ended + heard.closed > 0)
  })

  it('waits for first bytes, for the rest of a hello and for a handshake no longer than it is told to', async () => {
    const outcomes: string[] = []
    const secure = { context: contextOf(server), alpn: [], clientCertificate: 'require', handshakeTimeoutMs: 100 } as const
    const port = await serve((accepted) => {
      void accepted
        .peek((bytes) => bytes.length > 1_000, 100)
        .then(({ firstBytes, hello }) => {
          outcomes.push(`${firstBytes.length} ${hello === undefined ? 'no hello' : 'a hello'}`)
          return accepted.secure(secure)
        })
        .catch((error: unknown) => outcomes.push((error as Error).message))
    })
    const clients = [await dialTo(port), await dialTo(port)].map((one) => {
      const heard = new Recorder()
      one.handle(heard)
      return { one, heard }
    })
    clients[1]?.one.write(Buffer.from('1603010200010001fc0303', 'hex'))
    for (const { heard } of clients) await heard.until(() => heard.ended + heard.closed > 0)
    const late = 'no TLS handshake within 100 ms'
    expect(outcomes.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(['0 no hello', '11 no hello', late, late])
  })

  it('leaves no file descriptor behind', async () => {
    const port = await serve((accepted) => echo(accepted.plain()))
    const before = openFds()
    for (let round = 0; round < 30; round++) {
      const client = await dialTo(port)
      const heard = new Recorder()
      client.handle(heard)
      client.write(bytesOf(1_000))
      await heard.until(() => heard.bytes.length === 1_000)
      if (round % 3 === 0) client.destroy()
      else client.end()
      await heard.until(() => heard.closed === 1)
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(openFds()).toBeLessThanOrEqual(before + 1)
  })
})

describe('the choice of a transport', () => {
  it('raw connections pass their own test here', async () => {
    expect(await rawProblem()).toBeUndefined()
    expect((await chooseTransport('auto')).name).toBe('raw')
  })

  it('can be forced, and says which names there are', async () => {
    expect((await chooseTransport('sockets')).name).toBe('sockets')
    await expect(chooseTransport('fast')).rejects.toThrow('it is to be raw, sockets or auto')
  })
})
