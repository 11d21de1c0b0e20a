import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../api/meta/object.ts'
import type { CallerMatch, TrafficPolicy } from '../input/index.ts'
import { CART, MESH, SERVICES, translated, WEB } from '../policies/test-world.ts'
import { mergeConfs, mergeInbound, mergeOutbound, policiesFor, selectsProxy } from './index.ts'

const object = (kind: string, spec: unknown, metadata: object = {}): KubeObject =>
  ({ apiVersion: 'kuma.io/v1alpha1', kind, metadata: { name: 'one', namespace: 'shop', ...metadata }, spec }) as unknown as KubeObject
const cart = SERVICES.get('shop/cart')!
const plugin = { type: 'T', merge: mergeConfs }
const ID = 'spiffe://default.mesh.local/ns/'

test('the counter demo of Kuma 2: mutual TLS for all, and the callers that its tags mean', () => {
  const { mesh, policies, findings } = translated(
    [
      object(
        'Mesh',
        { mtls: { enabledBackend: 'ca-1', backends: [{ name: 'ca-1', type: 'builtin' }] } },
        { name: 'default', namespace: undefined },
      ),
      object('MeshTrafficPermission', {
        targetRef: { kind: 'Dataplane', labels: { app: 'cart' } },
        from: [{ targetRef: { kind: 'MeshSubset', tags: { app: 'admin', 'k8s.kuma.io/namespace': 'ops' } }, default: { action: 'Allow' } }],
      }),
    ],
    { ...MESH, mtls: false, defaultPermission: 'allow' },
  )
  expect(mesh).toMatchObject({ mtls: true, defaultMode: 'strict', defaultPermission: 'deny' })
  expect(policies).toMatchObject([
    {
      proxies: { namespace: 'shop', labels: { app: 'cart' } },
      rank: [3, 1],
      rules: [{ matches: [], conf: { deny: [], allow: [{ match: { spiffeId: { exact: `${ID}ops/sa/admin` } } }] } }],
    },
  ])
  expect(new Set(findings.map(({ type }) => type))).toEqual(new Set(['Deprecated']))
})

test.each<[string, object, string, number[], object]>([
  ['of the operator', {}, 'biplane-system', [0, 0], {}],
  ['of a producer', { to: [{ targetRef: { kind: 'MeshService', name: 'cart' }, default: {} }] }, 'shop', [1, 0], {}],
  [
    'of a consumer, by destination',
    { to: [{ targetRef: { kind: 'MeshService', name: 'cart', namespace: 'ops' }, default: {} }] },
    'shop',
    [2, 0],
    { namespace: 'shop' },
  ],
  [
    'of a consumer, by selection',
    { targetRef: { kind: 'Dataplane', labels: { app: 'web' } }, to: [{ targetRef: { kind: 'MeshService', name: 'cart' }, default: {} }] },
    'shop',
    [2, 1],
    { namespace: 'shop', labels: { app: 'web' } },
  ],
  [
    'of the owner, for a port',
    { targetRef: { kind: 'Dataplane', name: 'cart-1', sectionName: 'http' }, rules: [] },
    'shop',
    [3, 3],
    { namespace: 'shop', name: 'cart-1', section: 'http' },
  ],
])('rank and reach %s', (_, spec, namespace, rank, proxies) => {
  const [policy] = translated([object('MeshTimeout', spec, { namespace })]).policies
  expect(policy).toMatchObject({ rank, proxies })
  expect(policy!.proxies).toEqual(proxies)
})

test('proxies by what Kuma 2 calls them', () => {
  const selects = (targetRef: object, proxy = CART): boolean =>
    selectsProxy(translated([object('MeshTLS', { targetRef, rules: [] })]).policies[0]!.proxies, proxy)
  expect(selects({ kind: 'MeshService', name: 'cart_shop_svc_80' })).toBe(true)
  expect(selects({ kind: 'MeshService', name: 'cart_shop_svc_81' })).toBe(false)
  expect(selects({ kind: 'MeshSubset', tags: { 'kuma.io/service': 'cart_shop_svc_80' } })).toBe(true)
  expect(selects({ kind: 'MeshSubset', tags: { app: 'cart' } }, WEB)).toBe(false)
  expect(selects({ kind: 'Mesh', proxyTypes: ['Gateway'] })).toBe(false)
})

