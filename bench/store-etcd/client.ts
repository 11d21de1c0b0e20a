import { Buffer } from 'node:buffer'
import type { ClientHttp2Session } from 'node:http2'
import { connect } from 'node:http2'
import type { CasRequest, CasResponse } from './wire.ts'
import { decodeTxnResponse, encodeTxn, frame, unframe } from './wire.ts'

/** A gRPC client for KV/Txn on bare node:http2: one stream per call, spread over a few connections. */
export class EtcdClient {
  readonly #sessions: ClientHttp2Session[]
  #next = 0

  constructor(url: string, connections: number) {
    this.#sessions = Array.from({ length: connections }, () => connect(url, { settings: { initialWindowSize: 1 << 20 } }))
  }

  cas(request: CasRequest): Promise<CasResponse> {
    const session = this.#sessions[this.#next++ % this.#sessions.length] as ClientHttp2Session
    return new Promise((resolve, reject) => {
      const stream = session.request({
        ':method': 'POST',
        ':path': '/etcdserverpb.KV/Txn',
        'content-type': 'application/grpc',
        te: 'trailers',
      })
      const chunks: Buffer[] = []
      let status: unknown
      stream.on('response', (headers) => (status = headers['grpc-status']))
      stream.on('trailers', (headers) => (status = headers['grpc-status']))
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('error', reject)
      stream.on('end', () => {
        if (status !== '0') return reject(new Error(`gRPC status ${String(status)}`))
        resolve(decodeTxnResponse(unframe(Buffer.concat(chunks))))
      })
      stream.end(frame(encodeTxn(request)))
    })
  }

  close(): void {
    for (const session of this.#sessions) session.destroy()
  }
}
