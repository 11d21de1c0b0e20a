import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { askCertificate } from './ask-certificate.ts'

let dir: string
let server: Http2Server
let answer: (stream: ServerHttp2Stream, headers: Record<string, unknown>, body: Buffer) => void

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ask-'))
  writeFileSync(join(dir, 'token'), 'secret\n')
  server = createServer()
  server.on('stream', (stream, headers) => {
    const chunks: Buffer[] = []
    stream.on('error', () => {})
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => answer(stream, headers, Buffer.concat(chunks)))
  })
  await new Promise<void>((resolve) => server.listen(join(dir, 'sock'), resolve))
})
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve))
  rmSync(dir, { recursive: true })
})

const ask = (timeoutMs = 2000): Promise<unknown> =>
  askCertificate('csr', { dial: join(dir, 'sock'), tokenPath: join(dir, 'token'), timeoutMs })
const framed = (text: string): Buffer => {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(Buffer.byteLength(text), 1)
  return Buffer.concat([head, Buffer.from(text)])
}
const respond = (stream: ServerHttp2Stream, body: Buffer, trailers: Record<string, string>): void => {
  stream.respond({ ':status': 200 }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers(trailers))
  stream.end(body)
}

it('shows its token and gets what was signed', async () => {
  const signed = { certificate: 'c', trust: { d: ['ca'] }, spiffeId: 'spiffe://d/ns/a/sa/b', issuer: 'i' }
  let seen: unknown
  answer = (stream, headers, body) => {
    seen = [headers['authorization'], headers[':path'], body.subarray(5).toString()]
    respond(stream, framed(JSON.stringify(signed)), { 'grpc-status': '0' })
  }
  expect(await ask()).toEqual(signed)
  expect(seen).toEqual(['Bearer secret', '/biplane.mesh.v1.Identity/SignCertificate', '{"csr":"csr"}'])
})

it.each<[string, (stream: ServerHttp2Stream) => void, RegExp]>([
  [
    'a refusal',
    (s) => s.respond({ ':status': 200, 'grpc-status': '7', 'grpc-message': 'not%20yours' }, { endStream: true }),
    /status 7: not yours/,
  ],
  ['a reset', (s) => s.close(2), /INTERNAL|ended/],
  ['half an answer', (s) => respond(s, framed('{}').subarray(0, 6), { 'grpc-status': '0' }), /no whole answer/],
  ['an answer without certificate', (s) => respond(s, framed('{}'), { 'grpc-status': '0' }), /lacks a certificate/],
  ['silence', () => {}, /did not answer within 100 ms/],
])('says what is wrong with %s', async (_, act, message) => {
  answer = (stream) => act(stream)
  await expect(ask(100)).rejects.toThrow(message)
})

it('says that nobody is there', async () => {
  await expect(askCertificate('csr', { dial: join(dir, 'other'), tokenPath: join(dir, 'token') })).rejects.toThrow(/cannot be reached/)
})