describe('merging', () => {
  const rules = (list: [CallerMatch[], object][], more: Partial<TrafficPolicy> = {}): TrafficPolicy => ({
    type: 'T',
    origin: { kind: 'T', group: '', namespace: 'shop', name: 'one' },
    proxies: {},
    rank: [3, 0],
    rules: list.map(([matches, conf]) => ({ matches, conf })),
    ...more,
  })
  const port = CART.ports[0]!

  test('callers: wider groups first, then their own, the last entry for all others', () => {
    const policies = [
      rules([
        [[], { a: 1, b: 1, c: 1 }],
        [[{ spiffeId: { exact: 'spiffe://d/ns/x/sa/y' } }], { c: 3 }],
        [[{ spiffeId: { prefix: 'spiffe://d/ns/x/' } }], { b: 2, c: 2 }],
      ]),
    ]
    expect(mergeInbound(plugin, policies, port)?.map(({ matches, conf }) => [matches, conf])).toEqual([
      [[{ spiffeId: { exact: 'spiffe://d/ns/x/sa/y' } }], { a: 1, b: 2, c: 3 }],
      [[{ spiffeId: { prefix: 'spiffe://d/ns/x/' } }], { a: 1, b: 2, c: 2 }],
      [[], { a: 1, b: 1, c: 1 }],
    ])
  })

  test('policies for another port say nothing', () => {
    expect(mergeInbound(plugin, [rules([[[], { a: 1 }]], { proxies: { section: 'other' } })], port)).toBeUndefined()
    expect(mergeInbound(plugin, [rules([[[], { a: 1 }]], { proxies: { section: '8080' } })], port)).toHaveLength(1)
  })

  test('of equal rank the older is stronger, then the earlier name; a route is stronger than its service', () => {
    const to = (name: string, createdAtMs: number, value: number, target: object = {}): TrafficPolicy => ({
      ...rules([]),
      origin: { kind: 'T', group: '', namespace: 'shop', name, createdAtMs },
      to: [{ target, conf: { value } }],
    })
    const value = (policies: TrafficPolicy[], route?: string): unknown =>
      mergeOutbound<{ value?: number }>(
        plugin,
        policiesFor(WEB, policies, 'T'),
        cart,
        cart.ports[0]!,
        route === undefined ? undefined : { origin: { kind: 'MeshHTTPRoute', group: 'kuma.io', namespace: 'shop', name: route } },
      )?.conf.value
    expect(value([to('a', 2, 1), to('b', 1, 2)])).toBe(2)
    expect(value([to('b', 1, 2), to('a', 1, 1)])).toBe(1)
    const routed = to('z', 9, 7, { route: { namespace: 'shop', name: 'r' } })
    expect([value([to('a', 1, 1), routed]), value([to('a', 1, 1), routed], 'r'), value([routed], 'q')]).toEqual([1, 7, undefined])
  })
})

