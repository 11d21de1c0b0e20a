import type { BackendRef, MeshServiceView, MeshWorld, ServicePortView } from '../input/index.ts'
import { serviceKey } from '../input/index.ts'
import { INVALID_CLUSTER, type Cluster, type Endpoint, type Origin, type UpstreamTls } from '../model/index.ts'
import { Collector, type CompiledResource } from './compiled.ts'
import type { Effects } from './effects.ts'
import { clusterName, portOfCluster } from './names.ts'

/** Makes the clusters that routes refer to, each once. */
export class ClusterMaker {
  readonly #effects: Effects
  readonly #out: Collector
  readonly #known: Map<string, readonly CompiledResource[]> | undefined
  readonly #mine = new Map<string, readonly CompiledResource[]>()
  readonly #used = new Map<string, MeshServiceView | undefined>()

  /** @param known what others of the same effects have made: it is the same object for all */
  constructor(effects: Effects, out: Collector, known?: Map<string, readonly CompiledResource[]>) {
    this.#effects = effects
    this.#out = out
    this.#known = known
  }

  /**
   * @param plainHttp HTTP/1.1 is spoken to a port whose protocol nobody has declared, whatever the client speaks @returns its name
   */
  ofPort(service: MeshServiceView, port: ServicePortView, tls?: UpstreamTls, plainHttp = false): string {
    const endpoints = clusterName(service.namespace, service.name, port.port)
    if (plainHttp && port.protocol === 'auto') {
      const name = `${endpoints}~http1${tls ? `~${hashOf(JSON.stringify(tls))}` : ''}`
      return this.#make(name, endpoints, port.endpoints, service, { ...port, protocol: 'http' }, tls)
    }
    return this.#make(tls ? `${endpoints}~${hashOf(JSON.stringify(tls))}` : endpoints, endpoints, port.endpoints, service, port, tls)
  }

  /** One endpoint of a headless service, which clients have chosen themselves. @returns the cluster's name */
  ofEndpoint(service: MeshServiceView, port: ServicePortView, endpoint: Endpoint): string {
    const { address } = endpoint
    const name = `${clusterName(service.namespace, service.name, port.port)}|${address.address}|${address.port}`
    // whoever dials a pod that is going means that one
    return this.#make(name, name, [{ ...endpoint, state: 'ready' }], service, port)
  }

  /** The cluster of a name that policies give; false: there is no such service. */
  byName(name: string): boolean {
    const wanted = portOfCluster(name)
    const found = wanted && this.find(wanted)
    if (found) this.ofPort(found.service, found.port)
    return found !== undefined
  }

  /** The service and port that a reference means. */
  find({
    namespace,
    name,
    port: number,
  }: {
    readonly namespace: string
    readonly name: string
    readonly port: number
  }): { readonly service: MeshServiceView; readonly port: ServicePortView } | undefined {
    const key = serviceKey(namespace, name)
    const service = this.#effects.world.services.get(key)
    this.#used.set(key, service)
    const port = service?.ports.find((one) => one.port === number)
    return service && port ? { service, port } : undefined
  }

  /** What was used, by name of the cluster. */
  get made(): ReadonlyMap<string, readonly CompiledResource[]> {
    return this.#mine
  }

  /** Services that were looked up, found or not. */
  get used(): ReadonlyMap<string, MeshServiceView | undefined> {
    return this.#used
  }

  #note(service: MeshServiceView): void {
    this.#used.set(serviceKey(service.namespace, service.name), service)
  }

  #make(
    name: string,
    endpoints: string,
    members: readonly Endpoint[],
    service: MeshServiceView,
    port: ServicePortView,
    tls?: UpstreamTls,
  ): string {
    if (this.#out.has('cluster', name)) return name
    const known = this.#known?.get(name)
    if (known) {
      this.#note(service)
      this.#mine.set(name, known)
      this.#out.take(known)
      return name
    }
    const made = new Collector()
    const origins = new Set<Origin>()
    const plain: Cluster = {
      name,
      service: { namespace: service.namespace, name: service.name, port: port.port },
      discovery: service.external?.discovery ?? { type: 'eds', name: endpoints },
      protocol: PROTOCOLS[port.protocol],
      ...tlsOf(this.#effects.world, service, tls),
      loadBalancer: { type: 'leastRequest', choices: 2 },
      limits: {},
      healthChecks: [],
    }
    const cluster = this.#effects.cluster(plain, service, port, origins)
    made.add('cluster', cluster, origins)
    if (cluster.discovery.type === 'eds') {
      // clusters of one service that differ in their TLS have the same endpoints
      const shared = `endpoints ${endpoints}`
      const assignment = this.#known?.get(shared)
      if (assignment) made.take(assignment)
      else made.add('endpoints', { name: endpoints, endpoints: members })
      const own = made.resources.filter(({ type }) => type === 'endpoints')
      this.#known?.set(shared, own)
      this.#mine.set(shared, own)
    }
    this.#addSecrets(cluster, made)
    this.#known?.set(name, made.resources)
    this.#note(service)
    this.#mine.set(name, made.resources)
    this.#out.take(made.resources)
    return name
  }

  /** @returns the name of its cluster, or what stands for one that does not exist */
  ofBackend(backend: BackendRef, plainHttp = false): string {
    if (backend.invalid) return INVALID_CLUSTER
    const found = this.find(backend)
    return found ? this.ofPort(found.service, found.port, backend.tls, plainHttp) : INVALID_CLUSTER
  }

  #addSecrets({ tls }: Cluster, made: Collector): void {
    if (tls?.mode !== 'tls') return
    for (const name of [tls.ca, tls.certificate]) {
      const secret = name === undefined ? undefined : this.#effects.world.secrets.get(name)
      if (secret) made.add('secret', secret)
    }
  }
}

function tlsOf(world: MeshWorld, service: MeshServiceView, tls: UpstreamTls | undefined): { readonly tls: UpstreamTls } | undefined {
  const own = tls ?? service.external?.tls
  if (own) return { tls: own }
  return world.mesh.mtls && !service.external ? { tls: { mode: 'mesh', identities: [] } } : undefined
}

const PROTOCOLS: Readonly<Record<ServicePortView['protocol'], Cluster['protocol']>> = {
  http: 'http',
  http2: 'http2',
  grpc: 'http2',
  tcp: 'tcp',
  tls: 'tcp',
  auto: 'mirror',
}

function hashOf(text: string): string {
  let hash = 0x811c_9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x0100_0193) >>> 0
  return hash.toString(36)
}
