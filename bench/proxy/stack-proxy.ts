import { randomUUID, X509Certificate } from 'node:crypto'
import { systemClock } from '../../src/base/clock.ts'
import { ClusterManager } from '../../src/data-plane/proxy/clusters/index.ts'
import type { ClientTls, DownstreamTlsInfo } from '../../src/data-plane/proxy/contract.ts'
import { openEndpoint, serveHttp, TimerWheel } from '../../src/data-plane/proxy/engine/index.ts'
import { createMeshTls, MESH_PROTOCOLS, type MeshTls } from '../../src/data-plane/proxy/identity/mesh-tls.ts'
import { buildHttpStack } from '../../src/data-plane/proxy/layers/index.ts'
import { AccessLogger, compileLogFormat, LogWriter, MetricTable, openFileSink } from '../../src/data-plane/proxy/telemetry/index.ts'
import { chooseTransport } from '../../src/data-plane/proxy/transport/choose-transport.ts'
import { DEFAULT_ACCESS_LOG_FORMAT, MESH_ALPN, type Cluster, type HttpConnectionManager } from '../../src/policy/traffic/model/index.ts'
import { IDENTITY, readCertificates, TRUST_DOMAIN } from './certificates.ts'
import { DENIED_HEADER, routeName, routePrefix, ROUTES } from './work.ts'

/** A proxy of the real stack, from values that stand still instead of a control plane. */
export interface StackOptions {
  readonly port: number
  readonly upstreamPort: number
  /** Of the client in plain text; a client in TLS says by ALPN. */
  readonly downstream: 'http1' | 'http2'
  readonly upstream: 'http' | 'http2'
  /** Where certificates.ts has put certificates; absent: no TLS. */
  readonly certificates?: string
  /** The client's side, or the upstream's, is mutual TLS of the mesh. */
  readonly tls?: 'in' | 'out'
  /** Access log; absent: none is written. */
  readonly log?: string
  /** Clusters of three endpoints that nobody asks for. */
  readonly idleClusters?: number
}

/** Until the process is ended. */
export async function runStackProxy(options: StackOptions): Promise<void> {
  const wheel = new TimerWheel(systemClock)
  const transport = await chooseTransport(undefined, (problem) => process.stderr.write(`no raw connections: ${problem}\n`))
  const metrics = new MetricTable()
  const mesh = options.certificates === undefined ? undefined : meshOf(options)
  const clusters = new ClusterManager(
    {
      clock: systemClock,
      random: Math.random,
      place: {},
      openEndpoint: (upstream) => openEndpoint(upstream, { clock: systemClock, wheel, transport }),
      clientTls: ({ tls }) => (tls?.mode === 'mesh' && mesh ? () => clientTls(mesh, tls.identities) : undefined),
      resolveHost: () => Promise.reject(new Error('nothing is resolved here')),
    },
    metrics,
  )
  configure(clusters, options)
  const writer = options.log === undefined ? undefined : new LogWriter({ sink: openFileSink(options.log) })
  const format = compileLogFormat({ type: 'text', text: DEFAULT_ACCESS_LOG_FORMAT })
  const service = buildHttpStack(MANAGER, routesOf(), {
    direction: options.tls === 'out' ? 'outbound' : options.tls === 'in' ? 'inbound' : 'gateway',
    clusters,
    metrics,
    clock: systemClock,
    random: Math.random,
    makeId: randomUUID,
    identity: () => IDENTITY,
    accessLoggers: writer ? [new AccessLogger(format, writer, systemClock)] : [],
    createTracingLayer: () => (inner) => inner,
    createFilterLayer: ({ type }) => {
      throw new Error(`no filter ${type} here`)
    },
    claimsOf: () => undefined,
    startMirror: () => ({ write() {} }),
  })
  // an orderly end, so that --cpu-prof has its say
  process.once('SIGTERM', () => process.exit(0))
  const parts = { clock: systemClock, wheel }
  await transport.listen({ host: '127.0.0.1', port: options.port }, (accepted) => {
    if (options.tls !== 'in') {
      serveHttp(accepted.plain(), { ...parts, protocol: options.downstream }, service)
      return
    }
    const context = mesh?.serverContext()
    if (!context || !mesh) throw new Error('no certificates were given')
    accepted.secure({ context, alpn: MESH_PROTOCOLS, clientCertificate: 'require', handshakeTimeoutMs: 5_000 }).then(
      (connection) => {
        const { version = '', cipher = '', alpn = '', peer } = connection.tls ?? {}
        const tls: DownstreamTlsInfo = { version, cipher, alpn, ...(peer ? { peer: mesh.identify(peer) } : {}) }
        serveHttp(connection, { ...parts, tls, protocol: alpn === MESH_ALPN.http2 ? 'http2' : 'http1' }, service)
      },
      () => accepted.destroy(),
    )
  })
}

