import { describe, expect, test } from 'vitest'
import type { GatewayListener, TrafficPolicy, TrafficRoute } from '../input/index.ts'
import { INBOUND_ANY, type Endpoint, type RedirectAction, type ResourceOfType, type ResourceType } from '../model/index.ts'
import { defaultPolicies } from '../kuma/index.ts'
import { POLICY_PLUGINS } from '../policies/index.ts'
import { Compiler, type CompiledProxy } from './index.ts'
import { endpoint, MESH, origin, proxy, route, service, worldOf } from './test-world.ts'

function find<Type extends ResourceType>(compiled: CompiledProxy, type: Type, name: string): ResourceOfType[Type] | undefined {
  return compiled.resources.find((one) => one.type === type && one.value.name === name)?.value as ResourceOfType[Type] | undefined
}
const resource = (compiled: CompiledProxy, name: string) => compiled.resources.find(({ value }) => value.name === name)
const targets = (compiled: CompiledProxy): unknown =>
  find(compiled, 'route', 'outbound|cart.shop:80')?.virtualHosts[0]?.routes.map(
    ({ action }) => action.type === 'forward' && action.clusters.map(({ cluster }) => cluster),
  )

const SERVICES = [service('cart', { endpoints: [endpoint('10.0.0.5')] }), service('cart-v2'), service('db', { protocol: 'tcp' })]

describe('what proxies have in common', () => {
  test('is the same object for all of the same policies, whatever their namespace', () => {
    const compiler = new Compiler(worldOf(SERVICES, { policies: defaultPolicies([]) }), POLICY_PLUGINS)
    const [a, b] = [compiler.compile(proxy('a')), compiler.compile(proxy('b', { namespace: 'ops' }))]
    const shared = a.resources.filter(({ type, value }) => type !== 'proxy' && value.name !== INBOUND_ANY)
    expect(shared.length).toBeGreaterThan(8)
    for (const one of shared) expect(b.resources.find((other) => other === one)).toBe(one)
    expect(b.shared).toBe(a.shared)
  })

  test('is the same object though the proxies want to reach different services', () => {
    const compiler = new Compiler(worldOf(SERVICES), POLICY_PLUGINS)
    const [all, some] = [compiler.compile(proxy('a')), compiler.compile(proxy('b', { reachable: ['shop/cart'] }))]
    expect(resource(some, 'shop/cart|80')).toBe(resource(all, 'shop/cart|80'))
    expect(resource(some, 'shop/db|80')).toBeUndefined()
    expect(resource(all, 'shop/db|80')).toBeDefined()
  })

  test('is the same though other policies hold for those who call them', () => {
    const permission: TrafficPolicy = {
      type: 'MeshTrafficPermission',
      origin: origin('only-a', 'MeshTrafficPermission'),
      proxies: { labels: { app: 'a' } },
      rank: [0],
      rules: [{ matches: [], conf: { deny: [], shadowDeny: [], allow: [] } }],
    }
    const passthrough: TrafficPolicy = { ...permission, type: 'MeshPassthrough', rules: [], conf: { passthroughMode: 'None' } }
    const compiler = new Compiler(worldOf(SERVICES, { policies: [permission] }), POLICY_PLUGINS)
    expect(compiler.compile(proxy('a')).shared).toBe(compiler.compile(proxy('b')).shared)
    const other = new Compiler(worldOf(SERVICES, { policies: [permission, passthrough] }), POLICY_PLUGINS)
    expect(other.compile(proxy('a')).shared).not.toEqual(other.compile(proxy('b')).shared)
  })

  test('is not shared by those whose routes differ', () => {
    const only = route('only-a', 'cart-v2', { parents: [{ type: 'service', namespace: 'shop', name: 'cart', proxies: { name: 'a' } }] })
    const compiler = new Compiler(worldOf(SERVICES, { routes: [only] }), POLICY_PLUGINS)
    expect(targets(compiler.compile(proxy('a')))).toEqual([['shop/cart-v2|80']])
    expect(targets(compiler.compile(proxy('b')))).toEqual([['shop/cart|80']])
  })

  test('is not shared by those of another namespace with a route of its own', () => {
    const routes = [
      route('producer', 'cart'),
      route('consumer', 'cart-v2', { parents: [{ type: 'service', namespace: 'shop', name: 'cart', consumers: 'ops' }] }),
    ]
    const compiler = new Compiler(worldOf(SERVICES, { routes }), POLICY_PLUGINS)
    expect(targets(compiler.compile(proxy('a')))).toEqual([['shop/cart|80']])
    expect(targets(compiler.compile(proxy('a', { namespace: 'ops' })))).toEqual([['shop/cart-v2|80']])
  })
})

