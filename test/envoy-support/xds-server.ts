/**
 * The smallest xDS server that a peer can be tested with: delta and state of the world over HTTP/2, on a TCP port or a unix socket. It sends what it is given, and
 * remembers what was acknowledged and refused; no debounce, no proof of anything else.
 */
import { createServer, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { decode, encode } from '../../src/protocols/xds/index.ts'

export interface Resource {
  readonly name: string
  readonly value: object
}
/** By full name of the type, without the host. */
export type Resources = ReadonlyMap<string, readonly Resource[]>

const ORDER = [
  'envoy.extensions.transport_sockets.tls.v3.Secret',
  'envoy.config.cluster.v3.Cluster',
  'envoy.config.endpoint.v3.ClusterLoadAssignment',
  'envoy.config.listener.v3.Listener',
  'envoy.config.route.v3.RouteConfiguration',
]
const WILDCARD = new Set(['envoy.config.cluster.v3.Cluster', 'envoy.config.listener.v3.Listener'])
const HOST = 'type.googleapis.com/'
const DISCOVERY = 'envoy.service.discovery.v3.'

export interface Answer {
  readonly node: string
  readonly type: string
  /** Absent: acknowledged. */
  readonly refused?: string
}

export interface XdsServer {
  /** `127.0.0.1:port` or the socket. */
  readonly target: string
  readonly port: number
  /** Names that were asked for, by type. */
  readonly asked: ReadonlyMap<string, ReadonlySet<string>>
  readonly answers: readonly Answer[]
  /** Sends what has changed to everybody. */
  set(resources: Resources): void
  /** Until each of these types has been answered since the last `set`, and throws if one was refused. */
  acknowledged(types: readonly string[], timeoutMs?: number): Promise<void>
  close(): Promise<void>
}

/** Frames of gRPC: a byte, four bytes of length, the message. */
function frames(onMessage: (message: Buffer) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0)
  return (chunk) => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= 5) {
      const length = rest.readUInt32BE(1)
      if (rest.length < 5 + length) return
      onMessage(rest.subarray(5, 5 + length))
      rest = rest.subarray(5 + length)
    }
  }
}

