import { FakeClock } from '../../../base/fake-clock.ts'
import type {
  Cluster,
  Endpoint,
  ForwardAction,
  HttpConnectionManager,
  HttpFilter,
  Route,
  RouteConfiguration,
} from '../../../policy/traffic/model/index.ts'
import { ClusterManager } from '../clusters/index.ts'
import type { Service, UpstreamOptions } from '../contract.ts'
import { MetricTable } from '../telemetry/metric-table.ts'
import { FixtureExchange, type FixtureRequest } from './exchange-fixture.ts'
import { buildHttpStack, type HttpStackDeps } from './http-stack.ts'

export const MANAGER: HttpConnectionManager = {
  statPrefix: 'test',
  routes: 'r',
  filters: [],
  timeouts: {},
  accessLogs: [],
  appendForwardedFor: false,
}

export const forwardTo = (parts: Partial<ForwardAction> = {}): ForwardAction => ({
  type: 'forward',
  clusters: [{ cluster: 'app', weight: 1 }],
  ...parts,
})

export const route = (action: Route['action'] = forwardTo(), parts: Partial<Route> = {}): Route => ({
  name: 'ns/r/0',
  match: {},
  action,
  ...parts,
})

/** A stack over clusters without a network. */
export class StackFixture {
  readonly clock: FakeClock = new FakeClock()
  readonly metrics: MetricTable = new MetricTable()
  readonly clusters: ClusterManager
  readonly mirrored: string[] = []
  random = 0
  service!: Service
  readonly #deps: Partial<HttpStackDeps>

  constructor(deps: Partial<HttpStackDeps> = {}) {
    this.#deps = deps
    this.clusters = new ClusterManager(
      {
        clock: this.clock,
        random: () => this.random,
        place: {},
        clientTls: () => undefined,
        resolveHost: async () => Promise.reject(new Error('none')),
        openEndpoint: (options: UpstreamOptions) => ({
          address: 'port' in options.address ? `${options.address.address}:${options.address.port}` : options.address.path,
          activeRequests: 0,
          connections: 0,
          drain() {},
          destroy() {},
        }),
      },
      this.metrics,
    )
  }

  cluster(parts: Partial<Cluster> = {}, endpoints: readonly Partial<Endpoint>[] = [{}]): this {
    const name = parts.name ?? 'app'
    this.clusters.setAssignment({
      name,
      endpoints: endpoints.map((one, i) => ({ address: { address: `10.0.1.${i + 1}`, port: 80 }, state: 'ready', ...one })),
    })
    this.clusters.setCluster({
      name,
      discovery: { type: 'eds', name },
      protocol: 'http',
      loadBalancer: { type: 'roundRobin' },
      limits: {},
      healthChecks: [],
      ...parts,
    })
    return this
  }

  build(routes: readonly Route[] | undefined, filters: readonly HttpFilter[] = [], manager: Partial<HttpConnectionManager> = {}): this {
    const config: RouteConfiguration | undefined = routes && { name: 'r', virtualHosts: [{ name: 'v', domains: ['*'], routes }] }
    this.service = buildHttpStack({ ...MANAGER, filters, ...manager }, config, {
      direction: 'inbound',
      clusters: this.clusters,
      metrics: this.metrics,
      clock: this.clock,
      random: () => this.random,
      makeId: () => 'id',
      identity: () => 'spiffe://d/ns/a/sa/me',
      accessLoggers: [],
      createTracingLayer: () => (inner) => inner,
      createFilterLayer: (filter) => {
        throw new Error(`no ${filter.type} here`)
      },
      claimsOf: () => undefined,
      startMirror: (endpoint, head, authority) => {
        this.mirrored.push(`${endpoint.address} ${head.path} ${authority}`)
        return { write: (chunk, ended) => void this.mirrored.push(`${chunk.length} ${ended}`) }
      },
      ...this.#deps,
    })
    return this
  }

  send(request?: FixtureRequest): FixtureExchange {
    const exchange = new FixtureExchange(request)
    this.service(exchange)
    return exchange
  }

  /** Value of a series as it is shown. */
  metric(line: string): number {
    const found = this.metrics
      .render()
      .split('\n')
      .find((text) => text.startsWith(`${line} `))
    return found === undefined ? NaN : Number(found.slice(line.length + 1))
  }
}
