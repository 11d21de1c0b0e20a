import type { Random } from '../../../base/backoff.ts'
import type { Clock } from '../../../base/clock.ts'
import type { Logger } from '../../../base/log.ts'
import type { ExtAuthzFilter, GrpcJsonFilter, JwtFilter, JwtProvider, Tracing } from '../../../policy/traffic/model/index.ts'
import type { ClusterManager, Probe } from '../clusters/index.ts'
import type { Layer, UpstreamEndpoint, UpstreamOptions } from '../contract.ts'
import type { TimerWheel } from '../engine/index.ts'
import { createFetchText, createInternalClient, createProbe, createStartMirror, type InternalClient } from '../internal-client/index.ts'
import type { HttpStackDeps } from '../layers/index.ts'
import type { Transport } from '../transport/choose-transport.ts'
import { claimsOf } from './claims.ts'
import { createExtAuthzLayer } from './ext-authz-layer.ts'
import { createGrpcJsonLayer } from './grpc-json-layer.ts'
import { openJwks, type JwksSource } from './jwks-cache.ts'
import { createJwtLayer } from './jwt-layer.ts'
import { postJson } from './post-json.ts'
import { SpanExporter, type PostJson } from './span-exporter.ts'
import { createTracingLayer } from './tracing-layer.ts'

export interface FilterLayerDeps {
  /** Asked when something is sent: clusters may be made later, with the `probe` from here. */
  readonly clusters: () => Pick<ClusterManager, 'get'>
  readonly wheel: TimerWheel
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: Random
  readonly log: Logger
  /** What clusters open their endpoints with; health checks have some of their own. */
  readonly openEndpoint: (options: UpstreamOptions) => UpstreamEndpoint
  /** For health checks over TCP. */
  readonly dial: Transport['dial']
  /** `service.name` of spans. */
  readonly service: string
  /** What else spans say of the proxy, such as `k8s.pod.name`. */
  readonly resource?: Readonly<Record<string, string>>
  /** How collectors are reached. Default: HTTP outside of the mesh. */
  readonly post?: PostJson
}

/** What stacks of layers (HttpStackDeps) and clusters (ClusterDeps) ask for beyond decisions on the spot. */
export interface FilterLayers extends Pick<HttpStackDeps, 'createFilterLayer' | 'claimsOf' | 'startMirror'> {
  /** @param direction what comes in is a server's span, what goes out a client's; default `inbound` */
  createTracingLayer(tracing: Tracing, direction?: HttpStackDeps['direction']): Layer
  readonly probe: Probe
  readonly client: InternalClient
  /** Ends what runs by itself; spans that wait are sent. */
  close(): Promise<void>
}

/** Descriptors that are kept ready: reading them takes longer than anything else in a change of configuration. */
const MAX_TRANSCODERS = 16
/** Key sets kept; those that nobody asks for cost memory alone. */
const MAX_KEY_SETS = 256

/** Puts the filters together that ask others, tell others, or read bodies. What they have fetched outlives changes of the configuration. */
export function createFilterLayers(deps: FilterLayerDeps): FilterLayers {
  const { clock, wheel, random, log, service, resource = {}, post = postJson } = deps
  const client = createInternalClient({ clusters: { get: (name) => deps.clusters().get(name) }, wheel })
  const fetch = createFetchText(client)
  const checks = createProbe(deps)
  const exporters = new Map<string, SpanExporter>()
  const keySets = new Cache<JwksSource>(MAX_KEY_SETS, (source) => source.close())
  const transcoders = new Cache<Layer>(MAX_TRANSCODERS)
  const jwks = ({ name, jwks: inline, remoteJwks }: JwtProvider): JwksSource =>
    keySets.get(JSON.stringify([inline, remoteJwks]), () =>
      openJwks(
        {
          name,
          issuer: '',
          audiences: [],
          forward: false,
          ...(inline === undefined ? {} : { jwks: inline }),
          ...(remoteJwks ? { remoteJwks } : {}),
        },
        { fetch, clock },
      ),
    )
  return {
    claimsOf,
    client,
    probe: checks.probe,
    startMirror: createStartMirror(wheel),
    createFilterLayer(filter: JwtFilter | ExtAuthzFilter | GrpcJsonFilter): Layer {
      switch (filter.type) {
        case 'jwt':
          return createJwtLayer(filter, { jwks, clock }).layer
        case 'extAuthz':
          return createExtAuthzLayer(filter, { client, clock })
        case 'grpcJson':
          return transcoders.get(JSON.stringify(filter), () => createGrpcJsonLayer(filter))
      }
    },
    createTracingLayer(tracing, direction = 'inbound') {
      const key = JSON.stringify(tracing.backend)
      const exporter = exporters.get(key) ?? new SpanExporter({ backend: tracing.backend, service, resource, post, clock, log })
      exporters.set(key, exporter)
      return createTracingLayer({ tracing, kind: direction === 'outbound' ? 'client' : 'server', exporter, clock, random })
    },
    async close() {
      checks.close()
      keySets.clear()
      await Promise.all([...exporters.values()].map((exporter) => exporter.flush()))
    },
  }
}

/** The latest of what was asked for. */
class Cache<T> {
  readonly #limit: number
  readonly #drop: (value: T) => void
  readonly #values = new Map<string, T>()

  constructor(limit: number, drop: (value: T) => void = () => {}) {
    this.#limit = limit
    this.#drop = drop
  }

  get(key: string, make: () => T): T {
    const value = this.#values.get(key) ?? make()
    this.#values.delete(key)
    this.#values.set(key, value)
    const [oldest] = this.#values
    if (oldest && this.#values.size > this.#limit) {
      this.#values.delete(oldest[0])
      this.#drop(oldest[1])
    }
    return value
  }

  clear(): void {
    for (const value of this.#values.values()) this.#drop(value)
    this.#values.clear()
  }
}