describe('from world to world', () => {
  const changed = [service('cart', { endpoints: [endpoint('10.0.0.6')] }), ...SERVICES.slice(1)]
  const world = worldOf(SERVICES, { routes: [route('split', 'cart-v2')], policies: defaultPolicies([]) })

  test('only what depends on a service that has changed is new', () => {
    const first = new Compiler(world, POLICY_PLUGINS)
    const before = first.compile(proxy('a'))
    // routes and policies are made again each time: other objects, the same words
    const after = new Compiler(
      { ...worldOf(changed), routes: structuredClone(world.routes), policies: structuredClone(world.policies) },
      POLICY_PLUGINS,
      first,
    ).compile(proxy('a'))
    expect(find(after, 'endpoints', 'shop/cart-v2|80')).toBe(find(before, 'endpoints', 'shop/cart-v2|80'))
    expect(resource(after, 'outbound|10.96.0.2|80')).toBe(resource(before, 'outbound|10.96.0.2|80'))
    expect(resource(after, 'shop/db|80')).toBe(resource(before, 'shop/db|80'))
    expect(after).toEqual(new Compiler({ ...world, services: worldOf(changed).services }, POLICY_PLUGINS).compile(proxy('a')))
  })

  test.each([
    ['a backend that goes', worldOf([SERVICES[0]!, SERVICES[2]!], { routes: world.routes, policies: world.policies })],
    ['a service more', worldOf([...SERVICES, service('new')], { routes: world.routes, policies: world.policies })],
    ['a route more', { ...world, routes: [...world.routes, route('more', 'cart')] }],
    ['a policy less', { ...world, policies: world.policies.slice(1) }],
    ['mutual TLS off', { ...world, mesh: { ...MESH, mtls: false } }],
    ['nothing', world],
  ])('%s: as if compiled anew', (_, next) => {
    const first = new Compiler(world, POLICY_PLUGINS)
    first.compile(proxy('a'))
    const second = new Compiler(next, POLICY_PLUGINS, first)
    second.compile(proxy('a'))
    expect(new Compiler(next, POLICY_PLUGINS, second).compile(proxy('a'))).toEqual(new Compiler(next, POLICY_PLUGINS).compile(proxy('a')))
    expect(second.compile(proxy('a'))).toEqual(new Compiler(next, POLICY_PLUGINS).compile(proxy('a')))
  })

  test('nothing has changed: the same array', () => {
    const first = new Compiler(world, POLICY_PLUGINS)
    const before = first.compile(proxy('a'))
    expect(new Compiler({ ...world, policies: structuredClone(world.policies) }, POLICY_PLUGINS, first).compile(proxy('a')).shared).toBe(
      before.shared,
    )
  })

  test('a backend that comes back is found', () => {
    const without = new Compiler(worldOf([SERVICES[0]!], { routes: world.routes }), POLICY_PLUGINS)
    expect(targets(without.compile(proxy('a')))).toEqual([['!invalid']])
    const back = new Compiler(worldOf(SERVICES, { routes: world.routes }), POLICY_PLUGINS, without)
    expect(targets(back.compile(proxy('a')))).toEqual([['shop/cart-v2|80']])
  })
})

