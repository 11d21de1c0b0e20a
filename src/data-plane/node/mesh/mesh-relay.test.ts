import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, performServerHandshake, type ClientHttp2Session, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import { createConnection, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../base/clock.ts'
import { silentLogger } from '../../../base/log.ts'
import { MeshRelay } from './mesh-relay.ts'

interface Answer {
  readonly headers: Record<string, unknown>
  readonly body: string
  readonly trailers: Record<string, unknown>
}

let dir: string
let stop: AbortController
let running: Promise<void>
let control: Server
let sessions: ServerHttp2Session[]
let serve: (stream: ServerHttp2Stream, headers: Record<string, unknown>) => void
let relay: MeshRelay
const clients: ClientHttp2Session[] = []

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'relay-'))
  stop = new AbortController()
  sessions = []
  control = createServer((socket) => {
    const session = performServerHandshake(socket)
    session.on('error', () => {})
    session.on('stream', (stream, headers) => {
      stream.on('error', () => {})
      serve(stream, headers)
    })
    sessions.push(session)
  }).listen(join(dir, 'control.sock'))
  // left behind by an agent that was killed
  writeFileSync(join(dir, 'mesh.sock'), '')
  relay = new MeshRelay({
    node: 'a',
    socketPath: join(dir, 'mesh.sock'),
    server: 'https://nowhere',
    ca: '',
    cert: () => '',
    key: () => '',
    clock: systemClock,
    random: () => 0.5,
    log: silentLogger,
    dial: () =>
      new Promise((resolve, reject) => {
        const socket = createConnection(join(dir, 'control.sock'))
        socket.once('connect', () => resolve(socket))
        socket.once('error', reject)
      }),
  })
  running = relay.run(stop.signal)
})

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  stop.abort()
  await running
  for (const session of sessions) session.destroy()
  await new Promise((resolve) => control.close(resolve))
  rmSync(dir, { recursive: true })
})

function open(): ClientHttp2Session {
  const client = connect('http://relay', { createConnection: () => createConnection(join(dir, 'mesh.sock')) })
  client.on('error', () => {})
  clients.push(client)
  return client
}

function ask(client: ClientHttp2Session, body: string, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = client.request({ ':method': 'POST', ':path': '/a.B/C', ...headers })
    let head: Record<string, unknown> = {}
    let trailers: Record<string, unknown> = {}
    let text = ''
    stream.on('response', (received) => (head = received))
    stream.on('trailers', (received) => (trailers = received))
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
    stream.on('error', reject)
    stream.on('close', () => resolve({ headers: head, body: text, trailers }))
    stream.end(body)
  })
}

async function whenConnected(): Promise<void> {
  for (let i = 0; i < 500 && !relay.isConnected; i++) await new Promise((resolve) => setImmediate(resolve))
  if (!relay.isConnected) await new Promise<void>((resolve) => void systemClock.after(300, resolve))
  expect(relay.isConnected).toBe(true)
}

function echo(stream: ServerHttp2Stream, headers: Record<string, unknown>): void {
  stream.respond(
    { ':status': 200, 'x-seen': JSON.stringify([headers['biplane-node'], headers['authorization']]) },
    { waitForTrailers: true },
  )
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '7', 'grpc-message': 'no' }))
  stream.pipe(stream)
}

describe('the mesh relay', () => {
  it('passes on heads, messages and trailers, and says itself which node it is', async () => {
    serve = echo
    await whenConnected()
    const body = 'x'.repeat(300_000)
    const answer = await ask(open(), body, { authorization: 'Bearer t', 'biplane-node': 'somebody-else' })
    expect(answer.headers['x-seen']).toBe('["a","Bearer t"]')
    expect(answer.body).toBe(body)
    expect(answer.trailers).toMatchObject({ 'grpc-status': '7', 'grpc-message': 'no' })
  })

  it('carries a conversation in both directions', async () => {
    serve = echo
    await whenConnected()
    const stream = open().request({ ':method': 'POST', ':path': '/a.B/C' })
    const heard: string[] = []
    for (const word of ['one', 'two', 'three']) {
      stream.write(word)
      heard.push(await new Promise((resolve) => stream.once('data', (chunk: Buffer) => resolve(chunk.toString()))))
    }
    expect(heard).toEqual(['one', 'two', 'three'])
    stream.close()
  })

  it('answers that nobody is there while the control plane is away, and goes on when it is back', async () => {
    serve = echo
    await whenConnected()
    const client = open()
    for (const session of sessions) session.destroy()
    await new Promise((resolve) => control.close(resolve))
    for (let i = 0; i < 1000 && relay.isConnected; i++) await new Promise((resolve) => setImmediate(resolve))
    const refused = await ask(client, '')
    expect(refused.headers).toMatchObject({ 'grpc-status': '14', ':status': 200 })
    control = createServer((socket) => {
      const session = performServerHandshake(socket)
      session.on('error', () => {})
      session.on('stream', (stream, headers) => serve(stream, headers))
      sessions.push(session)
    }).listen(join(dir, 'control.sock'))
    for (let i = 0; i < 100 && !relay.isConnected; i++) await new Promise<void>((resolve) => void systemClock.after(20, resolve))
    expect((await ask(client, 'again')).body).toBe('again')
  })

  it('tells the control plane when a proxy goes, and the proxy when its stream is reset', async () => {
    const closed = new Promise<number>((resolve) => {
      serve = (stream) => {
        stream.respond({ ':status': 200 })
        stream.write('hello')
        stream.on('close', () => resolve(stream.rstCode))
      }
    })
    await whenConnected()
    const stream = open().request({ ':method': 'POST', ':path': '/a.B/C' })
    await new Promise((resolve) => stream.once('data', resolve))
    stream.close()
    expect(await closed).toBe(8)
    serve = (other) => {
      other.respond({ ':status': 200 })
      other.close(2)
    }
    const reset = open().request({ ':method': 'POST', ':path': '/a.B/C' })
    await expect(new Promise((_, reject) => reset.once('error', reject))).rejects.toThrow(/INTERNAL_ERROR/)
  })
})
