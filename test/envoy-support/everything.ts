/** A configuration that uses every member of the model at least once, for peers that judge whether what is made of it is valid. */
import {
  INBOUND_ANY,
  INVALID_CLUSTER,
  OUTBOUND_ANY,
  type Cluster,
  type LoadBalancer,
  type Route,
} from '../../src/policy/traffic/model/index.ts'
import type { EnvoyInput } from '../../src/control-plane/mesh/envoy/index.ts'
import { FILTERS, rbac } from './every-filter.ts'
import type { MeshCa } from './mesh-ca.ts'
import { ACCESS_LOG, cluster, endpoint, forward, http, input, outbound, route, routesOf, settings, staticCluster } from './samples.ts'

const MATCHES: readonly Route['match'][] = [
  { path: { exact: '/exact' }, method: 'GET' },
  {
    path: { regex: '/r/[a-z]+' },
    headers: [
      { name: 'x-v', value: { regex: 'v[0-9]' } },
      { name: 'x-w', value: { exact: 'w', ignoreCase: true }, invert: true },
    ],
  },
  {
    path: { prefix: '/chars' },
    query: [
      { name: 'q', value: { exact: '1' } },
      { name: 'p', value: { present: true } },
    ],
  },
  { grpc: true },
]

const ROUTES: readonly Route[] = [
  ...MATCHES.map((match, index): Route => ({ name: `match/${index}`, match, action: forward({ reviews: 1 }) })),
  route('/split', forward({ reviews: 90, ratings: 10, [INVALID_CLUSTER]: 0 })),
  route('/broken', forward({ [INVALID_CLUSTER]: 1 })),
  route(
    '/all',
    forward(
      { reviews: 1 },
      {
        rewrite: { host: 'other.test', path: { type: 'prefix', value: '/' } },
        timeoutMs: 0,
        idleTimeoutMs: 1000,
        maxStreamDurationMs: 5000,
        retry: {
          on: ['5xx', 'gateway-error', 'reset', 'connect-failure', 'retriable-4xx', 'refused-stream', 'grpc-cancelled', 'grpc-unavailable'],
          statusCodes: [425],
          attempts: 3,
          methods: ['GET', 'HEAD'],
          perTryTimeoutMs: 500,
          backOff: { baseMs: 25, maxMs: 250 },
          rateLimitedBackOff: {
            headers: [
              { name: 'retry-after', format: 'seconds' },
              { name: 'x-ratelimit-reset', format: 'unix' },
            ],
            maxMs: 60_000,
          },
          retriableResponseHeaders: [{ name: 'x-retry', value: { present: true } }],
          hostSelectionAttempts: 3,
          budget: { percent: 20, minConcurrent: 3 },
        },
        mirrors: [{ cluster: 'ratings', percentage: 33.3 }],
        hash: [
          { type: 'header', name: 'x-user', terminal: true },
          { type: 'cookie', name: 'c', ttlMs: 60_000, path: '/' },
          { type: 'query', name: 'q' },
          { type: 'sourceIp' },
        ],
        upgrades: false,
        session: { type: 'cookie', name: 'sticky', ttlMs: 60_000 },
      },
    ),
    {
      requestHeaders: {
        remove: ['x-out'],
        set: [
          { name: 'x-set', value: '100%' },
          { name: 'host', value: 'set.test' },
        ],
        add: [{ name: 'x-add', value: 'a' }],
      },
      responseHeaders: { remove: ['server'], set: [{ name: 'x-r', value: 'r' }] },
      filters: [
        { type: 'fault', name: 'fault', faults: [{ abort: { status: 500, percentage: 100 } }] },
        { type: 'rbac', name: 'route-only', rbac },
        { type: 'rateLimit', name: 'limit' },
        { type: 'jwt', name: 'jwt', providers: [], required: false },
        { type: 'extAuthz', name: 'other', protocol: 'http', cluster: 'ratings', pathPrefix: '/check', upstreamHeaders: ['x-user'] },
        {
          type: 'cors',
          name: 'cors',
          allowOrigins: [{ regex: 'https://.*' }],
          allowMethods: [],
          allowHeaders: [],
          exposeHeaders: [],
          allowCredentials: false,
        },
      ],
    },
  ),
  route(
    '/header-session',
    forward({ reviews: 1 }, { session: { type: 'header', name: 'x-session' }, rewrite: { path: { type: 'full', value: '/f' } } }),
  ),
  route('/to', { type: 'redirect', scheme: 'https', host: 'to.test', port: 8443, path: { type: 'prefix', value: '/new' }, status: 308 }),
  route('/full', { type: 'redirect', path: { type: 'full', value: '/whole' }, status: 303 }),
  route('/direct', { type: 'direct', status: 418, body: 'no' }),
]

