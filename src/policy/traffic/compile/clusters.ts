import type { BackendRef, MeshServiceView, MeshWorld, ServicePortView } from '../input/index.ts'
import { serviceKey } from '../input/index.ts'
import { INVALID_CLUSTER, type Cluster, type Origin, type UpstreamTls } from '../model/index.ts'
import type { Collector } from './compiled.ts'
import type { Effects } from './effects.ts'
import { clusterName } from './names.ts'

/** Makes the clusters that routes refer to, each once. */
export class ClusterMaker {
  readonly #effects: Effects
  readonly #out: Collector

  constructor(effects: Effects, out: Collector) {
    this.#effects = effects
    this.#out = out
  }

  /** @returns its name */
  ofPort(service: MeshServiceView, port: ServicePortView, tls?: UpstreamTls): string {
    const endpoints = clusterName(service.namespace, service.name, port.port)
    const name = tls ? `${endpoints}~${hashOf(JSON.stringify(tls))}` : endpoints
    if (this.#out.has('cluster', name)) return name
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
    this.#out.add('cluster', cluster, origins)
    if (cluster.discovery.type === 'eds') this.#out.add('endpoints', { name: endpoints, endpoints: port.endpoints })
    this.#addSecrets(cluster)
    return name
  }

  /** @returns the name of its cluster, or what stands for one that does not exist */
  ofBackend(backend: BackendRef): string {
    if (backend.invalid) return INVALID_CLUSTER
    const service = this.#effects.world.services.get(serviceKey(backend.namespace, backend.name))
    const port = service?.ports.find((one) => one.port === backend.port)
    return service && port ? this.ofPort(service, port, backend.tls) : INVALID_CLUSTER
  }

  #addSecrets({ tls }: Cluster): void {
    if (tls?.mode !== 'tls') return
    for (const name of [tls.ca, tls.certificate]) {
      const secret = name === undefined ? undefined : this.#effects.world.secrets.get(name)
      if (secret) this.#out.add('secret', secret)
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