function frame(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

interface Subscription {
  wildcard: boolean
  readonly names: Set<string>
  /** What was sent, by name. */
  readonly sent: Map<string, string>
}

interface Request {
  node?: { id?: string }
  type_url?: string
  response_nonce?: string
  error_detail?: { message?: string }
  resource_names?: string[]
  resource_names_subscribe?: string[]
  resource_names_unsubscribe?: string[]
}

export async function startXdsServer(listen: { socket: string } | { port: number }): Promise<XdsServer> {
  let resources: Resources = new Map()
  let revision = 0
  let waiting: (() => void)[] = []
  const answers: (Answer & { revision: number })[] = []
  const asked = new Map<string, Set<string>>()
  const pushes = new Set<() => void>()
  const sessions = new Set<{ destroy(): void }>()

  const server = createServer()
  server.on('session', (session) => {
    sessions.add(session)
    session.on('close', () => sessions.delete(session))
    session.on('error', () => {})
  })
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {})
    const path = headers[':path'] ?? ''
    if (path.endsWith('/StreamLoadStats')) {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '12' }, { endStream: true })
      return
    }
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
    serve(stream, path.includes('/Delta'))
  })

  function serve(stream: ServerHttp2Stream, delta: boolean): void {
    const subscriptions = new Map<string, Subscription>()
    let node = '?'
    let nonce = 0
    const push = (): void => {
      if (stream.destroyed || stream.writableEnded) return
      for (const type of [...ORDER, ...subscriptions.keys()]) {
        const subscription = subscriptions.get(type)
        if (subscription) (delta ? sendDelta : sendWhole)(type, subscription)
      }
    }
    const wanted = (type: string, subscription: Subscription): readonly Resource[] =>
      (resources.get(type) ?? []).filter(({ name }) => subscription.wildcard || subscription.names.has(name))
    const versionOf = ({ value }: Resource): string => JSON.stringify(value)

    function sendDelta(type: string, subscription: Subscription): void {
      const list = wanted(type, subscription)
      const changed = list.filter((one) => subscription.sent.get(one.name) !== versionOf(one))
      const gone = [...subscription.sent.keys()].filter((name) => !list.some((one) => one.name === name))
      // endpoints again after clusters: a changed cluster waits for them
      if (type === ORDER[1] && changed.length > 0) subscriptions.get(ORDER[2] ?? '')?.sent.clear()
      if (changed.length === 0 && gone.length === 0) return
      for (const one of changed) subscription.sent.set(one.name, versionOf(one))
      for (const name of gone) subscription.sent.delete(name)
      nonce += 1
      stream.write(
        frame(
          encode(`${DISCOVERY}DeltaDiscoveryResponse`, {
            type_url: HOST + type,
            nonce: `${nonce}.${revision}`,
            resources: changed.map(({ name, value }) => ({
              name,
              version: String(revision),
              resource: { '@type': HOST + type, ...value },
            })),
            removed_resources: gone,
          }),
        ),
      )
    }

    function sendWhole(type: string, subscription: Subscription): void {
      const list = wanted(type, subscription)
      const version = JSON.stringify(list)
      if (subscription.sent.get('') === version || (list.length === 0 && !WILDCARD.has(type))) return
      subscription.sent.set('', version)
      nonce += 1
      stream.write(
        frame(
          encode(`${DISCOVERY}DiscoveryResponse`, {
            type_url: HOST + type,
            version_info: String(revision),
            nonce: `${nonce}.${revision}`,
            resources: list.map(({ value }) => ({ '@type': HOST + type, ...value })),
          }),
        ),
      )
    }

    const onRequest = (message: Buffer): void => {
      const request = decode(`${DISCOVERY}${delta ? 'Delta' : ''}DiscoveryRequest`, message) as Request
      node = request.node?.id ?? node
      const type = (request.type_url ?? '').slice(HOST.length)
      if (request.response_nonce) {
        const refused = request.error_detail ? { refused: request.error_detail.message ?? '' } : {}
        answers.push({ node, type, revision: Number(request.response_nonce.split('.')[1]), ...refused })
        for (const wake of waiting.splice(0)) wake()
      }
      const names = (delta ? request.resource_names_subscribe : request.resource_names) ?? []
      let subscription = subscriptions.get(type)
      if (!subscription) {
        subscription = { wildcard: names.length === 0 && WILDCARD.has(type), names: new Set(), sent: new Map() }
        subscriptions.set(type, subscription)
      }
      if (!delta && !subscription.wildcard && subscription.names.size !== names.length) {
        subscription.names.clear()
        subscription.sent.clear()
      }
      for (const name of names) {
        if (name === '*') subscription.wildcard = true
        else subscription.names.add(name)
        // asked for again: to be answered again
        if (delta) subscription.sent.delete(name)
        asked.set(type, (asked.get(type) ?? new Set()).add(name))
      }
      for (const name of request.resource_names_unsubscribe ?? []) {
        subscription.names.delete(name)
        subscription.sent.delete(name)
      }
      push()
    }
    pushes.add(push)
    stream.on('data', frames(onRequest))
    stream.on('close', () => pushes.delete(push))
    stream.on('end', () => stream.end())
  }

  await new Promise<void>((resolve, reject) => {
    server.on('error', reject)
    if ('socket' in listen) server.listen(listen.socket, resolve)
    else server.listen(listen.port, '127.0.0.1', resolve)
  })
  const port = 'socket' in listen ? 0 : (server.address() as AddressInfo).port
  return {
    target: 'socket' in listen ? listen.socket : `127.0.0.1:${port}`,
    port,
    asked,
    answers,
    set(next) {
      resources = next
      revision += 1
      for (const push of pushes) push()
    },
    async acknowledged(types, timeoutMs = 20_000) {
      const deadline = Date.now() + timeoutMs
      for (;;) {
        const now = answers.filter((answer) => answer.revision === revision)
        const bad = now.find(({ refused }) => refused !== undefined)
        if (bad) throw new Error(`${bad.node} refused ${bad.type}: ${bad.refused}`)
        const missing = types.filter((type) => !now.some((answer) => answer.type === type))
        if (missing.length === 0) return
        const left = deadline - Date.now()
        if (left <= 0) throw new Error(`nobody has answered ${missing.join(', ')} in ${timeoutMs} ms; answered: ${JSON.stringify(now)}`)
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, left)
          waiting.push(() => {
            clearTimeout(timer)
            resolve()
          })
        })
      }
    },
    async close() {
      waiting = []
      for (const session of sessions) session.destroy()
      await new Promise<void>((resolve) => void server.close(() => resolve()))
    },
  }
}
