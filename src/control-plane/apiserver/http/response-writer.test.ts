import { createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import type { ServerResponse } from '../contract.ts'
import { writeResponse, type Sent, type WriterOptions } from './response-writer.ts'

interface Outcome {
  readonly sent: Sent
  readonly headers: Record<string, unknown>
  readonly body: Buffer
}

/** Writes one answer to a real client. */
async function write(answer: ServerResponse, options: Partial<WriterOptions> = {}): Promise<Outcome> {
  const defaults = { clock: new FakeClock(), stallTimeoutMs: 1000, gzip: false, signal: new AbortController().signal }
  let writing: Promise<Sent> | undefined
  const server = createServer((_request, response) => {
    writing = writeResponse(response, answer, { ...defaults, ...options }).finally(() => response.end())
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const received = await new Promise<Omit<Outcome, 'sent'>>((done) => {
    get({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => done({ headers: response.headers, body: Buffer.concat(chunks) }))
    })
  })
  server.close()
  return { sent: await (writing as Promise<Sent>), ...received }
}

const json = (chunks: Buffer[]): ServerResponse => ({ status: 200, body: { type: 'json', chunks, parse: () => undefined } })
const CHUNKS = Array.from({ length: 3000 }, (_, i) => Buffer.from(`${i},`.repeat(20)))

test('many small chunks arrive whole, with their length', async () => {
  const { body, headers, sent } = await write(json(CHUNKS))
  expect(body.equals(Buffer.concat(CHUNKS))).toBe(true)
  expect(headers).toMatchObject({ 'content-length': String(body.length), 'content-type': 'application/json' })
  expect(sent.complete).toBe(true)
})

test('with gzip, answers above 128 KiB are compressed and smaller ones are not', async () => {
  const large = await write(json(CHUNKS), { gzip: true })
  expect(large.headers).toMatchObject({ 'content-encoding': 'gzip' })
  expect(large.headers['content-length']).toBeUndefined()
  expect(gunzipSync(large.body).equals(Buffer.concat(CHUNKS))).toBe(true)
  const small = await write(json(CHUNKS.slice(0, 10)), { gzip: true })
  expect(small.headers['content-encoding']).toBeUndefined()
})

test('events arrive in order, none twice', async () => {
  const lines = Array.from({ length: 5000 }, (_, i) => Buffer.from(`${i}\n`))
  async function* events(): AsyncGenerator<any> {
    for (const line of lines) yield { line }
    await new Promise((resolve) => setImmediate(resolve))
    yield { line: Buffer.from('last\n') }
  }
  const { body } = await write({ status: 200, body: { type: 'events', events: events() } })
  expect(body.toString()).toBe(`${Buffer.concat(lines).toString()}last\n`)
})

test('a stopped watch says that it is not complete, and keeps what was sent', async () => {
  const abort = new AbortController()
  let left = false
  async function* events(): AsyncGenerator<any> {
    try {
      yield { line: Buffer.from('one\n') }
      await new Promise((resolve) => setImmediate(resolve))
      await new Promise((resolve) => setImmediate(resolve))
      abort.abort()
      yield { line: Buffer.from('two\n') }
    } finally {
      left = true
    }
  }
  const { body, sent } = await write({ status: 200, body: { type: 'events', events: events() } }, { signal: abort.signal })
  expect(body.toString()).toBe('one\n')
  expect(sent.complete).toBe(false)
  expect(left).toBe(true)
})
