import { mkdtempSync, readFileSync, readlinkSync, readdirSync, rmSync, statSync, writeFileSync, chmodSync } from 'node:fs'
import { connect, createServer, type ClientHttp2Session, type Http2Server, type IncomingHttpHeaders } from 'node:http2'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { silentLogger } from '../../../base/log.ts'
import { decodeDiscoveryResponse, encodeDiscoveryRequest, type DiscoveryRequest } from '../../../protocols/discovery/index.ts'
import { grpcFrame, GrpcReader } from '../../../protocols/grpc-frames/index.ts'
import { findEnvoy, openRelay, openSecretServer, removeGrpcIdentity, writeGrpcBootstrap, writeGrpcIdentity } from './index.ts'

let dir: string
const ends: (() => unknown)[] = []
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'companion-'))
})
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
  rmSync(dir, { recursive: true })
})

function client(socket: string): ClientHttp2Session {
  const session = connect('http://here', { createConnection: () => createConnection(socket) })
  session.on('error', () => {})
  ends.push(() => session.destroy())
  return session
}

/** Calls, sends one message, and resolves with what came back when the answer has ended. */
function call(session: ClientHttp2Session, headers: Record<string, string>, body: string): Promise<IncomingHttpHeaders & { body: string }> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':method': 'POST', ...headers })
    let head: IncomingHttpHeaders = {}
    let text = ''
    stream.on('response', (received) => (head = { ...received }))
    stream.on('trailers', (received: IncomingHttpHeaders) => (head = { ...head, ...received }))
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
    stream.on('error', reject)
    stream.on('close', () => resolve({ ...head, body: text }))
    stream.end(body)
  })
}

describe('the relay of streams', () => {
  const control = async (): Promise<string> => {
    const socket = join(dir, 'control.sock')
    const server: Http2Server = createServer()
    server.on('stream', (stream, headers) => {
      stream.on('error', () => {})
      let body = ''
      stream.on('data', (chunk: Buffer) => (body += chunk.toString()))
      stream.on('end', () => {
        stream.respond({ ':status': 200, seen: String(headers.authorization), path: headers[':path'] }, { waitForTrailers: true })
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
        stream.end(body.toUpperCase())
      })
    })
    await new Promise<void>((resolve) => server.listen(socket, resolve))
    ends.push(() => server.close())
    return socket
  }

  it('says whose they are, whatever the data plane says, and leads both ways to the end', async () => {
    const socket = join(dir, 'xds.sock')
    // of a process that was killed
    writeFileSync(socket, '')
    const relay = await openRelay({
      socket,
      mode: 0o600,
      dial: await control(),
      headers: () => Promise.resolve({ authorization: 'Bearer own' }),
      log: silentLogger,
    })
    ends.push(() => relay.close())
    expect(statSync(socket).mode & 0o777).toBe(0o600)
    const answer = await call(client(socket), { ':path': '/a.B/C', authorization: 'Bearer of another' }, 'hello')
    expect(answer).toMatchObject({ seen: 'Bearer own', path: '/a.B/C', body: 'HELLO', 'grpc-status': '0' })
  })

  it('is unavailable while there is no token, or nobody to lead to, and serves again afterwards', async () => {
    const socket = join(dir, 'xds.sock')
    let token: string | undefined
    const relay = await openRelay({
      socket,
      mode: 0o666,
      dial: join(dir, 'control.sock'),
      headers: () => (token === undefined ? Promise.reject(new Error('no token yet')) : Promise.resolve({ authorization: token })),
      log: silentLogger,
    })
    ends.push(() => relay.close())
    const session = client(socket)
    expect(await call(session, { ':path': '/a.B/C' }, '')).toMatchObject({ 'grpc-status': '14', 'grpc-message': 'no%20token%20yet' })
    token = 'Bearer own'
    expect(await call(session, { ':path': '/a.B/C' }, '')).toMatchObject({ 'grpc-status': '14' })
    await control()
    expect(await call(session, { ':path': '/a.B/C' }, 'x')).toMatchObject({ body: 'X', seen: 'Bearer own' })
  })
})

