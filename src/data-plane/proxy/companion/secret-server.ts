import type { ServerHttp2Stream } from 'node:http2'
import { messageOf } from '../../../base/errors.ts'
import { decodeDiscoveryRequest, sotwEntry, sotwResponse } from '../../../protocols/discovery/index.ts'
import { grpcFrame, GrpcReader } from '../../../protocols/grpc-frames/index.ts'
import { refuseStream } from '../../node/mesh/join-streams.ts'
import { serveOnSocket, type SocketServerOptions } from './socket-server.ts'

const STREAM_SECRETS = '/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets'
const SECRET = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret'
/** gRPC's UNIMPLEMENTED. */
const UNIMPLEMENTED = '12'
const MAX_REQUEST_BYTES = 64 * 1024

/** Secrets by name, encoded. One that is not there yet is not answered: whoever asks waits. */
export type Secrets = ReadonlyMap<string, Uint8Array>

export type SecretServerOptions = Omit<SocketServerOptions, 'mode'>

export interface SecretServer {
  /** Gives them to all who have asked. */
  set(secrets: Secrets): void
  /** Names that were refused, with the reason of the last time. */
  readonly refused: ReadonlyMap<string, string>
  close(): Promise<void>
}

interface Asking {
  readonly stream: ServerHttp2Stream
  readonly nonces: { last: number }
  names: readonly string[]
  sent: string
}

/** Gives a data plane of this pod its identity and trust over SDS (state of the world), on a socket that only its own user may open. Source: Envoy API, SDS. */
export async function openSecretServer(options: SecretServerOptions): Promise<SecretServer> {
  const { log } = options
  const asking = new Set<Asking>()
  const refused = new Map<string, string>()
  let secrets: Secrets = new Map()
  let version = 0

  const give = (one: Asking): void => {
    const known = one.names.flatMap((name) => {
      const value = secrets.get(name)
      return value ? [value] : []
    })
    const state = `${version} ${one.names.join(' ')}`
    if (known.length === 0 || one.sent === state || one.stream.destroyed) return
    one.sent = state
    const entries = known.map((value) => sotwEntry(SECRET, value))
    one.stream.write(grpcFrame(sotwResponse({ versionInfo: String(version), typeUrl: SECRET, nonce: String(++one.nonces.last), entries })))
  }
  const serve = (stream: ServerHttp2Stream): void => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    const reader = new GrpcReader(MAX_REQUEST_BYTES)
    const one: Asking = { stream, nonces: { last: 0 }, names: [], sent: '' }
    asking.add(one)
    stream.on('close', () => asking.delete(one))
    stream.on('end', () => stream.end())
    stream.on('data', (chunk: Buffer) => {
      try {
        for (const message of reader.push(chunk)) {
          const { resourceNames, errorDetail } = decodeDiscoveryRequest(message)
          for (const name of resourceNames) {
            if (errorDetail) refused.set(name, errorDetail.message)
            else refused.delete(name)
          }
          if (errorDetail) log.error('the data plane refuses its identity', { names: resourceNames, reason: errorDetail.message })
          one.names = resourceNames
          give(one)
        }
      } catch (error) {
        log.warn('a request for secrets cannot be read', { error: messageOf(error) })
        stream.close()
      }
    })
  }
  const close = await serveOnSocket({ ...options, mode: 0o600 }, (stream, headers) => {
    if (headers[':path'] === STREAM_SECRETS) return serve(stream)
    refuseStream(stream, `no such method: ${headers[':path'] ?? ''}`, UNIMPLEMENTED)
  })
  return {
    set(next) {
      const isSame = next.size === secrets.size && [...next].every(([name, value]) => Buffer.from(secrets.get(name) ?? '').equals(value))
      if (isSame) return
      secrets = next
      version++
      for (const one of asking) give(one)
    },
    refused,
    close,
  }
}
