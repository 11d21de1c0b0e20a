import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../api/meta/object.ts'
import type { MeshSettings } from '../input/index.ts'
import { POLICY_PLUGINS } from '../policies/index.ts'
import { worldOfObjects } from '../compile/test-world.ts'
import { explainCall, type ExplainedRequest, type PlainCaller } from './index.ts'

/** As people write it. */
type Manifest = KubeObject & { readonly [field: string]: unknown }

const meshed = { initContainers: [{ name: 'biplane-proxy', image: 'biplane.dev/proxy:1', restartPolicy: 'Always' }] }
const pod = (
  name: string,
  app: string,
  ip: string,
  options: { meshed?: boolean; annotations?: Record<string, string> } = {},
): Manifest => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop', labels: { app }, annotations: options.annotations ?? {} },
  spec: {
    serviceAccountName: app,
    nodeName: 'node-1',
    containers: [{ name: 'app', image: 'app', ports: [{ containerPort: 8080 }] }],
    ...(options.meshed === false ? {} : meshed),
  },
  status: {
    phase: 'Running',
    podIPs: [{ ip }],
    ...(options.meshed === false ? {} : { initContainerStatuses: [{ name: 'biplane-proxy', ready: true }] }),
  },
})
const service = (
  name: string,
  clusterIP: string,
  endpoints: readonly [pod: string, ip: string][],
  port: Record<string, unknown> = { name: 'http', port: 80, targetPort: 8080 },
): Manifest[] => [
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'shop' },
    spec: { clusterIP, clusterIPs: [clusterIP], selector: { app: name }, ports: [port] },
  },
  {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-1`, namespace: 'shop', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: port['name'], port: 8080, protocol: 'TCP' }],
    endpoints: endpoints.map(([of, ip]) => ({
      addresses: [ip],
      conditions: { ready: true },
      targetRef: { kind: 'Pod', namespace: 'shop', name: of },
    })),
  },
]
const OBJECTS: readonly Manifest[] = [
  pod('web-1', 'web', '10.0.0.1'),
  pod('admin-1', 'admin', '10.0.0.2'),
  pod('cart-1', 'cart', '10.0.0.5'),
  pod('old-1', 'old', '10.0.0.6', { meshed: false }),
  pod('shy-1', 'shy', '10.0.0.7', { annotations: { 'biplane.dev/reachable-services': 'old' } }),
  ...service('cart', '10.96.0.1', [['cart-1', '10.0.0.5']]),
  ...service('old', '10.96.0.2', [['old-1', '10.0.0.6']]),
  ...service('empty', '10.96.0.3', []),
  ...service('cart-raw', '10.96.0.4', [['cart-1', '10.0.0.5']], { name: 'tcp', port: 99, targetPort: 8080 }),
  ...service('cart-own', 'None', [['cart-1', '10.0.0.5']]),
]
const policy = (kind: string, name: string, spec: Record<string, unknown>, apiVersion = 'kuma.io/v1alpha1'): Manifest => ({
  apiVersion,
  kind,
  metadata: { name, namespace: 'shop' },
  spec,
})
const id = (account: string) => ({ spiffeID: { type: 'Exact', value: `spiffe://default.mesh.local/ns/shop/sa/${account}` } })
const permission = (name: string, conf: Record<string, unknown>): Manifest =>
  policy('MeshTrafficPermission', name, { targetRef: { kind: 'Dataplane', labels: { app: 'cart' } }, rules: [{ default: conf }] })
const MAY = permission('web-may', { allow: [id('web')] })
const route = (rules: unknown): Manifest => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: { name: 'r', namespace: 'shop' },
  spec: { parentRefs: [{ group: '', kind: 'Service', name: 'cart' }], rules },
})
const PLAIN: PlainCaller = { kind: 'plain', namespace: 'shop', pod: 'old-1', ips: ['10.0.0.6'] }

interface Case {
  readonly objects?: readonly Manifest[]
  readonly mesh?: Partial<MeshSettings>
  readonly from?: string | PlainCaller
  readonly to?: { readonly name: string; readonly port?: number }
  readonly request?: ExplainedRequest
}

