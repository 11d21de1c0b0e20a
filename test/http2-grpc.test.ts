import {
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientWritableStream,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type ServiceError,
  makeGenericClientConstructor,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type MiniProxy, startMiniProxy } from './http2-proxy/mini-proxy.ts'

const same = (value: Buffer): Buffer => value
const method = (path: string, requestStream: boolean, responseStream: boolean): ServiceDefinition[string] => ({
  path: `/test.Echo/${path}`,
  requestStream,
  responseStream,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
})
const DEFINITION: ServiceDefinition = {
  unary: method('Unary', false, false),
  collect: method('Collect', true, false),
  expand: method('Expand', false, true),
  chat: method('Chat', true, true),
  never: method('Never', false, false),
}
const LARGE = 20 * 1024 * 1024
const OPTIONS = { 'grpc.max_receive_message_length': LARGE, 'grpc.max_send_message_length': LARGE }

type Callback = (error: ServiceError | null, value?: Buffer) => void
interface EchoClient {
  unary(request: Buffer, metadata: Metadata, options: object, callback: Callback): { cancel(): void }
  never(request: Buffer, metadata: Metadata, options: object, callback: Callback): { cancel(): void }
  collect(callback: Callback): ClientWritableStream<Buffer>
  expand(request: Buffer): ClientReadableStream<Buffer>
  chat(): ClientDuplexStream<Buffer, Buffer>
  close(): void
}

describe('gRPC through the engine', () => {
  const server = new Server(OPTIONS)
  const cancelled = vi.fn<() => void>()
  let proxy: MiniProxy
  let client: EchoClient

  beforeAll(async () => {
    server.addService(DEFINITION, {
      unary(call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) {
        if (call.request.toString() === 'fail') {
          const metadata = new Metadata()
          metadata.set('why', 'asked')
          return done({ code: status.FAILED_PRECONDITION, details: 'as you like, ü', metadata })
        }
        done(null, call.request)
      },
      collect(call: ServerReadableStream<Buffer, Buffer>, done: sendUnaryData<Buffer>) {
        let size = 0
        call.on('data', (chunk: Buffer) => (size += chunk.length))
        call.on('end', () => done(null, Buffer.from(String(size))))
      },
      expand(call: ServerWritableStream<Buffer, Buffer>) {
        for (let i = 0; i < Number(call.request); i++) call.write(Buffer.alloc(10_000, i))
        call.end()
      },
      chat(call: ServerDuplexStream<Buffer, Buffer>) {
        call.on('data', (chunk: Buffer) => call.write(chunk))
        call.on('end', () => call.end())
      },
      never(call: ServerUnaryCall<Buffer, Buffer>) {
        call.on('cancelled', cancelled)
      },
    })
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound))),
    )
    proxy = await startMiniProxy(port)
    const Client = makeGenericClientConstructor(DEFINITION, 'Echo')
    client = new Client(`127.0.0.1:${proxy.port}`, credentials.createInsecure(), OPTIONS) as unknown as EchoClient
  })

  afterAll(async () => {
    client.close()
    await proxy.close()
    server.forceShutdown()
  })

  const unary = (request: Buffer, options: object = {}): Promise<Buffer> =>
    new Promise((resolve, reject) =>
      client.unary(request, new Metadata(), options, (error, value) => (error ? reject(error) : resolve(value as Buffer))),
    )
  const settled = (): Promise<void> => vi.waitFor(() => expect(proxy.endpoint.activeRequests).toBe(0))

  test('unary, 200 at once', async () => {
    const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => unary(Buffer.from(`message ${i}`))))
    expect(answers.map(String)).toEqual(answers.map((_, i) => `message ${i}`))
    await settled()
  })

  test('an error comes with its details and metadata', async () => {
    await expect(unary(Buffer.from('fail'))).rejects.toMatchObject({ code: status.FAILED_PRECONDITION, details: 'as you like, ü' })
    await settled()
  })

  test('a message of 10 MB both ways', async () => {
    const large = Buffer.alloc(10 * 1024 * 1024, 'x')
    expect((await unary(large)).equals(large)).toBe(true)
    await settled()
  })

  test('client streaming', async () => {
    const size = await new Promise<string>((resolve, reject) => {
      const call = client.collect((error, value) => (error ? reject(error) : resolve(String(value))))
      for (let i = 0; i < 200; i++) call.write(Buffer.alloc(10_000))
      call.end()
    })
    expect(size).toBe('2000000')
    await settled()
  })

  test('server streaming, in order', async () => {
    const chunks: number[] = []
    await new Promise((resolve, reject) => {
      const call = client.expand(Buffer.from('250'))
      call.on('data', (chunk: Buffer) => chunks.push(chunk[0] as number))
      call.on('end', resolve)
      call.on('error', reject)
    })
    expect(chunks).toEqual(Array.from({ length: 250 }, (_, i) => i))
    await settled()
  })

  test('both ways, answer by answer', async () => {
    const call = client.chat()
    const next = (): Promise<string> => new Promise((resolve) => call.once('data', (chunk: Buffer) => resolve(chunk.toString())))
    for (const text of ['one', 'two', 'three']) {
      const answer = next()
      call.write(Buffer.from(text))
      expect(await answer).toBe(text)
    }
    const ended = new Promise((resolve) => call.on('status', ({ code }) => resolve(code)))
    call.end()
    expect(await ended).toBe(status.OK)
    await settled()
  })

  test('a deadline ends the call here and there', async () => {
    cancelled.mockClear()
    const outcome = new Promise<ServiceError | null>((resolve) =>
      client.never(Buffer.alloc(0), new Metadata(), { deadline: Date.now() + 150 }, (error) => resolve(error)),
    )
    expect((await outcome)?.code).toBe(status.DEADLINE_EXCEEDED)
    await vi.waitFor(() => expect(cancelled).toHaveBeenCalled())
    await settled()
  })

  test('a call that is cancelled is cancelled upstream', async () => {
    cancelled.mockClear()
    const outcome = new Promise<ServiceError | null>((resolve) => {
      const call = client.never(Buffer.alloc(0), new Metadata(), {}, (error) => resolve(error))
      void vi.waitFor(() => expect(proxy.endpoint.activeRequests).toBe(1)).then(() => call.cancel())
    })
    expect((await outcome)?.code).toBe(status.CANCELLED)
    await vi.waitFor(() => expect(cancelled).toHaveBeenCalled())
    await settled()
  })

  test('an upstream that is not there is UNAVAILABLE, in trailers alone', async () => {
    const dead = await startMiniProxy(1)
    const Client = makeGenericClientConstructor(DEFINITION, 'Echo')
    const other = new Client(`127.0.0.1:${dead.port}`, credentials.createInsecure()) as unknown as EchoClient
    const outcome = new Promise<ServiceError | null>((resolve) =>
      other.unary(Buffer.from('x'), new Metadata(), {}, (error) => resolve(error)),
    )
    expect((await outcome)?.code).toBe(status.UNAVAILABLE)
    other.close()
    await dead.close()
  })
})