describe('routes', () => {
  const actionOf = (rule: Partial<TrafficRoute['rules'][number]>, policies: readonly TrafficPolicy[] = []) =>
    find(
      new Compiler(
        worldOf(SERVICES, { routes: [{ ...route('r', 'cart'), rules: [{ ...route('r', 'cart').rules[0]!, ...rule }] }], policies }),
        POLICY_PLUGINS,
      ).compile(proxy('a')),
      'route',
      'outbound|cart.shop:80',
    )?.virtualHosts[0]?.routes[0]?.action

  test.each([
    ['its own time', { timeoutMs: 9000 }, { timeoutMs: 9000 }],
    ['no time at all', { timeoutMs: 0 }, { timeoutMs: 0 }],
    ['the time of one try, where there is but one', { timeoutMs: 9000, perTryTimeoutMs: 2000 }, { timeoutMs: 2000 }],
    ['the whole time where it is shorter', { timeoutMs: 1000, perTryTimeoutMs: 2000 }, { timeoutMs: 1000 }],
    ['the time of one try, where the whole has none', { timeoutMs: 0, perTryTimeoutMs: 2000 }, { timeoutMs: 2000 }],
  ])('have %s', (_, rule, expected) => {
    const action = actionOf(rule)
    expect(action).toMatchObject(expected)
    expect(action).not.toHaveProperty('retry')
  })

  test('say more than policies', () => {
    expect(actionOf({ timeoutMs: 9000, perTryTimeoutMs: 2000, retry: { attempts: 2 } }, defaultPolicies([]))).toMatchObject({
      timeoutMs: 9000,
      retry: { attempts: 2, perTryTimeoutMs: 2000, backOff: { baseMs: 25, maxMs: 250 } },
    })
    expect(actionOf({}, defaultPolicies([]))).toMatchObject({ timeoutMs: 15_000, retry: { attempts: 5 } })
  })

  test('whose pattern is none are left out, and their object told', () => {
    const bad = { ...route('bad', 'cart'), rules: [{ ...route('bad', 'cart').rules[0]!, matches: [{ path: { regex: '(' } }, {}] }] }
    const compiled = new Compiler(worldOf(SERVICES, { routes: [bad] }), POLICY_PLUGINS).compile(proxy('a'))
    expect(targets(compiled)).toEqual([['shop/cart|80']])
    expect(compiled.findings).toMatchObject([{ origin: { kind: 'HTTPRoute', name: 'bad' }, type: 'Invalid', reason: 'NotCompiled' }])
  })

  test('to servers outside ask for them by their own name', () => {
    const pay = service('pay', {
      kind: 'MeshExternalService',
      external: { discovery: { type: 'dns', hosts: [{ host: 'pay.example.com', port: 443 }] } },
    })
    const compiled = new Compiler(worldOf([pay, ...SERVICES], { routes: [route('out', 'pay')] }), POLICY_PLUGINS).compile(proxy('a'))
    for (const name of ['outbound|pay.shop:80', 'outbound|cart.shop:80'])
      expect(find(compiled, 'route', name)?.virtualHosts[0]?.routes[0]?.action).toMatchObject({ rewrite: { host: 'pay.example.com' } })
  })
})

