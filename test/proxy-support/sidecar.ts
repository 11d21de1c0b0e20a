/** Sidecars of a mesh in this process, on loopback addresses of their own; what they are told is written by the tests. */
import { generateKeyPairSync } from 'node:crypto'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { silentLogger, type Logger } from '../../src/base/log.ts'
import { createAuthority, issueLeaf, openAuthority, type MeshAuthority } from '../../src/control-plane/pki/mesh/index.ts'
import { EMPTY_SNAPSHOT, type ProxySnapshot } from '../../src/data-plane/proxy/config/index.ts'
import { createMeshTls, WorkloadIdentity, type WorkloadIdentityOptions } from '../../src/data-plane/proxy/identity/index.ts'
import { ProxyRuntime, type ConfigSource } from '../../src/data-plane/proxy/runtime/index.ts'
import { transport, type TransportName } from '../../src/data-plane/proxy/transport/index.ts'
import {
  INBOUND_PORT,
  OUTBOUND_PORT,
  type Cluster,
  type ClusterLoadAssignment,
  type Listener,
  type ProxySettings,
  type RouteConfiguration,
  type Secret,
  type SocketAddress,
} from '../../src/policy/traffic/model/index.ts'
import { createRequest, decodePem, encodePem } from '../../src/protocols/x509/index.ts'
import type { SignCertificateResponse } from '../../src/protocols/mesh-link.ts'

export const DOMAIN = 'mesh.test'
export const spiffeId = (account: string): string => `spiffe://${DOMAIN}/ns/shop/sa/${account}`
const HOUR_MS = 3_600_000

/** A trust domain with its authority. */
export class Mesh {
  readonly authority: MeshAuthority
  readonly trust: Readonly<Record<string, readonly string[]>>

  constructor(domain: string = DOMAIN) {
    const files = createAuthority({ trustDomain: domain, nowMs: Date.now() })
    this.authority = openAuthority(files, domain, Date.now())
    this.trust = { [domain]: [files.certificate] }
  }

  /** As the control plane signs. @param nowMs when; earlier: a certificate that has run out */
  sign(csr: string, id: string, nowMs: number = Date.now(), lifeMs: number = HOUR_MS): SignCertificateResponse {
    const der = decodePem(csr, 'CERTIFICATE REQUEST')
    const { certificate } = issueLeaf(this.authority, { csr: der, spiffeId: id, lifeMs, nowMs })
    return { certificate, trust: this.trust, spiffeId: id, issuer: this.authority.id }
  }

  /** Key and certificate of a workload, for clients and servers that are no sidecars. */
  pem(id: string, nowMs?: number, lifeMs?: number): { readonly cert: string; readonly key: string } {
    const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const csr = encodePem('CERTIFICATE REQUEST', createRequest({ subject: { commonName: '' } }, keys))
    return {
      cert: this.sign(csr, id, nowMs, lifeMs).certificate,
      key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    }
  }
}

export interface SidecarOptions {
  readonly address: string
  readonly account: string
  readonly mesh: Mesh
  readonly transport?: TransportName
  readonly clock?: Clock
  readonly log?: Logger
  readonly identity?: Partial<WorkloadIdentityOptions>
  readonly config?: ConfigSource
}

interface Parts {
  readonly listeners?: readonly Listener[]
  readonly routes?: readonly RouteConfiguration[]
  readonly clusters?: readonly Cluster[]
  readonly endpoints?: readonly ClusterLoadAssignment[]
  readonly secrets?: readonly Secret[]
  readonly settings?: Partial<ProxySettings>
}

/** Nothing more is to be had than what the test gives. */
const NOBODY: ConfigSource = { want() {}, release() {}, isMissing: () => true, status: { connected: false } }

/** One sidecar: takes TLS of the mesh at its address, and what the test says was intercepted. */
export class Sidecar {
  readonly address: string
  readonly identity: WorkloadIdentity
  readonly runtime: ProxyRuntime
  readonly #trust: Mesh['trust']
  /** Where the next connections that come to the ports of interception were going. */
  outboundTo: SocketAddress | undefined
  inboundTo: SocketAddress | undefined
  #snapshot: ProxySnapshot = EMPTY_SNAPSHOT

  constructor(options: SidecarOptions) {
    const { address, account, mesh, clock = systemClock, log = silentLogger, transport: name = 'raw', config = NOBODY } = options
    this.address = address
    this.#trust = mesh.trust
    this.identity = new WorkloadIdentity({
      sign: (csr) => Promise.resolve(mesh.sign(csr, spiffeId(account))),
      clock,
      random: Math.random,
      log,
      ...options.identity,
    })
    this.runtime = new ProxyRuntime({
      transport: transport(name),
      mesh: createMeshTls(this.identity),
      identity: () => this.identity.material?.spiffeId,
      config: () => config,
      place: {},
      clock,
      random: Math.random,
      log,
      service: account,
      originalDestination: ({ local }) => (local.port === OUTBOUND_PORT ? this.outboundTo : this.inboundTo),
    })
    this.identity.want({ spiffeId: spiffeId(account), issuer: mesh.authority.id })
  }

  async start(): Promise<this> {
    await this.identity.whenReady()
    await this.runtime.listenMesh(this.address)
    await this.runtime.listenIntercepted(this.address)
    return this
  }

  /** Takes what is given in addition to, or in place of, what was told before under the same names. */
  tell(parts: Parts): void {
    const { listeners, routes, clusters, endpoints, settings, secrets } = this.#snapshot
    const merged = <T extends { readonly name: string }>(
      map: ReadonlyMap<string, T>,
      more: readonly T[] | undefined,
    ): ReadonlyMap<string, T> => (more ? new Map([...map, ...more.map((one) => [one.name, one] as const)]) : map)
    this.#take({
      listeners: merged(listeners, parts.listeners),
      routes: merged(routes, parts.routes),
      clusters: merged(clusters, parts.clusters),
      endpoints: merged(endpoints, parts.endpoints),
      settings: parts.settings ? { ...PLAIN_SETTINGS, trust: this.#trust, ...settings, ...parts.settings } : settings,
      secrets: merged(secrets, parts.secrets),
    })
  }

  forget(type: 'listeners' | 'routes' | 'clusters' | 'endpoints', ...names: readonly string[]): void {
    const kept = new Map<string, never>([...this.#snapshot[type]].filter(([name]) => !names.includes(name)) as [])
    this.#take({ ...this.#snapshot, [type]: kept })
  }

  get intercepted(): { readonly outbound: SocketAddress; readonly inbound: SocketAddress } {
    return { outbound: { address: this.address, port: OUTBOUND_PORT }, inbound: { address: this.address, port: INBOUND_PORT } }
  }

  /** Value of a series as it is shown; 0 where there is none. */
  metric(name: string, labels = ''): number {
    const line = this.runtime.metrics
      .render()
      .split('\n')
      .find((text) => text.startsWith(name) && text.includes(labels))
    return line === undefined ? 0 : Number(line.slice(line.lastIndexOf(' ') + 1))
  }

  async close(): Promise<void> {
    await this.runtime.stopListening()
    this.identity.stop()
    await this.runtime.close()
  }

  #take(snapshot: ProxySnapshot): void {
    this.#snapshot = snapshot
    if (snapshot.settings) this.identity.setTrust(snapshot.settings.trust)
    this.runtime.update(snapshot)
  }
}

const PLAIN_SETTINGS: ProxySettings = {
  name: 'p.shop',
  trust: {},
  metrics: { profile: 'all', include: [], exclude: [], includeUnused: false, applications: [] },
  passthrough: 'all',
}