describe('secrets of a pod', () => {
  const open = async () => {
    const socket = join(dir, 'sds.sock')
    const secrets = await openSecretServer({ socket, log: silentLogger })
    ends.push(() => secrets.close())
    const stream = client(socket).request({ ':method': 'POST', ':path': '/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets' })
    const reader = new GrpcReader(1_000_000)
    const answers: { version: string; nonce: string; values: string[] }[] = []
    const waiting: (() => void)[] = []
    stream.on('error', () => {})
    stream.on('data', (chunk: Buffer) => {
      for (const message of reader.push(chunk)) {
        const { versionInfo, nonce, resources } = decodeDiscoveryResponse(message)
        answers.push({ version: versionInfo, nonce, values: resources.map(({ value }) => value.toString()) })
        waiting.shift()?.()
      }
    })
    return {
      secrets,
      socket,
      ask: (more: Partial<DiscoveryRequest>) =>
        stream.write(
          grpcFrame(encodeDiscoveryRequest({ typeUrl: '', versionInfo: '', responseNonce: '', resourceNames: ['identity_cert'], ...more })),
        ),
      next: async () => {
        if (answers.length === 0) await new Promise<void>((resolve) => waiting.push(resolve))
        return answers.shift()
      },
    }
  }

  it('are given when they are there, again when they change, and not when they do not', async () => {
    const { secrets, ask, next, socket } = await open()
    expect(statSync(socket).mode & 0o777).toBe(0o600)
    secrets.set(new Map([['trust_bundle', Buffer.from('roots')]]))
    ask({})
    // an answer to another question shows that the first one is still open
    ask({ resourceNames: ['identity_cert', 'trust_bundle'] })
    expect((await next())?.values).toEqual(['roots'])
    secrets.set(
      new Map([
        ['trust_bundle', Buffer.from('roots')],
        ['identity_cert', Buffer.from('one')],
      ]),
    )
    const first = await next()
    expect(first?.values).toEqual(['one', 'roots'])
    // confirmed: nothing follows
    ask({ resourceNames: ['identity_cert', 'trust_bundle'], versionInfo: first?.version ?? '', responseNonce: first?.nonce ?? '' })
    secrets.set(
      new Map([
        ['identity_cert', Buffer.from('one')],
        ['trust_bundle', Buffer.from('roots')],
      ]),
    )
    secrets.set(new Map([['identity_cert', Buffer.from('two')]]))
    expect((await next())?.values).toEqual(['two'])
  })

  it('that are refused are told, until they are taken', async () => {
    const { secrets, ask, next } = await open()
    secrets.set(new Map([['identity_cert', Buffer.from('broken')]]))
    ask({})
    const { nonce = '' } = (await next()) ?? {}
    ask({ responseNonce: nonce, errorDetail: { code: 3, message: 'no PEM' } })
    await vi.waitFor(() => expect([...secrets.refused]).toEqual([['identity_cert', 'no PEM']]))
    secrets.set(new Map([['identity_cert', Buffer.from('whole')]]))
    const { nonce: second = '' } = (await next()) ?? {}
    ask({ responseNonce: second })
    await vi.waitFor(() => expect([...secrets.refused]).toEqual([]))
  })
})

describe('files of gRPC in an application', () => {
  const identity = (certificate: string) => ({ certificate, privateKey: `key of ${certificate}`, trust: ['root a', 'root b'] })
  const read = (name: string): string => readFileSync(join(dir, name), 'utf8')

  it('hold a whole identity at any time: certificate, key and authorities change together', () => {
    writeGrpcIdentity(dir, identity('one'), '1')
    const held = readlinkSync(join(dir, 'identity'))
    writeGrpcIdentity(dir, identity('two'), '2')
    expect(['identity/tls.crt', 'identity/tls.key', 'identity/ca.crt'].map(read)).toEqual(['two', 'key of two', 'root a\nroot b'])
    // who has followed the link before reads what belongs together
    expect(['tls.crt', 'tls.key'].map((name) => read(join(held, name)))).toEqual(['one', 'key of one'])
    removeGrpcIdentity(dir, '1')
    expect(readdirSync(dir).toSorted()).toEqual(['..2', 'identity'])
  })

  it('put a bootstrap in place in one step', () => {
    writeGrpcBootstrap(dir, { xds_servers: [] })
    writeGrpcBootstrap(dir, { xds_servers: [1] })
    expect(JSON.parse(read('bootstrap.json'))).toEqual({ xds_servers: [1] })
    expect(readdirSync(dir)).toEqual(['bootstrap.json'])
  })
})

it('finds Envoy by its variable, then on the path; what cannot be run does not count', () => {
  const [own, other] = [join(dir, 'envoy'), join(dir, 'mine')]
  writeFileSync(own, '')
  writeFileSync(other, '')
  expect(findEnvoy({ PATH: dir })).toBeUndefined()
  chmodSync(own, 0o755)
  expect(findEnvoy({ PATH: `:/nowhere:${dir}` })).toBe(own)
  expect(findEnvoy({ PATH: dir, BIPLANE_ENVOY: other })).toBe(own)
  chmodSync(other, 0o755)
  expect(findEnvoy({ PATH: dir, BIPLANE_ENVOY: other })).toBe(other)
  expect(findEnvoy({})).toBeUndefined()
})
