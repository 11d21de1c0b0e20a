import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2'
import { Duplex } from 'node:stream'
import { endpointSlices } from '../../../api/discovery/v1/endpoint-slice.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import { services } from '../../../api/core/v1/service.ts'
import type { KindDefinition } from '../../../api/kind.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import type { FakeClock } from '../../../base/fake-clock.ts'
import type { Logger } from '../../../base/log.ts'
import { createMetrics } from '../../../base/metrics.ts'
import type { Client } from '../../../client/client.ts'
import { createInformerFactory } from '../../../client/informer-factory.ts'
import { PROXY_IMAGE, SIDECAR_CONTAINER, TYPE_URL, type ResourceType } from '../../../policy/traffic/model/index.ts'
import { decodeDeltaResponse, encodeDeltaRequest, type DeltaDiscoveryRequest } from '../../../protocols/discovery/index.ts'
import { grpcFrame, GrpcReader } from '../../../protocols/grpc-frames/index.ts'
import { REPORT_CALLS_PATH } from '../../../protocols/mesh-link.ts'
import { DELTA_PATH } from '../xds/index.ts'
import { MeshControl } from './mesh-control.ts'

/** A mesh's control plane for tests, on informers of its own. @param transformOf what these make of objects */
export async function startMesh(
  client: Client,
  clock: FakeClock,
  log: Logger,
  transformOf?: (kind: KindDefinition) => ((object: KubeObject) => KubeObject) | undefined,
): Promise<{ control: MeshControl; stop: () => Promise<void> }> {
  const stopping = new AbortController()
  const informers = createInformerFactory({ client, clock, log, random: () => 0, ...(transformOf ? { transformOf } : {}) })
  const control = new MeshControl({
    client,
    informers,
    // a token is the pod's name and uid in plain text
    identify: (token) => {
      const [namespace = '', name = '', uid = ''] = token.split('/')
      const claims = { namespace, serviceAccount: { name: 'default', uid: 's' }, pod: { name, uid } }
      return Promise.resolve(
        name === '' ? undefined : { ...claims, subject: '', audiences: [], expiresAtMs: Number.POSITIVE_INFINITY, id: '' },
      )
    },
    clock,
    metrics: createMetrics(),
    log,
  })
  const running = [informers.run(stopping.signal), control.run(informers.whenSynced(stopping.signal), stopping.signal)]
  await clock.advance(1_000)
  const stop = async (): Promise<void> => {
    stopping.abort()
    await Promise.all(running)
  }
  return { control, stop }
}

export interface PodOptions {
  readonly node?: string
  readonly ip?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  /** Default true. */
  readonly meshed?: boolean
  /** Default true. */
  readonly ready?: boolean
}

/** A pod of namespace `default` that runs. @returns its uid */
export async function putPod(client: Client, name: string, options: PodOptions = {}): Promise<string> {
  const { node = 'n1', ip = '10.0.0.1', labels = { app: name }, annotations = {}, meshed = true, ready = true } = options
  const sidecar = { name: SIDECAR_CONTAINER, image: PROXY_IMAGE, restartPolicy: 'Always' as const }
  const metadata = { name, namespace: 'default', labels: { ...labels }, annotations: { ...annotations } }
  const containers = [{ name: 'main', image: 'x', ports: [{ containerPort: 8080 }] }]
  const spec = { nodeName: node, containers, ...(meshed ? { initContainers: [sidecar] } : {}) }
  const made = await client.of(pods).create({ metadata, spec })
  const statuses = [{ name: SIDECAR_CONTAINER, ready, image: '', imageID: '', restartCount: 0 }]
  const status = { phase: 'Running', podIP: ip, podIPs: [{ ip }], ...(meshed ? { initContainerStatuses: statuses } : {}) }
  await client.of(pods).patch(name, { status }, { type: 'merge', namespace: 'default', subresource: 'status' })
  return made.metadata.uid ?? ''
}