test('routes: matches, filters, backends, and what is not there', () => {
  const { routes, findings } = translated([
    object('MeshHTTPRoute', {
      to: [
        {
          targetRef: { kind: 'MeshService', name: 'cart', sectionName: 'http' },
          rules: [
            {
              matches: [
                {
                  path: { type: 'PathPrefix', value: '/a' },
                  headers: [{ name: 'X-A', type: 'Absent' }],
                  queryParams: [{ name: 'q', type: 'RegularExpression', value: '.+' }],
                },
              ],
              default: {
                filters: [
                  { type: 'URLRewrite', urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/b' } } },
                  {
                    type: 'RequestMirror',
                    requestMirror: { percentage: '12.5', backendRef: { kind: 'MeshService', name: 'stock', port: 50 } },
                  },
                ],
                backendRefs: [
                  { kind: 'MeshService', name: 'cart', port: 80, weight: 9 },
                  { kind: 'MeshService', name: 'gone', port: 80 },
                ],
              },
            },
            { matches: [{ method: 'GET' }], default: {} },
          ],
        },
        { targetRef: { kind: 'MeshService', name: 'nowhere' }, rules: [] },
      ],
    }),
  ])
  expect(routes).toHaveLength(1)
  expect(routes[0]).toMatchObject({
    kind: 'http',
    unmatched: 'passThrough',
    parents: [{ type: 'service', namespace: 'shop', name: 'cart', port: 80 }],
  })
  expect(routes[0]!.parents[0]).not.toHaveProperty('consumers')
  expect(routes[0]!.rules).toMatchObject([
    {
      matches: [
        {
          path: { pathPrefix: '/a' },
          headers: [{ name: 'x-a', value: { present: true }, invert: true }],
          query: [{ name: 'q', value: { regex: '.+' } }],
        },
      ],
      rewrite: { path: { type: 'prefix', value: '/b' } },
      mirrors: [{ percentage: 12.5, backend: { name: 'stock', port: 50 } }],
      backends: [
        { name: 'cart', weight: 9 },
        { name: 'gone', weight: 1, invalid: 'BackendNotFound' },
      ],
    },
    { backends: [{ name: 'cart', port: 80, weight: 1 }] },
  ])
  expect(findings.map(({ reason }) => reason)).toEqual(['BackendNotFound', 'TargetNotFound'])
})

test('a route of another namespace is for its own clients alone', () => {
  const to = [{ targetRef: { kind: 'MeshService', name: 'cart', namespace: 'shop' }, rules: [{ matches: [{}], default: {} }] }]
  const { routes } = translated([
    object('MeshHTTPRoute', { targetRef: { kind: 'Dataplane', labels: { app: 'admin' } }, to }, { namespace: 'ops' }),
  ])
  expect(routes[0]!.parents).toEqual([
    { type: 'service', namespace: 'shop', name: 'cart', consumers: 'ops', proxies: { labels: { app: 'admin' } } },
  ])
})

test('external services, names by template, trust', () => {
  const external = object('MeshExternalService', {
    match: { port: 443, protocol: 'http' },
    endpoints: [{ address: 'api.example.com', port: 8443 }],
    tls: {
      enabled: true,
      version: { min: 'TLS12' },
      verification: { mode: 'Secured', subjectAltNames: [{ type: 'Prefix', value: 'api' }], caCert: { inlineString: 'PEM' } },
    },
  })
  const { services, secrets, trust, findings } = translated([
    { ...external, status: { vip: { ip: '242.0.0.1' } } } as KubeObject,
    object(
      'HostnameGenerator',
      { selector: { meshExternalService: { matchLabels: {} } }, template: '{{ .DisplayName }}.{{ .Namespace }}.ext' },
      { name: 'names' },
    ),
    object(
      'HostnameGenerator',
      { selector: { meshService: { matchLabels: { app: 'cart' } } }, template: '{{ label "app" }}.mesh' },
      { name: 'more' },
    ),
    object(
      'MeshMultiZoneService',
      { selector: { meshService: { matchLabels: { app: 'cart' } } }, ports: [{ port: 80 }] },
      { name: 'cart' },
    ),
    object('MeshTrust', {
      trustDomain: 'other',
      caBundles: [{ type: 'Pem', pem: { value: '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n' } }],
    }),
  ])
  expect(services.get('shop/one')).toMatchObject({
    vips: ['242.0.0.1'],
    hostnames: ['one.shop.ext'],
    external: {
      discovery: { type: 'dns', hosts: [{ host: 'api.example.com', port: 8443 }] },
      tls: {
        mode: 'tls',
        verify: 'full',
        serverName: 'api.example.com',
        subjectAltNames: [{ prefix: 'api' }],
        ca: 'MeshExternalService/shop/one',
        versions: { min: 'TLS12' },
      },
    },
  })
  expect(secrets.get('MeshExternalService/shop/one')).toEqual({ name: 'MeshExternalService/shop/one', ca: 'PEM' })
  expect(services.get('shop/cart')).toMatchObject({ kind: 'Service', hostnames: ['cart.mesh'] })
  expect(trust).toEqual({ other: ['-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----'] })
  expect(findings.map(({ reason }) => reason)).toEqual(['NameInUse'])
})