function explain({ objects = [], mesh, from = 'web-1', to = { name: 'cart' }, request }: Case): string[] {
  const { world, proxies } = worldOfObjects([...OBJECTS, ...objects], mesh ? { mesh } : {})
  const caller = typeof from === 'string' ? proxies.find(({ pod: name }) => name === from)! : from
  const answer = explainCall({
    world,
    plugins: POLICY_PLUGINS,
    proxies,
    from: caller,
    to: { namespace: 'shop', name: to.name, port: to.port ?? 80 },
    ...(request ? { request } : {}),
  })
  return [
    answer.verdict,
    ...answer.steps.map(
      ({ step, verdict, message, origin }) => `${step} ${verdict}: ${message}${origin === undefined ? '' : ` [${origin}]`}`,
    ),
  ]
}
const AS_WEB = 'identity ok: calls as spiffe://default.mesh.local/ns/shop/sa/web'
const TO_CART = [
  'route ok: GET / of cart.shop:80: the service itself',
  'cluster ok: shop/cart|80, balanced by leastRequest',
  'endpoint ok: 10.0.0.5 port 8080 (pod shop/cart-1)',
  'tls ok: mutual TLS with spiffe://default.mesh.local/ns/shop/sa/cart',
]
const ANSWERED = 'permission ok: MeshTrafficPermission/shop/web-may allows it [MeshTrafficPermission/shop/web-may]'
const WITHOUT = [
  'identity ok: pod shop/old-1 has no proxy: it calls in plain text, without an identity',
  'route ok: the cluster chooses an endpoint, no route of the mesh holds',
  'endpoint ok: 10.0.0.5 port 8080 (pod shop/cart-1)',
  'tls ok: plain text',
]