/** A service of namespace `default`, and the addresses of its endpoints; pods are named `pod:address`. */
export async function putService(client: Client, name: string, clusterIP: string, addresses: readonly string[]): Promise<void> {
  await client.of(services).create({
    metadata: { name, namespace: 'default' },
    spec: { clusterIP, selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  })
  await client.of(endpointSlices).create({
    metadata: { name: `${name}-1`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: endpointsOf(addresses),
  })
}

/** Replaces the endpoints of a service of `putService`. */
export async function putEndpoints(client: Client, name: string, addresses: readonly string[]): Promise<void> {
  await client.of(endpointSlices).patch(`${name}-1`, { endpoints: endpointsOf(addresses) }, { type: 'merge', namespace: 'default' })
}

function endpointsOf(addresses: readonly string[]): { addresses: string[]; conditions: { ready: boolean } }[] {
  return addresses.map((text) => {
    const [pod, address = text] = text.includes(':') ? text.split(':') : [undefined, text]
    const targetRef = pod === undefined ? {} : { targetRef: { kind: 'Pod', namespace: 'default', name: pod } }
    return { addresses: [address], conditions: { ready: true }, nodeName: 'n1', ...targetRef }
  })
}

/** A proxy that takes everything it is told. */
export class TestProxy {
  /** Resources by type, then name. */
  readonly told: Map<string, Map<string, unknown>> = new Map()
  /** gRPC status that ended the stream. */
  status: string | undefined
  /** Whether responses are confirmed. */
  confirms = true
  /** Why a response is refused: nothing of it is taken then. */
  refuses: (type: string, values: readonly unknown[]) => string | undefined = () => undefined
  readonly #session: ClientHttp2Session
  readonly #stream: ClientHttp2Stream
  readonly #id: string
  readonly #token: string
  #unconfirmed: (() => void)[] = []

  constructor(control: MeshControl, options: { readonly node: string; readonly token: string; readonly id: string }) {
    const [near, far] = duplexPair()
    control.attach(options.node, far)
    this.#id = options.id
    this.#token = options.token
    this.#session = connect('http://control-plane', { createConnection: () => near })
    this.#session.on('error', () => {})
    this.#stream = this.#session.request({ ':method': 'POST', ':path': DELTA_PATH, authorization: `Bearer ${options.token}` })
    const reader = new GrpcReader(16 * 1024 * 1024)
    const ended = (headers: Record<string, unknown>): void => {
      if (headers['grpc-status'] !== undefined) this.status = `${headers['grpc-status'] as string} ${headers['grpc-message'] as string}`
    }
    this.#stream.on('response', ended)
    this.#stream.on('trailers', ended)
    this.#stream.on('error', () => {})
    this.#stream.on('data', (chunk: Buffer) => {
      for (const message of reader.push(chunk)) this.#receive(message)
    })
  }

  want(type: ResourceType, ...names: string[]): void {
    this.#send({ typeUrl: TYPE_URL[type], subscribe: names, node: { id: this.#id, cluster: '', userAgent: '' } })
  }

  /** Sends a report of connections. @returns the answer, or the gRPC status that refused it */
  report(body: string): Promise<string> {
    const stream = this.#session.request({ ':method': 'POST', ':path': REPORT_CALLS_PATH, authorization: `Bearer ${this.#token}` })
    return new Promise((resolve) => {
      const reader = new GrpcReader(1024 * 1024)
      let answer = ''
      stream.on('response', (headers) => {
        if (headers['grpc-status'] !== undefined) answer = `${headers['grpc-status'] as string} ${headers['grpc-message'] as string}`
      })
      stream.on('data', (chunk: Buffer) => (answer += reader.push(chunk).join()))
      stream.on('error', () => {})
      stream.on('close', () => resolve(answer))
      stream.end(grpcFrame(Buffer.from(body)))
    })
  }

  /** Sends the confirmations that were held back. */
  confirm(): void {
    this.confirms = true
    for (const send of this.#unconfirmed.splice(0)) send()
  }

  of(type: ResourceType): ReadonlyMap<string, unknown> {
    return this.told.get(TYPE_URL[type]) ?? new Map()
  }

  close(): void {
    this.#stream.close(constants.NGHTTP2_CANCEL)
    this.#session.close()
  }

  #receive(message: Buffer): void {
    const { typeUrl, nonce, resources, removed } = decodeDeltaResponse(message)
    const known = this.told.get(typeUrl) ?? new Map<string, unknown>()
    this.told.set(typeUrl, known)
    const values = resources.map(({ name, value }) => [name, JSON.parse(value.toString()) as unknown] as const)
    const refusal = this.refuses(
      typeUrl,
      values.map(([, value]) => value),
    )
    if (refusal === undefined) {
      for (const [name, value] of values) known.set(name, value)
      for (const name of removed) known.delete(name)
    }
    const errorDetail = refusal === undefined ? {} : { errorDetail: { code: 3, message: refusal } }
    const answer = (): void => this.#send({ typeUrl, responseNonce: nonce, ...errorDetail })
    if (this.confirms) answer()
    else this.#unconfirmed.push(answer)
  }

  #send(request: Partial<DeltaDiscoveryRequest>): void {
    const whole = { typeUrl: '', subscribe: [], unsubscribe: [], initialVersions: new Map(), responseNonce: '', ...request }
    this.#stream.write(grpcFrame(encodeDeltaRequest(whole)))
  }
}

/** Lets sockets and the clock go on until something holds. */
export async function until(clock: FakeClock, holds: () => boolean, what = 'it'): Promise<void> {
  for (let turns = 0; !holds(); turns++) {
    if (turns > 2_000) throw new Error(`${what} did not come to hold`)
    await clock.advance(5)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Two ends of a connection in memory. */
function duplexPair(): readonly [Duplex, Duplex] {
  class End extends Duplex {
    other: End | undefined
    override _read(): void {}
    override _write(chunk: Buffer, _encoding: string, done: () => void): void {
      setImmediate(() => {
        if (this.other && !this.other.destroyed) this.other.push(chunk)
        done()
      })
    }
    override _final(done: () => void): void {
      this.other?.push(null)
      done()
    }
    override _destroy(_error: Error | null, done: () => void): void {
      this.other?.push(null)
      setImmediate(() => this.other?.destroy())
      done()
    }
  }
  const [a, b] = [new End(), new End()]
  a.other = b
  b.other = a
  return [a, b]
}
