import { createServer, type RequestListener } from 'node:http'
import { createServer as createHttp2Server, type ServerHttp2Stream, type IncomingHttpHeaders } from 'node:http2'
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { systemClock } from '../../../base/clock.ts'
import { grpcFrame, GrpcReader, grpcTrailers } from '../../../protocols/grpc-frames/index.ts'
import type { Cluster } from '../../../policy/traffic/model/index.ts'
import { ClusterManager } from '../clusters/index.ts'
import { openEndpoint, TimerWheel } from '../engine/index.ts'
import { MetricTable } from '../telemetry/metric-table.ts'
import { createInternalClient, type InternalClient } from './internal-client.ts'

/** Clusters with real connections, and servers for them; `close` ends all of it. */
export class ClientFixture {
  readonly wheel: TimerWheel = new TimerWheel(systemClock)
  readonly metrics: MetricTable = new MetricTable()
  readonly clusters: ClusterManager
  readonly client: InternalClient
  readonly #closing: (() => void)[] = []

  constructor() {
    this.clusters = new ClusterManager(
      {
        clock: systemClock,
        random: Math.random,
        place: {},
        clientTls: () => undefined,
        resolveHost: () => Promise.reject(new Error('none')),
        openEndpoint: (options) => openEndpoint(options, { clock: systemClock, wheel: this.wheel }),
      },
      this.metrics,
    )
    this.client = createInternalClient({ clusters: this.clusters, wheel: this.wheel })
  }

  cluster(name: string, ports: readonly number[], parts: Partial<Cluster> = {}): this {
    this.clusters.setCluster({
      name,
      discovery: { type: 'static', addresses: ports.map((port) => ({ address: '127.0.0.1', port })) },
      protocol: 'http',
      loadBalancer: { type: 'roundRobin' },
      limits: {},
      healthChecks: [],
      ...parts,
    })
    return this
  }

  async http(handler: RequestListener): Promise<number> {
    const server = createServer(handler)
    this.#closing.push(() => server.closeAllConnections())
    return this.#listen(server)
  }

  tcp(onConnection: (socket: Socket) => void): Promise<number> {
    const sockets = new Set<Socket>()
    const server = createTcpServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => {})
      onConnection(socket)
    })
    this.#closing.push(() => {
      for (const socket of sockets) socket.destroy()
    })
    return this.#listen(server)
  }

  /** A server of HTTP/2 without TLS. */
  http2(onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void): Promise<number> {
    const sockets = new Set<Socket>()
    const server = createHttp2Server()
    server.on('stream', (stream, headers) => {
      stream.on('error', () => {})
      onStream(stream, headers)
    })
    server.on('connection', (socket: Socket) => void sockets.add(socket))
    this.#closing.push(() => {
      for (const socket of sockets) socket.destroy()
    })
    return this.#listen(server as unknown as Server)
  }

  /** Answers calls of gRPC: with messages, or with a status. */
  grpc(
    handle: (
      path: string,
      messages: readonly Buffer[],
      headers: IncomingHttpHeaders,
    ) => readonly Uint8Array[] | { readonly code: number; readonly message?: string },
  ): Promise<number> {
    return this.http2((stream, headers) => {
      const reader = new GrpcReader()
      const messages: Buffer[] = []
      stream.on('data', (chunk: Buffer) => messages.push(...reader.push(chunk)))
      stream.on('end', () => {
        const answer = handle(String(headers[':path']), messages, headers)
        if ('code' in answer) {
          stream.respond(
            { ':status': 200, 'content-type': 'application/grpc', ...grpcTrailers(answer.code, answer.message) },
            { endStream: true },
          )
          return
        }
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
        stream.on('wantTrailers', () => stream.sendTrailers(grpcTrailers(0)))
        stream.end(Buffer.concat(answer.map((message) => grpcFrame(message))))
      })
    })
  }

  close(): void {
    this.clusters.close()
    for (const close of this.#closing.splice(0)) close()
  }

  async #listen(server: Server): Promise<number> {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    this.#closing.push(() => server.close())
    return (server.address() as AddressInfo).port
  }
}

/** The body of a request that a server has got. */
export async function textOf(stream: AsyncIterable<unknown>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}
