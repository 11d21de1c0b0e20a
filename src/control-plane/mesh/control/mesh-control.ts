import { performServerHandshake, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { Clock, Timer } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import type { Metrics } from '../../../base/metrics.ts'
import type { Client } from '../../../client/client.ts'
import type { InformerFactory, Lister } from '../../../client/cache.ts'
import type { Pod } from '../../../api/generated/types.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import type { CompiledProxy } from '../../../policy/traffic/compile/index.ts'
import type { Finding, ProxyView } from '../../../policy/traffic/input/index.ts'
import { INTERCEPTION_ANNOTATION, isHosted, originName, proxyName } from '../../../policy/traffic/model/index.ts'
import { REPORT_CALLS_PATH } from '../../../protocols/mesh-link.ts'
import type { VerifiedToken } from '../../pki/index.ts'
import { MeshAuthorities, secretAuthorityStore } from '../../pki/mesh/index.ts'
import { envoyGenerator } from '../envoy/index.ts'
import { grpcGenerator } from '../grpc/index.ts'
import { authenticateProxy, signCertificate, type ProxyIdentity } from '../identity/index.ts'
import { biplaneGenerator, SnapshotStore, XdsServer, type StreamIdentity } from '../xds/index.ts'
import { WorldBuilder, type BuiltWorld } from './build-world.ts'
import { CallLedger } from './call-ledger.ts'
import { answerCallReport } from './call-reports.ts'
import { Compilers } from './compilers.ts'
import { concernsMesh } from './concerns-mesh.ts'
import { addMeshGauges } from './mesh-gauges.ts'
import { openMeshLists, type MeshLists } from './mesh-lists.ts'
import { distinctFindings } from './distinct-findings.ts'
import { Quarantine } from './quarantine.ts'
import { Refusals } from './refusals.ts'

export interface MeshControlOptions {
  readonly client: Client
  readonly informers: InformerFactory
  /** Who a token is for; see createTokenIssuer. */
  readonly identify: (token: string, audience: string) => Promise<VerifiedToken | undefined>
  readonly clock: Clock
  readonly metrics: Metrics
  readonly log: Logger
  /** Default `cluster.local`. */
  readonly clusterDomain?: string
}

/** The first change is compiled at once, those that follow in its wake together. */
const SETTLE_MS = 20
const CONFIRM_MS = 100
/** Of one connection, which streams of many proxies share; what waits to be sent is bounded for all connections together. */
const SESSION_MEMORY_MB = 512

/** The mesh's control plane: objects in, configuration of proxies out, and what has become of it. */
export class MeshControl {
  readonly xds: XdsServer
  readonly #options: MeshControlOptions
  /** Says which run of the control plane this is. */
  readonly #epoch: string
  readonly #lists: MeshLists
  /** Who was seen to call whom. */
  readonly ledger: CallLedger = new CallLedger()
  /** Policies and routes that clients have refused. */
  readonly quarantine: Pick<Quarantine, 'of' | 'size'>
  readonly #quarantine: Quarantine = new Quarantine()
  readonly #builder: WorldBuilder
  readonly #snapshots: SnapshotStore
  readonly #authorities = new Map<string, MeshAuthorities>()
  readonly #nodes = new WeakMap<ServerHttp2Session, string>()
  readonly #identities = new WeakMap<StreamIdentity, ProxyIdentity>()
  #built: BuiltWorld | undefined
  #compilers: Compilers | undefined
  #compiled: ReadonlyMap<string, CompiledProxy> = new Map()
  /** Undefined: not put together yet. */
  #findings: readonly Finding[] | undefined = []
  #proxies: ReadonlyMap<string, ProxyView> = new Map()
  #timer: Timer | undefined
  #confirmTimer: Timer | undefined
  #lastMs = Number.NEGATIVE_INFINITY
  #started = false
  #problem: string | undefined
  #refusals = 0
  readonly #stopJudging: () => void
  readonly #listeners = new Set<() => void>()

  constructor(options: MeshControlOptions) {
    this.#options = options
    this.quarantine = this.#quarantine
    const { clock, metrics, log } = options
    this.#epoch = clock.now().toString(36)
    this.#lists = openMeshLists(options.informers, (kind, next, previous) => {
      if (!concernsMesh(kind, next, previous)) return
      this.#builder.changed(kind, next, previous)
      this.#changed()
    })
    this.#builder = new WorldBuilder(this.#lists, options.clusterDomain ?? 'cluster.local')
    this.#snapshots = new SnapshotStore([
      biplaneGenerator,
      envoyGenerator({ proxy: (name) => ({ interception: this.#interceptionOf(name), place: this.#placeOf(name) }) }),
      grpcGenerator({ place: (name) => this.#placeOf(name), domain: options.clusterDomain ?? 'cluster.local' }),
    ])
    this.xds = new XdsServer({
      source: this.#snapshots,
      clock,
      metrics,
      log,
      authenticate: (session, headers) => this.#authenticate(session, headers),
      kindOf: (proxy) => this.#proxies.get(proxy)?.dataPlane ?? 'biplane',
      signCertificate: (identity, body) => this.#sign(identity, body),
      quarantine: (origins, kind, reason) => {
        this.#refusals++
        judged.note({ origins, kind, reason })
      },
    })
    const judged = new Refusals({
      clock,
      quarantine: this.#quarantine,
      isRefused: (origin) => this.xds.truth.of(origin).refused.length > 0,
      onChange: ({ kind, origins, reason }) => {
        log.warn('what proxies have refused is looked for: a policy or route is left out', {
          kind,
          origins: origins.slice(0, 10).map(originName),
          reason,
        })
        this.#changed()
      },
    })
    this.#stopJudging = () => judged.stop()
    addMeshGauges(metrics, {
      proxies: () => this.#proxies.values(),
      truths: () => this.xds.view(),
      quarantined: () => this.#quarantine.size,
      isCompiled: () => this.#started && this.#problem === undefined,
    })
    this.#snapshots.onChange((change) => this.xds.truth.changed(change))
    this.xds.truth.onChange(() => {
      this.#confirmSoon()
      this.#tell()
    })
  }

  /** Whether objects have changed that are not compiled yet. */
  get isDue(): boolean {
    return !this.#started || this.#timer !== undefined
  }

  /** Why what is compiled is not what the objects say; undefined: it is. */
  get problem(): string | undefined {
    return this.#problem
  }

  /** How often proxies have refused anything. */
  get refusals(): number {
    return this.#refusals
  }

  /** Called after everything was compiled again, and after proxies have come, gone, confirmed or refused: often. Returns how to stop. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** What is compiled now; undefined before the first time. */
  get built(): BuiltWorld | undefined {
    return this.#built
  }

  /** What authors of objects should know, each said once. */
  get findings(): readonly Finding[] {
    return (this.#findings ??= distinctFindings([
      this.#built?.findings ?? [],
      ...(this.#compilers?.findings ?? []),
      ...[...this.#compiled.values()].map(({ findings }) => findings),
    ]))
  }

  get proxies(): ReadonlyMap<string, ProxyView> {
    return this.#proxies
  }

  /** Configuration of a proxy as it was compiled. */
  compiled(name: string): CompiledProxy | undefined {
    return this.#compiled.get(name)
  }

  /** Compiles proxies as those that are connected are compiled; undefined before the first time. */
  get compiler(): Pick<Compilers, 'compile'> | undefined {
    return this.#compilers
  }

  /** All pods, those without a proxy too. */
  get pods(): Lister<Pod> {
    return this.#lists.pods
  }

  /** Objects of Kuma's kinds and the mesh's own policies, but for those that are being deleted. */
  objects(): readonly KubeObject[] {
    return this.#lists.meshObjects()
  }

  /** The authorities of the trust domain in use. */
  get authorities(): MeshAuthorities | undefined {
    return this.#authorities.get(this.#built?.world.mesh.trustDomain ?? '')
  }

  /** Takes over a connection on which a node's agent relays the streams of its proxies. */
  attach(node: string, socket: Duplex): void {
    const session = performServerHandshake(socket, { maxSessionMemory: SESSION_MEMORY_MB }) as unknown as ServerHttp2Session
    this.#nodes.set(session, node)
    session.on('error', (error: Error) => this.#options.log.debug('mesh link failed', { node, error: messageOf(error) }))
    session.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      if (headers[':path'] === REPORT_CALLS_PATH) this.#callReport(session, stream, headers)
      else this.xds.handle(stream, headers)
    })
  }

  /** Runs until the signal aborts; the informers must be running. @param synced resolves when all have their first list */
  async run(synced: Promise<void>, signal: AbortSignal): Promise<void> {
    await Promise.race([synced, aborted(signal)])
    if (signal.aborted) return
    this.#started = true
    this.#compile()
    await aborted(signal)
    this.#timer?.cancel()
    this.#confirmTimer?.cancel()
    this.#stopJudging()
    for (const authorities of this.#authorities.values()) authorities.stop()
    this.xds.close()
  }

  #changed(): void {
    if (!this.#started || this.#timer) return
    const { clock } = this.#options
    const waitMs = Math.max(0, this.#lastMs + SETTLE_MS - clock.monotonic())
    this.#timer = clock.after(waitMs, () => {
      this.#timer = undefined
      this.#compile()
    })
  }

  /** All of it or nothing: what cannot be built, compiled or encoded leaves proxies with what they have. */
  #compile(): void {
    const { clock, log } = this.#options
    const before = this.#proxies
    try {
      const built = this.#builder.build((domain) => this.#trustOf(domain))
      const { policies, routes } = built.world
      if (policies !== this.#built?.world.policies || routes !== this.#built.world.routes) {
        this.#quarantine.observe([...policies, ...routes].map(({ origin }) => origin))
      }
      const compilers = new Compilers(built.world, this.#quarantine, this.#compilers)
      const compiled = new Map(built.proxies.map((proxy) => [proxy.name, compilers.compile(proxy)]))
      const gone = [...before.keys()].filter((name) => !compiled.has(name))
      // generators ask for the proxies of now
      this.#proxies = built.proxies === this.#built?.proxies ? before : new Map(built.proxies.map((proxy) => [proxy.name, proxy]))
      this.#snapshots.apply(
        built.proxies.map(({ name: proxy, dataPlane: kind }) => {
          const { own, shared } = compiled.get(proxy) as CompiledProxy
          return { proxy, kind, own, shared }
        }),
        gone,
      )
      this.#built = built
      this.#compilers = compilers
      this.#compiled = compiled
      this.#findings = undefined
      this.#problem = undefined
      for (const name of gone) {
        this.xds.truth.forget(name)
        this.ledger.forget(name)
      }
    } catch (error) {
      this.#proxies = before
      this.#problem = messageOf(error)
      log.error('the mesh could not be compiled; proxies keep what they have', { error: messageOf(error) })
    }
    this.#lastMs = clock.monotonic()
    this.#tell()
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }

  /** A rotation of authorities waits for proxies; each of them confirms several things in a moment. */
  #confirmSoon(): void {
    if (this.#confirmTimer) return
    const { clock, log } = this.#options
    this.#confirmTimer = clock.after(CONFIRM_MS, () => {
      this.#confirmTimer = undefined
      for (const authorities of this.#authorities.values()) {
        authorities.confirm().catch((error: unknown) => log.error('the rotation of authorities failed', { error: messageOf(error) }))
      }
    })
  }

  /** Authorities are made when a trust domain is first named; the world is compiled again once they are there. */
  #trustOf(trustDomain: string): { bundle: readonly string[]; issuer: string } | undefined {
    const { client, clock, log } = this.#options
    let authorities = this.#authorities.get(trustDomain)
    if (!authorities) {
      authorities = new MeshAuthorities({
        trustDomain,
        store: secretAuthorityStore(client, trustDomain),
        clock,
        log,
        unconfirmed: () => this.#unconfirmed(),
      })
      this.#authorities.set(trustDomain, authorities)
      authorities.onChange(() => this.#changed())
      authorities
        .start()
        .catch((error: unknown) => log.error('there is no certificate authority', { trustDomain, error: messageOf(error) }))
    }
    return authorities.state
  }

  /** Proxies that have not said that they have in force what they were told last. */
  #unconfirmed(): readonly { proxy: string; lastSeenMs: number }[] {
    const waiting = this.xds
      .view()
      .filter(({ connected, types }) => !connected || types.some(({ type, pending }) => type === 'proxy' && pending !== undefined))
    return waiting.filter(({ proxy }) => this.#proxies.has(proxy)).map(({ proxy, lastContactMs }) => ({ proxy, lastSeenMs: lastContactMs }))
  }

  async #authenticate(session: ServerHttp2Session, headers: IncomingHttpHeaders): Promise<StreamIdentity> {
    const node = this.#nodes.get(session)
    const proxy = await authenticateProxy(
      {
        ...(node === undefined ? {} : { node }),
        ...(headers.authorization === undefined ? {} : { authorization: headers.authorization }),
      },
      {
        identify: this.#options.identify,
        podOf: (namespace, name) => this.#lists.pods.get(`${namespace}/${name}`),
        trustDomain: () => this.#built?.world.mesh.trustDomain ?? '',
      },
    )
    const own = proxy.pod && proxyName(proxy.namespace, proxy.pod.name)
    const identity: StreamIdentity = { proxyOf: (nodeId) => (nodeId === own ? own : undefined) }
    this.#identities.set(identity, proxy)
    return identity
  }

  #callReport(session: ServerHttp2Session, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const authenticated = this.#authenticate(session, headers).then((identity) => {
      const { namespace, pod } = this.#identities.get(identity) ?? {}
      if (namespace === undefined || !pod) throw new Error('reports are made by the proxies of pods')
      return proxyName(namespace, pod.name)
    })
    answerCallReport(stream, this.#epoch, authenticated, (name, report) => {
      const proxy = this.#proxies.get(name)
      if (proxy) this.ledger.take(proxy, report, this.#options.clock.now(), (address) => this.#podAt(address))
    })
  }

  /** Whether all that comes in to a proxy's application passes it, so that it sees who speaks plain text, and strict holds without it. */
  seesAll({ namespace, pod, node, ips, dataPlane }: ProxyView): boolean {
    if (dataPlane === 'grpc') return false
    if (ips[0]?.startsWith('127.') === false) return true
    const isHere = this.#lists.nodes.get(node)?.metadata.annotations?.[INTERCEPTION_ANNOTATION] === 'cgroup'
    return isHere && !isHosted(this.#lists.pods.get(`${namespace}/${pod}`)?.metadata.annotations)
  }

  #podAt(address: string): string | undefined {
    // whoever shares the network of a node and binds nothing: any process of it
    if (address === '127.0.0.1') return undefined
    const [pod, other] = this.#lists.podsAt(address).filter(({ status }) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed')
    return pod && !other ? `${pod.metadata.namespace}/${pod.metadata.name}` : undefined
  }

  async #sign(identity: StreamIdentity, body: Buffer): Promise<Buffer> {
    const proxy = this.#identities.get(identity)
    const { authorities } = this
    if (!proxy || !authorities) throw Object.assign(new Error('there is no certificate authority yet'), { code: 'Unavailable' })
    const answer = signCertificate(body, proxy, { authorities, trust: () => this.#built?.world.trust ?? {} })
    return Promise.resolve(Buffer.from(JSON.stringify({ ...answer, issuer: this.#built?.world.mesh.issuer ?? answer.issuer })))
  }

  #interceptionOf(name: string): 'redirect' | 'none' {
    const proxy = this.#proxies.get(name)
    return proxy?.kind === 'sidecar' && !proxy.ips[0]?.startsWith('127.') ? 'redirect' : 'none'
  }

  #placeOf(name: string): { readonly zone?: string; readonly node: string; readonly labels: Readonly<Record<string, string>> } {
    const proxy = this.#proxies.get(name)
    return { node: proxy?.node ?? '', labels: proxy?.labels ?? {}, ...(proxy?.zone === undefined ? {} : { zone: proxy.zone }) }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