describe('headless services', () => {
  const endpoints: readonly Endpoint[] = [endpoint('10.0.0.5'), { ...endpoint('10.0.0.6'), state: 'draining' }]
  const world = worldOf([service('cart', { headless: true, vips: [], endpoints })], { routes: [route('r', 'cart')] })

  test('lead to what was dialled, though it is going; a route to the service by name leads to any', () => {
    const compiled = new Compiler(worldOf([...world.services.values()]), POLICY_PLUGINS).compile(proxy('a'))
    expect(find(compiled, 'endpoints', 'shop/cart|80|10.0.0.6|8080')?.endpoints).toEqual([endpoint('10.0.0.6')])
    const routed = new Compiler(world, POLICY_PLUGINS).compile(proxy('a'))
    expect(find(routed, 'route', 'outbound|cart.shop:80|10.0.0.6|8080')?.virtualHosts[0]?.routes[0]?.action).toMatchObject({
      clusters: [{ cluster: 'shop/cart|80' }],
    })
    expect(find(routed, 'endpoints', 'shop/cart|80')?.endpoints).toEqual(endpoints)
  })

  test('are dialled by name where gRPC is in the application', () => {
    const compiled = new Compiler(world, POLICY_PLUGINS).compile(proxy('a', { dataPlane: 'grpc' }))
    expect(compiled.shared.flatMap(({ type, value }) => (type === 'listener' ? [value.name] : []))).toEqual(['outbound|cart.shop|80'])
  })
})