const BALANCERS: readonly LoadBalancer[] = [
  { type: 'roundRobin', slowStartMs: 10_000 },
  { type: 'leastRequest', choices: 4, activeRequestBias: 1.5, slowStartMs: 5000 },
  { type: 'random' },
  { type: 'ringHash', minSize: 64, maxSize: 4096, hash: 'murmur2' },
  { type: 'maglev', tableSize: 65_537 },
]

const HEALTH = { intervalMs: 60_000, timeoutMs: 1000, unhealthyThreshold: 2, healthyThreshold: 1 } as const

/** How many ports it binds, one beside the other. */
export const PORTS_OF_EVERYTHING = 6

/** `base`: the first of the ports it binds, all of them free. */
export function everything(base: number, ca: MeshCa): EnvoyInput {
  const tls = ca.server('gateway.test')
  const tracing = (backend: NonNullable<ReturnType<typeof http>['tracing']>['backend']) => ({
    backend,
    overall: 100,
    client: 50,
    random: 1,
    tags: [
      { name: 'env', literal: 'test' },
      { name: 'ua', header: { name: 'user-agent', default: '-' } },
    ],
  })
  const clusters: Cluster[] = [
    cluster('reviews', {
      statName: 'reviews_stat',
      protocol: 'http2',
      tls: { mode: 'mesh', identities: ['spiffe://mesh.test/ns/a/sa/reviews'] },
      limits: { maxConnections: 10, maxPendingRequests: 11, maxRequests: 12, maxRetries: 13, maxRequestsPerConnection: 14 },
      outlierDetection: {
        intervalMs: 1000,
        baseEjectionMs: 2000,
        maxEjectionMs: 3000,
        maxEjectionPercent: 50,
        splitLocalErrors: true,
        consecutive5xx: 5,
        consecutiveGatewayFailures: 4,
        consecutiveLocalFailures: 3,
        successRate: { minHosts: 5, minRequests: 10, stdevFactor: 1.9 },
        failurePercentage: { minHosts: 5, minRequests: 10, threshold: 85 },
      },
      healthChecks: [
        {
          ...HEALTH,
          type: 'http',
          path: '/h',
          host: 'h.test',
          expectedStatuses: [200, 204],
          headers: [{ name: 'x', value: '1' }],
          failTrafficOnPanic: true,
          reuseConnection: false,
        },
        {
          ...HEALTH,
          type: 'tcp',
          send: 'ping',
          receive: ['pong'],
          initialJitterMs: 10,
          intervalJitterMs: 5,
          intervalJitterPercent: 10,
          noTrafficIntervalMs: 60_000,
        },
        { ...HEALTH, type: 'grpc', service: 's', authority: 'a' },
      ],
      loadBalancer: {
        type: 'leastRequest',
        choices: 2,
        locality: { affinity: [{ key: 'topology.kubernetes.io/zone', weight: 9 }], failoverPercent: 70 },
      },
      connectTimeoutMs: 1500,
      idleTimeoutMs: 1000,
      maxConnectionDurationMs: 60_000,
      healthyPanicPercent: 30,
    }),
    cluster('ratings', { protocol: 'mirror', tls: { mode: 'mesh', identities: [] } }),
    ...BALANCERS.map((loadBalancer, index) =>
      staticCluster(`balancer-${index}`, 1, { loadBalancer, protocol: index === 0 ? 'tcp' : 'http' }),
    ),
    cluster('dns', {
      discovery: {
        type: 'dns',
        hosts: [
          { host: 'localhost', port: 1 },
          { host: 'localhost', port: 2, priority: 3 },
        ],
      },
    }),
    cluster('original', { discovery: { type: 'originalDestination' }, protocol: 'mirror' }),
    staticCluster('outside', 1, {
      tls: {
        mode: 'tls',
        serverName: 'out.test',
        alpn: ['h2'],
        ca: 'gateway',
        verify: 'full',
        subjectAltNames: [{ exact: 'out.test' }, { prefix: 'spiffe://x/' }],
        certificate: 'gateway',
        versions: { min: 'TLS12', max: 'TLS13' },
      },
    }),
    staticCluster('outside-system', 1, { tls: { mode: 'tls', verify: 'full' } }),
    staticCluster('outside-any', 1, { tls: { mode: 'tls', serverName: 'x.test', verify: 'none' } }),
  ]
  return input({
    settings: settings('everything.test', ca.trust),
    interception: 'redirect',
    place: { zone: 'a', labels: {} },
    clusters,
    endpoints: [
      {
        name: 'reviews',
        endpoints: [
          endpoint(9080, { identity: 'spiffe://mesh.test/ns/a/sa/reviews', zone: 'b', weight: 2 }),
          endpoint(9081, { identity: 'spiffe://mesh.test/ns/a/sa/reviews', meshPort: 15_008, zone: 'a', state: 'draining' }),
          endpoint(9082, { priority: 4, state: 'unhealthy' }),
          endpoint(9083, { weight: 0 }),
        ],
      },
      { name: 'ratings', endpoints: [endpoint(1), endpoint(2, { identity: 'spiffe://mesh.test/ns/a/sa/ratings' })] },
    ],
    secrets: [{ name: 'gateway', certificate: tls.certificate, privateKey: tls.privateKey, ca: ca.ca }],
    routes: [routesOf('all', ROUTES, ['all.test', '*.all.test', '*']), routesOf('inbound', [route('/', forward({ 'balancer-1': 1 }))])],
    listeners: [
      outbound(base, {
        http: http('all', {
          filters: FILTERS,
          timeouts: {
            requestHeadersMs: 1000,
            requestMs: 2000,
            streamIdleMs: 3000,
            idleMs: 4000,
            maxStreamDurationMs: 5000,
            maxConnectionDurationMs: 6000,
          },
          accessLogs: [
            ACCESS_LOG,
            {
              name: 'json',
              sink: { type: 'file', path: '/dev/null' },
              format: { type: 'json', fields: { m: '%REQ(:METHOD)%' }, omitEmpty: true },
            },
            {
              name: 'otlp',
              sink: { type: 'otlp', endpoint: '127.0.0.1:4317', attributes: { a: 'b' } },
              format: { type: 'text', text: 'x\n' },
            },
          ],
          tracing: tracing({ type: 'otlp', endpoint: '127.0.0.1:4317' }),
          clientCertDetails: 'forward',
          appendForwardedFor: true,
          trustedHops: 1,
          maxHeaderBytes: 32_768,
          serverName: 'biplane',
        }),
      }),
      outbound(
        base + 1,
        {
          http: http('all', { tracing: tracing({ type: 'zipkin', url: 'http://127.0.0.1:9411/api/v2/spans' }) }),
          tcp: { statPrefix: 'auto', clusters: [{ name: 'balancer-0', weight: 1 }], accessLogs: [] },
        },
        { protocol: 'auto', detectTimeoutMs: 500 },
      ),
      outbound(base + 2, {
        tcp: {
          statPrefix: 'tcp',
          clusters: [
            { name: 'balancer-0', weight: 1 },
            { name: 'balancer-1', weight: 3 },
          ],
          idleTimeoutMs: 1000,
          maxConnectAttempts: 3,
          accessLogs: [ACCESS_LOG],
        },
      }),
      {
        ...outbound(base + 3, {}),
        protocol: 'tls',
        chains: [
          {
            name: 'sni',
            match: { serverNames: ['a.test'] },
            tcp: { statPrefix: 'sni', clusters: [{ name: 'balancer-0', weight: 1 }], accessLogs: [] },
          },
          {
            name: 'wild',
            match: { serverNames: ['*.test'], transport: ['tls'] },
            tcp: { statPrefix: 'wild', clusters: [], accessLogs: [] },
          },
        ],
      },
      {
        ...outbound(base + 4, { tcp: { statPrefix: 'any', clusters: [{ name: 'original', weight: 1 }], accessLogs: [] } }),
        name: OUTBOUND_ANY,
        protocol: 'tcp',
      },
      {
        name: 'inbound|9080',
        direction: 'inbound',
        address: { address: '127.0.0.1', port: 9080 },
        service: { namespace: 'a', name: 'web', port: 80 },
        protocol: 'auto',
        chains: [
          {
            name: 'mesh',
            match: { transport: ['mesh'] },
            tls: { mode: 'mesh', versions: { min: 'TLS13' } },
            connection: { rbac, rateLimit: { maxTokens: 5, tokensPerFill: 5, fillIntervalMs: 1000 } },
            http: http('inbound', { filters: FILTERS, tracing: tracing({ type: 'datadog', address: '127.0.0.1:8126' }) }),
            tcp: { statPrefix: 'in', clusters: [{ name: 'balancer-0', weight: 1 }], accessLogs: [] },
          },
          {
            name: 'plain',
            match: {},
            http: http('inbound'),
            tcp: { statPrefix: 'in', clusters: [{ name: 'balancer-0', weight: 1 }], accessLogs: [] },
          },
        ],
      },
      {
        name: 'inbound|3306',
        direction: 'inbound',
        address: { address: '127.0.0.1', port: 3306 },
        protocol: 'tcp',
        chains: [{ name: 'plain', match: {}, tcp: { statPrefix: 'mysql', clusters: [{ name: 'balancer-0', weight: 1 }], accessLogs: [] } }],
      },
      {
        name: INBOUND_ANY,
        direction: 'inbound',
        address: { address: '0.0.0.0', port: 0 },
        protocol: 'tcp',
        chains: [
          {
            name: 'mesh',
            match: { transport: ['mesh'] },
            tls: { mode: 'mesh' },
            connection: { rbac },
            tcp: { statPrefix: 'others', clusters: [{ name: 'original', weight: 1 }], accessLogs: [] },
          },
          {
            name: 'plaintext',
            match: { transport: ['plaintext'] },
            tcp: { statPrefix: 'others', clusters: [{ name: 'original', weight: 1 }], accessLogs: [] },
          },
        ],
      },
      {
        name: 'gateway/https',
        direction: 'gateway',
        address: { address: '127.0.0.1', port: base + 5 },
        protocol: 'http',
        chains: [
          {
            name: 'https',
            match: { serverNames: ['gateway.test'] },
            tls: {
              mode: 'terminate',
              certificates: ['gateway'],
              clientCa: 'gateway',
              versions: { min: 'TLS12' },
              ciphers: ['ECDHE-ECDSA-AES128-GCM-SHA256'],
              alpn: ['h2', 'http/1.1'],
            },
            http: http('all', { filters: FILTERS, appendForwardedFor: true }),
          },
        ],
      },
      {
        name: 'gateway/tls',
        direction: 'gateway',
        address: { address: '127.0.0.1', port: base + 5 },
        protocol: 'tls',
        chains: [
          {
            name: 'pass',
            match: { serverNames: ['pass.test'] },
            tls: { mode: 'passthrough' },
            tcp: { statPrefix: 'pass', clusters: [{ name: 'balancer-0', weight: 1 }], accessLogs: [] },
          },
        ],
      },
    ],
  })
}