const MANAGER: HttpConnectionManager = {
  statPrefix: 'bench',
  routes: 'bench',
  filters: [
    {
      type: 'rbac',
      name: 'rbac',
      rbac: {
        deny: [{ name: 'denied', principals: [], requests: [{ headers: [{ name: DENIED_HEADER, value: { exact: 'yes' } }] }] }],
        shadowDeny: [],
        allow: [{ name: 'local', principals: [{ sourceIps: ['127.0.0.0/8'] }], requests: [] }],
        otherwise: 'deny',
      },
    },
  ],
  timeouts: {},
  accessLogs: [],
  appendForwardedFor: true,
}

const routesOf = (): Parameters<typeof buildHttpStack>[1] => ({
  name: 'bench',
  virtualHosts: [
    {
      name: 'all',
      domains: ['*'],
      routes: Array.from({ length: ROUTES }, (_, i) => ({
        name: routeName(i),
        match: { path: { prefix: routePrefix(i) } },
        action: { type: 'forward', clusters: [{ cluster: 'app', weight: 1 }] },
      })),
    },
  ],
})

const PLAIN: Omit<Cluster, 'name' | 'discovery'> = {
  protocol: 'http',
  loadBalancer: { type: 'roundRobin' },
  limits: {},
  healthChecks: [],
}

function configure(clusters: ClusterManager, { upstreamPort, upstream, tls, idleClusters = 0 }: StackOptions): void {
  clusters.setCluster({
    ...PLAIN,
    name: 'app',
    protocol: upstream,
    discovery: { type: 'eds', name: 'app' },
    ...(tls === 'out' ? { tls: { mode: 'mesh', identities: [IDENTITY] } } : {}),
  })
  clusters.setAssignment({
    name: 'app',
    endpoints: [
      { address: { address: '127.0.0.1', port: upstreamPort }, state: 'ready', ...(tls === 'out' ? { identity: IDENTITY } : {}) },
    ],
  })
  for (let i = 0; i < idleClusters; i++) {
    const name = `outbound|80||service-${i}.shop`
    clusters.setCluster({ ...PLAIN, name, discovery: { type: 'eds', name } })
    const endpoints = Array.from({ length: 3 }, (_, at) => ({
      address: { address: `10.${i >> 8}.${i & 255}.${at}`, port: 8080 },
      state: 'ready' as const,
    }))
    clusters.setAssignment({ name, endpoints })
  }
}

function clientTls(mesh: MeshTls, accepts: readonly string[]): ClientTls {
  const made = mesh.clientTls({ serverName: 'p9080.mesh.biplane', alpn: [MESH_ALPN.http2], accepts })
  if (!made) throw new Error('no identity')
  return made
}

function meshOf({ certificates }: StackOptions): MeshTls {
  const { certificate, privateKey, ca } = readCertificates(certificates as string)
  const trust = new Map([[TRUST_DOMAIN, [new X509Certificate(ca)]]])
  const notAfterMs = Date.parse(new X509Certificate(certificate).validTo)
  return createMeshTls({ material: { certificate, privateKey, spiffeId: IDENTITY, notAfterMs }, trust, onChange: () => () => undefined })
}