describe('gateways', () => {
  const listener = (section: string, more: Partial<GatewayListener> = {}): GatewayListener => ({
    gateway: { namespace: 'shop', name: 'edge' },
    section,
    port: 443,
    protocol: 'tls',
    tls: { mode: 'passthrough' },
    origin: origin('edge', 'Gateway'),
    ...more,
  })
  const at = (section: string, namespace = 'shop'): TrafficRoute['parents'] => [{ type: 'gateway', namespace, name: 'edge', section }]
  const compiled = (gateways: readonly GatewayListener[], routes: readonly TrafficRoute[]): CompiledProxy =>
    new Compiler(worldOf(SERVICES, { gateways, routes }), POLICY_PLUGINS).compile(
      proxy('edge-1', { kind: 'gateway', gateway: 'shop/edge' }),
    )
  const chains = (result: CompiledProxy): unknown =>
    find(result, 'listener', 'gateway|shop/edge|443')?.chains.map(({ match, tcp }) => [
      match.serverNames?.join() ?? '*',
      tcp?.clusters.map(({ name }) => name).join(),
    ])

  test('a server name is the older route’s; names of a section that no route takes are no other section’s', () => {
    const tls = (name: string, to: string, section: string, hostnames: readonly string[], createdAtMs: number): TrafficRoute =>
      route(name, to, { kind: 'tls', parents: at(section), hostnames, origin: { ...origin(name, 'TLSRoute'), createdAtMs } })
    const routes = [
      tls('new', 'cart-v2', 'inner', ['a.in.example.com'], 2),
      tls('old', 'cart', 'inner', ['*.example.com', 'a.in.example.com', 'else.example.org'], 1),
      tls('all', 'db', 'outer', [], 1),
    ]
    const sections = [
      listener('outer', { hostname: '*.example.com' }),
      listener('inner', { hostname: '*.in.example.com' }),
      listener('lone', { hostname: 'b.in.example.com' }),
    ]
    expect(chains(compiled(sections, routes))).toEqual([
      ['a.in.example.com', 'shop/cart|80'],
      ['b.in.example.com', ''],
      ['*.in.example.com', 'shop/cart|80'],
      ['*.example.com', 'shop/db|80'],
    ])
    expect(chains(compiled(sections.toReversed(), routes.toReversed()))).toEqual(chains(compiled(sections, routes)))
  })

  test('bytes are taken where TLS ends here, not where it passes through', () => {
    const bytes = route('bytes', 'db', { kind: 'tcp', parents: at('s') })
    expect(chains(compiled([listener('s', { tls: { mode: 'terminate', certificates: [], alpn: [] } })], [bytes]))).toEqual([
      ['*', 'shop/db|80'],
    ])
    expect(chains(compiled([listener('s')], [bytes]))).toEqual([])
  })

  test('backends get TLS by policy where it ended here, and what passes through as it is', () => {
    const tls = { mode: 'tls', serverName: 'db.example', verify: 'full' } as const
    const backends = [{ namespace: 'shop', name: 'db', kind: 'Service', port: 80, weight: 1, tls }] as const
    const routes = [route('r', 'db', { kind: 'tls', parents: at('s'), rules: [{ matches: [], backends }] })]
    const called = (mode: NonNullable<GatewayListener['tls']>): unknown => {
      const result = compiled([listener('s', { tls: mode })], routes)
      const [chain] = find(result, 'listener', 'gateway|shop/edge|443')?.chains ?? []
      return find(result, 'cluster', chain?.tcp?.clusters[0]?.name ?? '')?.tls
    }
    expect(called({ mode: 'terminate', certificates: [], alpn: [] })).toMatchObject({ serverName: 'db.example' })
    expect(called({ mode: 'passthrough' })).not.toMatchObject({ mode: 'tls' })
  })

  test('a pod that shares the network with others binds its own address', () => {
    const http = listener('web', { port: 80, protocol: 'http' })
    const bound = (ips: readonly string[]): unknown =>
      find(
        new Compiler(worldOf(SERVICES, { gateways: [http] }), POLICY_PLUGINS).compile(
          proxy('edge-1', { kind: 'gateway', gateway: 'shop/edge', ips }),
        ),
        'listener',
        'gateway|shop/edge|80',
      )?.address
    expect(bound(['127.64.0.9'])).toEqual({ address: '127.64.0.9', port: 10_080 })
    expect(bound(['10.244.0.9', 'fd00::9'])).toEqual({ address: '::', port: 10_080 })
  })

  test('HTTP/1.1 is spoken to backends that declare nothing, gRPC to those of gRPC routes', () => {
    const undeclared = service('web', { ports: [{ ...SERVICES[0]!.ports[0]!, port: 80, protocol: 'auto' }] })
    const protocolOf = (kind: 'http' | 'grpc'): unknown => {
      const world = worldOf([undeclared], {
        gateways: [listener('web', { port: 80, protocol: 'http' })],
        routes: [route('r', 'web', { kind, parents: at('web') })],
      })
      const result = new Compiler(world, POLICY_PLUGINS).compile(proxy('edge-1', { kind: 'gateway', gateway: 'shop/edge' }))
      const action = find(result, 'route', 'gateway|shop/edge|80|http')?.virtualHosts[0]?.routes[0]?.action
      return find(result, 'cluster', action?.type === 'forward' ? (action.clusters[0]?.cluster ?? '') : '')?.protocol
    }
    expect([protocolOf('http'), protocolOf('grpc')]).toEqual(['http', 'mirror'])
  })

  test('redirects name the port that clients know, unless they name one or a scheme', () => {
    const redirect = (more: Partial<RedirectAction>): TrafficRoute =>
      route('r', 'cart', {
        parents: at('web'),
        rules: [{ matches: [], backends: [], redirect: { type: 'redirect', status: 302, ...more } }],
      })
    const action = (more: Partial<RedirectAction>): unknown =>
      find(compiled([listener('web', { port: 80, protocol: 'http' })], [redirect(more)]), 'route', 'gateway|shop/edge|80|http')
        ?.virtualHosts[0]?.routes[0]?.action
    expect(action({})).toEqual({ type: 'redirect', status: 302, port: 80 })
    expect(action({ port: 8_080 })).toEqual({ type: 'redirect', status: 302, port: 8_080 })
    expect(action({ scheme: 'https' })).toEqual({ type: 'redirect', status: 302, scheme: 'https' })
  })

  test('of Kuma have no namespace', () => {
    const http = listener('web', { gateway: { namespace: '', name: 'edge' }, port: 80, protocol: 'http' })
    const result = compiled([http], [route('r', 'cart', { parents: at('web', '') })])
    expect(find(result, 'route', 'gateway|shop/edge|80|http')?.virtualHosts[0]?.routes).toHaveLength(1)
    expect(find(compiled([{ ...http, gateway: { namespace: '', name: 'other' } }], []), 'listener', 'gateway|shop/edge|80')).toBeUndefined()
  })
})
