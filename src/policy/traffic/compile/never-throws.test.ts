import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { MeshServiceView, TrafficPolicy, TrafficRoute } from '../input/index.ts'
import { POLICY_PLUGINS } from '../policies/index.ts'
import { Compiler, type CompiledProxy } from './index.ts'
import { endpoint, origin, proxy, worldOf } from './test-world.ts'

// worlds of few names, so that their parts meet
const name = fc.constantFrom('cart', 'cart-v2', 'db', 'gone')
const arbitraryService = fc.record({
  kind: fc.constantFrom('Service' as const, 'MeshExternalService' as const, 'MeshMultiZoneService' as const),
  namespace: fc.constantFrom('shop', 'ops'),
  name,
  labels: fc.dictionary(fc.constantFrom('a', 'b'), fc.constantFrom('1', '2')),
  vips: fc.array(fc.constantFrom('10.96.0.1', 'fd00::1', ''), { maxLength: 2 }),
  headless: fc.boolean(),
  hostnames: fc.constant([]),
  ports: fc.array(
    fc.record({
      port: fc.constantFrom(80, 0, 443),
      name: fc.string({ maxLength: 3 }),
      protocol: fc.constantFrom('http' as const, 'http2' as const, 'grpc' as const, 'tcp' as const, 'tls' as const, 'auto' as const),
      targetPort: fc.constantFrom(8080, 'web'),
      endpoints: fc.array(fc.constantFrom('10.0.0.5', 'nonsense').map(endpoint), { maxLength: 2 }),
    }),
    { maxLength: 2 },
  ),
})
const arbitraryMatch = fc.record(
  {
    path: fc.oneof(
      fc.record({ regex: fc.constantFrom('(', 'a+') }),
      fc.record({ pathPrefix: fc.constantFrom('', '/', '/a') }),
      fc.record({ exact: fc.string() }),
    ),
    method: fc.string({ maxLength: 4 }),
    headers: fc.array(fc.record({ name: fc.string(), value: fc.record({ regex: fc.constantFrom('[', '.') }) }), { maxLength: 1 }),
  },
  { requiredKeys: [] },
)
const arbitraryBackend = fc.record({
  namespace: fc.constantFrom('shop', 'ops'),
  name,
  kind: fc.constant('Service' as const),
  port: fc.constantFrom(80, 443),
  weight: fc.nat(2),
})
const arbitraryRoute = fc.record({
  origin: name.map((one) => origin(one)),
  kind: fc.constantFrom('http' as const, 'grpc' as const, 'tcp' as const, 'tls' as const),
  parents: fc.array(
    fc.oneof(
      name.map((one) => ({ type: 'service' as const, namespace: 'shop', name: one })),
      name.map((one) => ({ type: 'service' as const, namespace: 'shop', name: one, consumers: 'ops' })),
      fc.constantFrom('a', 'b').map((section) => ({ type: 'gateway' as const, namespace: 'shop', name: 'edge', section })),
    ),
    { maxLength: 2 },
  ),
  hostnames: fc.array(fc.constantFrom('*', '*.example.com', 'a.example.com', ''), { maxLength: 2 }),
  rules: fc.array(
    fc.record({ matches: fc.array(arbitraryMatch, { maxLength: 2 }), backends: fc.array(arbitraryBackend, { maxLength: 2 }) }),
    { maxLength: 2 },
  ),
  unmatched: fc.constantFrom('notFound' as const, 'passThrough' as const),
})
const arbitraryGateway = fc.record({
  gateway: fc.constant({ namespace: 'shop', name: 'edge' }),
  section: fc.constantFrom('a', 'b'),
  port: fc.constantFrom(80, 443),
  protocol: fc.constantFrom('http' as const, 'https' as const, 'tls' as const, 'tcp' as const),
  hostname: fc.constantFrom('a.example.com', '*.example.com'),
  tls: fc.constantFrom({ mode: 'passthrough' as const }, { mode: 'terminate' as const, certificates: ['none'], alpn: [] }),
  origin: fc.constant(origin('edge', 'Gateway')),
})
// confs that no translator makes: plug-ins may throw on them
const arbitraryPolicy = fc.record({
  type: fc.constantFrom(...POLICY_PLUGINS.map(({ type }) => type)),
  origin: name.map((one) => origin(one, 'Policy')),
  proxies: fc.constantFrom({}, { labels: { app: 'a' } }, { kinds: ['gateway' as const] }),
  rank: fc.array(fc.nat(2), { maxLength: 2 }),
  to: fc.array(
    fc.record({
      target: fc.constantFrom({}, { service: { name: 'cart' } }, { route: { name: 'cart' } }),
      conf: fc.object({ maxDepth: 2 }),
    }),
    { maxLength: 2 },
  ),
  rules: fc.array(fc.record({ matches: fc.constant([]), conf: fc.anything({ maxDepth: 2 }) }), { maxLength: 2 }),
  conf: fc.anything({ maxDepth: 2 }),
})

test('never throws, refers to nothing that is not there, and is the same the second time', () => {
  fc.assert(
    fc.property(
      fc.array(arbitraryService, { maxLength: 4 }),
      fc.array(arbitraryRoute, { maxLength: 4 }),
      fc.array(arbitraryPolicy, { maxLength: 3 }),
      fc.array(arbitraryGateway, { maxLength: 4 }),
      fc.constantFrom('sidecar' as const, 'gateway' as const, 'node' as const),
      fc.constantFrom('biplane' as const, 'grpc' as const),
      (services, routes, policies, gateways, kind, dataPlane) => {
        const world = worldOf(services as MeshServiceView[], {
          routes: routes as TrafficRoute[],
          policies: policies as TrafficPolicy[],
          gateways,
        })
        const ports = [{ port: 8080, name: 'http', protocol: 'auto' as const, services: [{ namespace: 'shop', name: 'cart', port: 80 }] }]
        const one = proxy('a', { kind, dataPlane, ports, ...(kind === 'gateway' ? { gateway: 'shop/edge' } : {}) })
        const first = new Compiler(world, POLICY_PLUGINS)
        const compiled = first.compile(one)
        expect(dangling(compiled)).toEqual([])
        expect(new Compiler(world, POLICY_PLUGINS, first).compile(one)).toEqual(compiled)
      },
    ),
    { numRuns: 300 },
  )
})

function dangling({ resources }: CompiledProxy): readonly string[] {
  const has = new Set(resources.map(({ type, value }) => `${type} ${value.name}`))
  expect(has.size).toBe(resources.length)
  const wanted = resources.flatMap(({ type, value }): string[] => {
    switch (type) {
      case 'listener':
        return value.chains.flatMap(({ http, tcp }) => [
          ...(http ? [`route ${http.routes}`] : []),
          ...(tcp?.clusters ?? []).map(({ name: one }) => `cluster ${one}`),
        ])
      case 'route':
        return value.virtualHosts.flatMap(({ routes }) =>
          routes.flatMap(({ action }) =>
            action.type === 'forward' ? [...action.clusters, ...(action.mirrors ?? [])].map(({ cluster }) => `cluster ${cluster}`) : [],
          ),
        )
      case 'cluster':
        return value.discovery.type === 'eds' ? [`endpoints ${value.discovery.name}`] : []
      case 'proxy':
        return (value.listeners ?? []).map((one) => `listener ${one}`)
      default:
        return []
    }
  })
  // of gRPC the server has its routes in the listener
  return wanted.filter((one) => !has.has(one) && one !== 'cluster !invalid' && !one.startsWith('route inbound|'))
}