describe('explainCall', () => {
  const cases: readonly [string, Case, readonly string[]][] = [
    ['what is allowed', { objects: [MAY] }, ['allowed', AS_WEB, ...TO_CART, ANSWERED]],
    [
      'whom no rule allows',
      { objects: [MAY], from: 'admin-1' },
      [
        'denied',
        AS_WEB.replace('web', 'admin'),
        ...TO_CART,
        'permission denied: no rule allows it, and what no rule allows is refused: 403, connections are closed',
      ],
    ],
    [
      'whom a rule denies',
      { objects: [MAY, permission('not-web', { deny: [id('web')] })] },
      [
        'denied',
        AS_WEB,
        ...TO_CART,
        'permission denied: MeshTrafficPermission/shop/not-web denies it: 403, connections are closed [MeshTrafficPermission/shop/not-web]',
      ],
    ],
    [
      'whom a rule on trial would deny',
      { objects: [MAY, permission('trial', { allowWithShadowDeny: [id('web')] })] },
      [
        'allowed',
        AS_WEB,
        ...TO_CART,
        'permission ok: passes, though MeshTrafficPermission/shop/trial on trial would deny it [MeshTrafficPermission/shop/trial]',
      ],
    ],
    [
      'bytes',
      { objects: [MAY], to: { name: 'cart-raw', port: 99 } },
      [
        'allowed',
        AS_WEB,
        'route ok: bytes: the service itself',
        'cluster ok: shop/cart-raw|99, balanced by leastRequest',
        ...TO_CART.slice(2),
        ANSWERED,
      ],
    ],
    [
      'a headless service',
      { objects: [MAY], to: { name: 'cart-own' } },
      [
        'allowed',
        AS_WEB,
        'route ok: GET / of cart-own.shop:80: the service itself',
        'cluster ok: shop/cart-own|80|10.0.0.5|8080, balanced by leastRequest',
        ...TO_CART.slice(2),
        ANSWERED,
      ],
    ],
    ['a service that is not there', { to: { name: 'gone' } }, ['failed', AS_WEB, 'route failed: there is no service shop/gone']],
    [
      'a port that is not there',
      { to: { name: 'cart', port: 81 } },
      ['failed', AS_WEB, 'route failed: service shop/cart has no port 81, only 80'],
    ],
    [
      'no route',
      {
        objects: [route([{ matches: [{ path: { type: 'Exact', value: '/buy' } }], backendRefs: [{ name: 'cart', port: 80 }] }])],
        request: { method: 'POST', path: '/sell' },
      },
      ['failed', AS_WEB, 'route failed: POST /sell of cart.shop:80: none of the 1 routes for this host matches; answered with 404'],
    ],
    [
      'no route for the host',
      {
        objects: [
          {
            ...route([{ backendRefs: [{ name: 'cart', port: 80 }] }]),
            spec: {
              ...(route([])['spec'] as object),
              hostnames: ['a.example.com'],
              rules: [{ backendRefs: [{ name: 'cart', port: 80 }] }],
            },
          },
        ],
        request: { host: 'b.example.com' },
      },
      ['failed', AS_WEB, 'route failed: GET / of b.example.com: no route is for this host; answered with 404'],
    ],
    [
      'a backend that is not there',
      { objects: [route([{ backendRefs: [{ name: 'gone', port: 80 }] }])] },
      [
        'failed',
        AS_WEB,
        'route ok: GET / of cart.shop:80: route HTTPRoute/shop/r/0 [HTTPRoute/shop/r]',
        'cluster failed: the backends do not exist or may not be used: answered with 500, connections are closed',
      ],
    ],
    [
      'a backend of two that is not there',
      {
        objects: [
          MAY,
          route([
            {
              backendRefs: [
                { name: 'gone', port: 80, weight: 3 },
                { name: 'cart', port: 80 },
              ],
            },
          ]),
        ],
      },
      [
        'allowed',
        AS_WEB,
        'route ok: GET / of cart.shop:80: route HTTPRoute/shop/r/0; shares: no backend 75 %, shop/cart|80 25 % [HTTPRoute/shop/r]',
        ...TO_CART.slice(1),
        ANSWERED,
      ],
    ],
    [
      'a redirect',
      { objects: [route([{ filters: [{ type: 'RequestRedirect', requestRedirect: { statusCode: 301 } }] }])] },
      ['allowed', AS_WEB, 'route ok: GET / of cart.shop:80: route HTTPRoute/shop/r/0 answers with 301 itself [HTTPRoute/shop/r]'],
    ],
    [
      'no endpoint',
      { to: { name: 'empty' } },
      [
        'failed',
        AS_WEB,
        'route ok: GET / of empty.shop:80: the service itself',
        'cluster ok: shop/empty|80, balanced by leastRequest',
        'endpoint failed: none of 0 endpoints is ready: answered with 503, connections are closed',
      ],
    ],
    [
      'a destination without a proxy',
      { to: { name: 'old' } },
      [
        'allowed',
        AS_WEB,
        'route ok: GET / of old.shop:80: the service itself',
        'cluster ok: shop/old|80, balanced by leastRequest',
        'endpoint ok: 10.0.0.6 port 8080 (pod shop/old-1)',
        'tls ok: plain text: what listens there takes no TLS of the mesh',
        'permission ok: there is no proxy at the destination: nobody is asked for permission',
      ],
    ],
    ['a caller without a proxy, permissive', { from: PLAIN }, ['allowed', ...WITHOUT, 'permission ok: nobody is asked for permission']],
    [
      'a caller without a proxy, strict by a policy',
      {
        from: PLAIN,
        objects: [policy('MeshTLS', 'strict', { targetRef: { kind: 'Dataplane' }, rules: [{ default: { mode: 'Strict' } }] })],
      },
      [
        'denied',
        ...WITHOUT,
        'tls denied: the destination takes connections of the mesh alone (strict), this one is not [MeshTLS/shop/strict]',
      ],
    ],
    [
      'a caller without a proxy, strict by the mesh',
      { from: PLAIN, mesh: { defaultMode: 'strict' } },
      ['denied', ...WITHOUT, 'tls denied: the destination takes connections of the mesh alone (strict), this one is not'],
    ],
    [
      'a caller that does not name the service',
      { from: 'shy-1' },
      [
        'allowed',
        AS_WEB.replace('web', 'shy'),
        'route ok: the pod does not name shop/cart among the services it reaches: its proxy passes the bytes on, no route and no policy of the mesh holds',
        'endpoint ok: 10.0.0.5 port 8080 (pod shop/cart-1)',
        'tls ok: plain text',
        'permission ok: nobody is asked for permission',
      ],
    ],
    [
      'a caller that does not name the service and may call nothing else',
      {
        from: 'shy-1',
        objects: [policy('MeshPassthrough', 'none', { targetRef: { kind: 'Dataplane' }, default: { passthroughMode: 'None' } })],
      },
      [
        'denied',
        AS_WEB.replace('web', 'shy'),
        'route denied: the pod does not name shop/cart among the services it reaches, and may call nothing else',
      ],
    ],
    [
      'a caller without a proxy, gRPC in the application',
      {
        from: PLAIN,
        to: { name: 'stock' },
        objects: [
          pod('stock-1', 'stock', '10.0.0.8', { annotations: { 'biplane.dev/data-plane': 'grpc' } }),
          ...service('stock', '10.96.0.9', [['stock-1', '10.0.0.8']], { name: 'grpc', port: 80, targetPort: 8080 }),
        ],
      },
      [
        'denied',
        ...WITHOUT.slice(0, 2),
        'endpoint ok: 10.0.0.8 port 8080 (pod shop/stock-1)',
        'tls ok: plain text',
        'tls denied: gRPC in the application takes TLS of the mesh alone, this connection is not',
      ],
    ],
    [
      'mutual TLS off',
      { mesh: { mtls: false } },
      [
        'allowed',
        'identity ok: mutual TLS is off: nobody has an identity',
        ...TO_CART.slice(0, 3),
        'tls ok: plain text: what listens there takes no TLS of the mesh',
        'permission ok: nobody is asked for permission',
      ],
    ],
  ]
  test.each(cases)('%s', (_, given, expected) => expect(explain(given)).toEqual(expected))

  test('rules for requests hold in plain text as well, and say which they are', () => {
    const rules = policy(
      'MeshAuthorizationPolicy',
      'no-admin',
      { targetRef: { kind: 'Dataplane' }, action: 'Deny', rules: [{ to: [{ paths: [{ prefix: '/admin' }] }] }] },
      'biplane.dev/v1alpha1',
    )
    expect(explain({ from: PLAIN, objects: [rules], request: { path: '/admin/x' } }).at(-1)).toMatch(
      /^permission denied: .*no-admin.* denies it.* \[MeshAuthorizationPolicy\/shop\/no-admin\]$/,
    )
    expect(explain({ from: PLAIN, objects: [rules], request: { path: '/' } })[0]).toBe('allowed')
  })

  test('rules that no proxy can take refuse what they target', () => {
    const bad = permission('bad', { allow: [{ spiffeID: { type: 'Exact', value: 'x' } }] })
    const { world, proxies } = worldOfObjects([...OBJECTS, bad])
    const policies = world.policies.map((one) => ({
      ...one,
      rules: [{ matches: [], conf: { deny: [{ match: { spiffeId: { regex: '(' } }, name: 'bad' }], shadowDeny: [], allow: [] } }],
    }))
    const answer = explainCall({
      world: { ...world, policies },
      plugins: POLICY_PLUGINS,
      proxies,
      from: proxies.find(({ pod: name }) => name === 'web-1')!,
      to: { namespace: 'shop', name: 'cart', port: 80 },
    })
    expect(answer.verdict).toBe('denied')
    expect(answer.steps.at(-1)).toMatchObject({
      origin: 'MeshTrafficPermission/shop/bad',
      message: expect.stringMatching(/bad denies it: 403/),
    })
  })

  test('a gateway reaches what its routes lead to', () => {
    const golden = JSON.parse(readFileSync(join(import.meta.dirname, '../compile/golden/gateway.json'), 'utf8')) as {
      objects: Manifest[]
    }
    const { world, proxies } = worldOfObjects([
      ...OBJECTS.filter(({ kind }) => kind !== 'Namespace'),
      ...golden.objects.filter(({ metadata }) => metadata.name !== 'cart' && metadata.name !== 'cart-1'),
    ])
    const gateway = proxies.find(({ kind }) => kind === 'gateway')!
    const to = (name: string) =>
      explainCall({ world, plugins: POLICY_PLUGINS, proxies, from: gateway, to: { namespace: 'shop', name, port: 80 } })
    expect(to('old').steps.at(-1)).toMatchObject({
      step: 'route',
      verdict: 'failed',
      message: 'no route of gateway shop/edge leads to service shop/old port 80',
    })
    expect(to('cart')).toMatchObject({ verdict: 'denied' })
    expect(to('cart').steps.map(({ step }) => step)).toEqual(['identity', 'route', 'cluster', 'endpoint', 'tls', 'permission'])
  })
})
