// Simulated proxies: streams of delta xDS that confirm everything and understand nothing, fifty on a connection.
import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2'
import { createConnection } from 'node:net'
import { encodeDeltaRequest, type DeltaDiscoveryRequest } from '../../src/protocols/discovery/index.ts'
import { grpcFrame, GrpcReader } from '../../src/protocols/grpc-frames/index.ts'
import { PER_NODE, type Scale } from './scale.ts'
import { skim } from './skim.ts'

const PATH = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources'
const WINDOW = 4 * 1024 * 1024

export interface ClientOptions extends Scale {
  readonly typeUrl: string
  /** Subscribed by each proxy. */
  readonly names: readonly string[]
  /** Of the pods, by number; empty: nobody asks. */
  readonly uids: readonly string[]
  /** Proxies that bring along what the first one was told, as after a restart of the control plane. */
  readonly bring: boolean
}

/** What the parent is told. */
export type ClientNews =
  | { readonly type: 'synced'; readonly seconds: number; readonly megabytes: number }
  /** Monotonic nanoseconds at which each proxy had written its confirmation. */
  | { readonly type: 'changed'; readonly at: readonly number[] }
  | { readonly type: 'failed'; readonly reason: string }

const tell = (news: ClientNews): void => void process.send?.(news)

/** Runs until the parent goes. Each message from it: a change begins. */
export function runClients(options: ClientOptions): void {
  const { proxies, names } = options
  const start = process.hrtime.bigint()
  const held: Map<string, string> = new Map()
  let [bytes, synced] = [0, 0]
  let arrivals: number[] | undefined
  const sessions: ClientHttp2Session[] = []
  const sessionOf = (proxy: number): ClientHttp2Session => {
    const found = sessions[Math.floor(proxy / PER_NODE)]
    if (found) return found
    const session = connect('http://control-plane', {
      createConnection: () => createConnection(options.path),
      settings: { initialWindowSize: WINDOW },
    })
    session.on('connect', () => session.setLocalWindowSize(8 * WINDOW))
    session.on('error', (error: Error) => tell({ type: 'failed', reason: error.message }))
    sessions.push(session)
    return session
  }
  const ready = (): void => {
    if (++synced === 1) for (let i = 1; i < Math.min(proxies, 1 + AT_ONCE); i++) open(i)
    else if (synced + AT_ONCE - 1 < proxies) open(synced + AT_ONCE - 1)
    if (synced === proxies) tell({ type: 'synced', seconds: Number(process.hrtime.bigint() - start) / 1e9, megabytes: bytes / 1e6 })
  }
  const open = (proxy: number): void => {
    const uid = options.uids[proxy]
    const stream = sessionOf(proxy).request({
      ':method': 'POST',
      ':path': PATH,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...(uid === undefined ? {} : { authorization: `Bearer p${proxy}/${uid}` }),
    })
    const ended = (headers: Record<string, unknown>): void => {
      if (headers['grpc-status'] !== undefined)
        tell({ type: 'failed', reason: `${headers['grpc-status'] as string} ${headers['grpc-message'] as string}` })
    }
    stream.on('response', ended)
    stream.on('trailers', ended)
    stream.on('error', (error) => tell({ type: 'failed', reason: error.message }))
    const reader = new GrpcReader(256 * 1024 * 1024)
    const brings = options.bring && proxy > 0
    let missing = brings ? 0 : names.length
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      for (const message of reader.push(chunk)) {
        const { nonce, resources } = skim(message, proxy === 0 && missing > 0 ? held : undefined)
        send(stream, { typeUrl: options.typeUrl, responseNonce: nonce })
        if (missing > 0) {
          missing -= resources
          if (missing <= 0) ready()
        } else if (arrivals && arrivals.push(Number(process.hrtime.bigint())) === proxies) {
          tell({ type: 'changed', at: arrivals })
          arrivals = undefined
        }
      }
    })
    const node = { id: `p${proxy}.default`, cluster: 'bench', userAgent: 'bench' }
    const initialVersions = brings ? held : new Map<string, string>()
    send(stream, { typeUrl: options.typeUrl, node, subscribe: names, initialVersions })
    // nothing comes back where nothing has changed
    if (brings) setTimeout(ready, 5)
  }
  process.on('message', () => (arrivals = []))
  process.on('disconnect', () => process.exit(0))
  open(0)
}

/** Proxies that connect at the same time. */
const AT_ONCE = 32

function send(stream: ClientHttp2Stream, request: Partial<DeltaDiscoveryRequest>): void {
  const whole = { typeUrl: '', subscribe: [], unsubscribe: [], initialVersions: new Map(), responseNonce: '', ...request }
  stream.write(grpcFrame(encodeDeltaRequest(whole)))
}
