/** As much of a control plane as one proxy needs, on a unix socket: gives what the test tells it to, and signs. */
import { createHash } from 'node:crypto'
import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import { RESOURCE_ORDER, TYPE_URL, type Resource, type ResourceType } from '../../src/policy/traffic/model/index.ts'
import { decodeDeltaRequest, deltaEntry, deltaResponse } from '../../src/protocols/discovery/index.ts'
import { grpcFrame, GrpcReader } from '../../src/protocols/grpc-frames/index.ts'
import {
  REPORT_CALLS_PATH,
  SIGN_CERTIFICATE_PATH,
  type CallReportAnswer,
  type SignCertificateRequest,
  type SignCertificateResponse,
} from '../../src/protocols/mesh-link.ts'

interface Subscriber {
  readonly stream: ServerHttp2Stream
  readonly names: Map<string, Set<string>>
}

export class ControlPlane {
  readonly path: string
  /** Reasons why proxies have refused what they were told. */
  readonly refusals: string[] = []
  readonly #sign: (csr: string) => SignCertificateResponse
  readonly #resources: Map<ResourceType, Map<string, Resource>> = new Map(RESOURCE_ORDER.map((type) => [type, new Map()]))
  readonly #subscribers = new Set<Subscriber>()
  readonly #sessions = new Set<ServerHttp2Session>()
  #server: Http2Server | undefined
  #nonce = 0

  constructor(path: string, sign: (csr: string) => SignCertificateResponse) {
    this.path = path
    this.#sign = sign
  }

  async start(): Promise<this> {
    const server = createServer()
    server.on('session', (session) => {
      this.#sessions.add(session)
      session.on('error', () => {}).on('close', () => this.#sessions.delete(session))
    })
    server.on('stream', (stream, headers) => {
      stream.on('error', () => {})
      if (headers[':path'] === SIGN_CERTIFICATE_PATH) answerJson(stream, (asked) => this.#sign((asked as SignCertificateRequest).csr))
      else if (headers[':path'] === REPORT_CALLS_PATH) answerJson(stream, (): CallReportAnswer => ({ epoch: 'test' }))
      else this.#subscribe(stream)
    })
    await new Promise<void>((resolve) => server.listen(this.path, resolve))
    this.#server = server
    return this
  }

  /** Dies: connections break, nobody answers. */
  async stop(): Promise<void> {
    for (const session of this.#sessions) session.destroy()
    await new Promise((resolve) => (this.#server ? this.#server.close(resolve) : resolve(undefined)))
    this.#server = undefined
  }

  tell(parts: { readonly [type in ResourceType]?: readonly Resource[] }): void {
    for (const type of RESOURCE_ORDER) {
      const changed = parts[type] ?? []
      if (changed.length === 0) continue
      for (const one of changed) this.#resources.get(type)?.set(one.name, one)
      const names = changed.map(({ name }) => name)
      for (const subscriber of this.#subscribers) {
        const asked = subscriber.names.get(TYPE_URL[type])
        this.#send(
          subscriber,
          type,
          names.filter((name) => asked?.has(name)),
        )
      }
    }
  }

  #subscribe(stream: ServerHttp2Stream): void {
    const reader = new GrpcReader()
    const subscriber: Subscriber = { stream, names: new Map() }
    this.#subscribers.add(subscriber)
    stream.on('close', () => this.#subscribers.delete(subscriber))
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
    stream.on('data', (chunk: Buffer) => {
      for (const message of reader.push(chunk)) this.#asked(subscriber, message)
    })
  }

  #asked(subscriber: Subscriber, message: Uint8Array): void {
    const { typeUrl, subscribe, unsubscribe, errorDetail } = decodeDeltaRequest(Buffer.from(message))
    if (errorDetail) this.refusals.push(errorDetail.message)
    const type = RESOURCE_ORDER.find((one) => TYPE_URL[one] === typeUrl)
    if (!type) return
    const names = subscriber.names.get(typeUrl) ?? new Set()
    subscriber.names.set(typeUrl, names)
    for (const name of subscribe) names.add(name)
    for (const name of unsubscribe) names.delete(name)
    this.#send(subscriber, type, subscribe)
  }

  #send({ stream }: Subscriber, type: ResourceType, names: readonly string[]): void {
    if (names.length === 0 || stream.destroyed) return
    const values = names.map((name) => [name, this.#resources.get(type)?.get(name)] as const)
    const typeUrl = TYPE_URL[type]
    stream.write(
      grpcFrame(
        deltaResponse({
          typeUrl,
          nonce: String(++this.#nonce),
          removed: values.flatMap(([name, value]) => (value ? [] : [name])),
          entries: values.flatMap(([name, value]) => {
            if (!value) return []
            const text = JSON.stringify(value)
            return [deltaEntry({ name, version: createHash('sha256').update(text).digest('hex'), typeUrl, value: Buffer.from(text) })]
          }),
        }),
      ),
    )
  }
}

/** A method with one message each way, of JSON. */
function answerJson(stream: ServerHttp2Stream, answer: (asked: unknown) => object): void {
  const reader = new GrpcReader()
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  stream.on('data', (chunk: Buffer) => {
    for (const message of reader.push(chunk)) stream.end(grpcFrame(Buffer.from(JSON.stringify(answer(JSON.parse(message.toString()))))))
  })
}
