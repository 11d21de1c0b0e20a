import { describe, expect, it } from 'vitest'
import type { Pod } from '../../../api/generated/types.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import { worldOfObjects } from '../../../policy/traffic/compile/test-world.ts'
import type { Finding, ProxyView, TrafficPolicy } from '../../../policy/traffic/input/index.ts'
import type { Origin } from '../../../policy/traffic/model/index.ts'
import type { DryRunAnswer } from '../../../protocols/mesh-view.ts'
import type { SeenCall } from '../control/index.ts'
import type { ProxyTruth } from '../xds/index.ts'
import { configAnswer } from './config-answer.ts'
import { dryRunAnswer } from './dry-run-answer.ts'
import { explainQuery } from './explain-query.ts'
import { policiesAnswer } from './policies-answer.ts'
import { possibleCalls } from './possible-calls.ts'
import { proxiesAnswer } from './proxies-answer.ts'
import { strictAnswer } from './strict-answer.ts'

const meshed = { initContainers: [{ name: 'biplane-proxy', image: 'biplane.dev/proxy:1', restartPolicy: 'Always' }] }
const object = (kind: string, name: string, rest: object, apiVersion = 'v1'): KubeObject =>
  ({
    apiVersion,
    kind,
    metadata: { name, namespace: 'shop', uid: `uid-${name}`, generation: 1, labels: { app: name } },
    ...rest,
  }) as KubeObject
const pod = (name: string, ip: string, isMeshed = true): KubeObject =>
  object('Pod', name, {
    spec: {
      serviceAccountName: name,
      nodeName: 'n',
      containers: [{ name: 'app', image: 'app', ports: [{ containerPort: 8080 }] }],
      ...(isMeshed ? meshed : {}),
    },
    status: { phase: 'Running', podIPs: [{ ip }], initContainerStatuses: isMeshed ? [{ name: 'biplane-proxy', ready: true }] : [] },
  })
const service = (name: string, port: object = { name: 'http', port: 80, targetPort: 8080 }): KubeObject =>
  object('Service', name, { spec: { clusterIP: '10.96.0.1', clusterIPs: ['10.96.0.1'], selector: { app: name }, ports: [port] } })
const permission = (name: string, conf: object): KubeObject =>
  object('MeshTrafficPermission', name, { spec: { rules: [{ default: conf }] } }, 'kuma.io/v1alpha1')
const authorization = (name: string, spec: object): KubeObject => object('MeshAuthorizationPolicy', name, { spec }, 'biplane.dev/v1alpha1')

const ID = 'spiffe://default.mesh.local/ns/shop/sa'
const OBJECTS = [pod('web', '10.0.0.1'), pod('cart', '10.0.0.2'), pod('old', '10.0.0.3', false), service('cart')]
const everybody = permission('all', { allow: [{ spiffeID: { type: 'Prefix', value: 'spiffe://default.mesh.local/' } }] })

describe('proxies', () => {
  const proxy = (name: string): ProxyView => ({
    name: `${name}.shop`,
    namespace: 'shop',
    pod: name,
    node: 'n',
    kind: 'sidecar',
    dataPlane: 'biplane',
    labels: {},
    serviceAccount: name,
    ips: [],
    ports: [],
    draining: false,
  })
  const truth: ProxyTruth = {
    proxy: 'web.shop',
    kind: 'biplane',
    connected: true,
    sinceMs: 0,
    lastContactMs: 0,
    types: [
      { typeUrl: 'r', type: 'route', resources: 1, refused: [], staleMs: 0, pending: '3' },
      {
        typeUrl: 'l',
        type: 'listener',
        resources: 2,
        acked: '2',
        staleMs: 0,
        refused: [
          { name: 'in', reason: 'bad port', atMs: 1_000 },
          { name: 'out', reason: 'listener out: bad port', atMs: 2_000 },
        ],
      },
    ],
  }

  it('are listed whether they have come or not, and with what they said', () => {
    const { proxies } = proxiesAnswer([proxy('web'), proxy('cart')], [truth, { ...truth, proxy: 'gone.shop' }], ({ pod }) => pod === 'web')
    expect(proxies.map(({ pod, connected, since }) => [pod, connected, since])).toEqual([
      ['cart', false, undefined],
      ['web', true, '1970-01-01T00:00:00.000Z'],
    ])
    expect(proxies.map(({ strictBy }) => strictBy)).toEqual(['proxy', 'kernel'])
    expect(proxies[1]?.types).toEqual([
      {
        type: 'listener',
        resources: 2,
        acked: '2',
        refused: { reason: 'in: bad port; listener out: bad port', at: '1970-01-01T00:00:02.000Z' },
      },
      { type: 'route', resources: 1, pending: '3' },
    ])
  })
})

describe('the configuration of a proxy', () => {
  const resources = [
    { type: 'secret', value: { name: 's', certificate: 'C', privateKey: 'KEY' }, origins: [] },
    { type: 'endpoints', value: { name: 'b', endpoints: [] }, origins: [] },
    { type: 'endpoints', value: { name: 'a', endpoints: [] }, origins: [] },
  ] as const

  it('comes by type and name, without keys', () => {
    const answer = configAnswer('web.shop', { resources })
    expect(answer.resources).toEqual({
      endpoints: { a: { name: 'a', endpoints: [] }, b: { name: 'b', endpoints: [] } },
      secret: { s: { name: 's', certificate: 'C', privateKey: '[left out]' } },
    })
    expect(JSON.stringify(answer)).not.toContain('KEY')
  })

  it('comes of some types, of those that exist', () => {
    expect(Object.keys(configAnswer('web.shop', { resources }, ['secret', 'route']).resources)).toEqual(['secret'])
    expect(() => configAnswer('web.shop', { resources }, ['clusters'])).toThrow('type: "clusters" is none of')
  })
})

describe('policies', () => {
  const origin = (name: string): Origin => ({ kind: 'MeshTimeout', group: 'kuma.io', namespace: 'shop', name, uid: name })
  const policy = (one: Origin): TrafficPolicy => ({ type: one.kind, origin: one, proxies: {}, rank: [] })
  const finding: Finding = { origin: origin('b'), type: 'Shadowed', reason: 'NoSuchCallers', message: 'nobody' }

  it('are those that somebody has written, with what became of them', () => {
    const { uid: _uid, ...builtIn } = origin('default')
    const answer = policiesAnswer(
      { policies: [policy(origin('b')), policy(origin('a')), policy(builtIn)], routes: [] },
      {
        findings: [finding],
        acks: ({ name }) => ({ total: 3, acked: 2, refused: name === 'a' ? [{ proxy: 'web.shop', reason: 'no' }] : [] }),
        quarantined: ({ name }) => (name === 'b' ? [{ kind: 'envoy', reason: 'bad' }] : []),
      },
    )
    expect(answer.policies).toEqual([
      { policy: 'MeshTimeout/shop/a', proxies: 3, programmed: 2, refused: [{ proxy: 'web.shop', reason: 'no' }], findings: [] },
      {
        policy: 'MeshTimeout/shop/b',
        proxies: 3,
        programmed: 0,
        refused: [{ proxy: 'all of kind envoy', reason: 'bad' }],
        findings: [{ type: 'Shadowed', reason: 'NoSuchCallers', message: 'nobody' }],
      },
    ])
  })
})

describe('a call that is asked about', () => {
  it('is read from the query', () => {
    expect(
      explainQuery({ from: 'shop/web-1', to: 'shop/cart:80', method: 'POST', path: '/a', header: ['Host: cart', 'X-A:1', 'x-a: 2'] }),
    ).toEqual({
      from: { namespace: 'shop', pod: 'web-1' },
      to: { namespace: 'shop', name: 'cart', port: 80 },
      request: { method: 'POST', path: '/a', host: 'cart', headers: { 'x-a': ['1', '2'] } },
    })
    expect(explainQuery({ from: 'a/b', to: 'c/d:1' }).request).toEqual({})
  })

  it.each([
    [{}, 'from: is missing; write it as NAMESPACE/POD'],
    [{ from: 'web', to: 'shop/cart:80' }, 'from: "web" is not understood'],
    [{ from: 'shop/web', to: 'shop/cart' }, 'to: "shop/cart" is not understood'],
    [{ from: 'shop/web', to: 'shop/cart:70000' }, 'to: "shop/cart:70000"'],
    [{ from: 'shop/web', to: 'shop/cart:80', method: 'G T' }, 'method: "G T"'],
    [{ from: 'shop/web', to: 'shop/cart:80', path: 'a' }, 'path: "a"'],
    [{ from: 'shop/web', to: 'shop/cart:80', header: 'x' }, 'header: "x"'],
    [{ from: 'shop/web', to: 'shop/cart:80', header: Array.from({ length: 65 }, () => 'a:b') }, 'header: at most 64'],
    [{ from: 'x'.repeat(9_000), to: 'shop/cart:80' }, 'from: has 9000 characters'],
  ])('names what is wrong: %#', (query, message) => {
    expect(() => explainQuery(query)).toThrow(message)
  })
})

const told = ({ changes }: DryRunAnswer): string[][] =>
  changes.map(({ from, to, request, count, now, then, because }) => [from, to, request, String(count), now, then, because])

describe('a dry run', () => {
  const { world, proxies } = worldOfObjects([...OBJECTS, everybody])
  const input = { world, proxies, systemNamespace: 'biplane-system' }
  const deny = permission('no-web', { deny: [{ spiffeID: { type: 'Exact', value: `${ID}/web` } }] })

  it('names the calls that could be made and would be refused', () => {
    const answer = dryRunAnswer({ ...input, policy: deny })
    expect(told(answer)).toEqual([[`${ID}/web`, 'shop/cart:80', 'GET /', '0', 'allow', 'deny', 'MeshTrafficPermission/shop/no-web']])
    expect(answer).toMatchObject({ observed: 2, basis: 'configuration' })
    expect(answer.note).toContain('no proxy tells of the calls that it has seen')
  })

  it('tries requests that the rules are about', () => {
    const policy = authorization('no-admin', {
      action: 'Deny',
      rules: [{ from: [{ serviceAccounts: ['web'] }], to: [{ methods: ['POST'], paths: [{ prefix: '/admin' }, { contains: 'secret' }] }] }],
    })
    expect(dryRunAnswer({ ...input, policy }).changes.map(({ from, request, then }) => [from, request, then])).toEqual([
      [`${ID}/web`, 'POST /admin', 'deny'],
      [`${ID}/web`, 'POST /secret', 'deny'],
    ])
  })

  const seenCall = (more: Partial<SeenCall> = {}): SeenCall => ({
    caller: `${ID}/web`,
    from: 'shop/web',
    address: '10.0.0.1',
    service: { namespace: 'shop', name: 'cart', port: 80 },
    to: 'shop/cart:80',
    isHttp: true,
    transport: 'mesh',
    count: 7,
    lastSeenMs: 0,
    ...more,
  })

  it('counts calls that were seen, where they are known, and tells them from those that were not', () => {
    const { caller: _caller, ...plain } = seenCall({ from: 'shop/old', address: '10.0.0.3', transport: 'plaintext', count: 2 })
    const seen = [seenCall(), seenCall({ service: { namespace: 'shop', name: 'gone', port: 80 }, to: 'shop/gone:80', count: 3 }), plain]
    const answer = dryRunAnswer({ ...input, policy: deny, seen, silent: ['cart.shop'] })
    expect(told(answer).map(([from, to, , count]) => [from, to, count])).toEqual([[`${ID}/web`, 'shop/cart:80', '7']])
    expect(answer).toMatchObject({ observed: 4, basis: 'traffic' })
    expect(answer.note).toContain('who calls these proxies is not known, they do not tell: cart.shop')
    expect(answer.note).toContain('3 calls went to services that no proxy serves now')
    const none = authorization('nobody', { action: 'Deny', rules: [{ to: [{ paths: [{ prefix: '/' }] }] }] })
    expect(told(dryRunAnswer({ ...input, policy: none, seen })).map(([from, , , count]) => [from, count])).toEqual([
      [`${ID}/web`, '7'],
      ['10.0.0.3', '2'],
      [`${ID}/cart`, '0'],
    ])
  })

  it('judges a policy in place of the one of its name, and says so where it judges nobody', () => {
    const narrower = permission('all', { allow: [{ spiffeID: { type: 'Exact', value: `${ID}/cart` } }] })
    expect(told(dryRunAnswer({ ...input, policy: narrower }))).toEqual([
      [`${ID}/web`, 'shop/cart:80', 'GET /', '0', 'allow', 'deny', 'no rule allows it'],
    ])
    const timeout = object('MeshTimeout', 't', { spec: { rules: [{ default: { idleTimeout: '1s' } }] } }, 'kuma.io/v1alpha1')
    const answer = dryRunAnswer({ ...input, policy: timeout })
    expect([answer.changes, answer.observed]).toEqual([[], 0])
    expect(answer.note).toContain('let nobody in and keep nobody out')
  })

  it('is bounded', () => {
    const many = Array.from({ length: 40 }, (_, i) => pod(`caller-${i}`, `10.0.1.${i}`))
    const big = worldOfObjects([...OBJECTS, ...many])
    expect(possibleCalls([{ type: 'x', origin: {} as Origin, proxies: {}, rank: [] }], big.proxies, 'd', 10)).toMatchObject({
      calls: { length: 10 },
      isCut: true,
    })
  })
})

describe('the strict report', () => {
  const { world, proxies } = worldOfObjects(OBJECTS)
  const pods = OBJECTS.filter(({ kind }) => kind === 'Pod') as Pod[]

  it('names pods without a proxy where nobody tells of calls, and what it does not know', () => {
    const answer = strictAnswer('nobody tells', { world, proxies, pods })
    expect(answer).toMatchObject({ safe: false, basis: 'configuration', plaintext: [{ from: 'shop/old', count: 0 }] })
    expect(answer.note).toContain('whether they call anybody or not')
    expect(strictAnswer('nobody tells', { world, proxies, pods: pods.slice(0, 2) })).toMatchObject({ safe: true, plaintext: [] })
  })

  it('is about calls where they are known, and knows nothing of proxies that do not tell', () => {
    const call = { from: 'shop/old', address: '10.0.0.3', to: 'shop/web:8080', isHttp: true, count: 2, lastSeenMs: 0 }
    const calls = [
      { ...call, transport: 'plaintext' as const },
      { ...call, from: 'shop/web', transport: 'mesh' as const },
    ]
    expect(strictAnswer({ calls, silent: [] }, { world, proxies, pods })).toEqual({
      safe: false,
      basis: 'traffic',
      plaintext: [{ from: 'shop/old', to: 'shop/web:8080', count: 2, lastSeen: '1970-01-01T00:00:00.000Z' }],
    })
    expect(strictAnswer({ calls: [], silent: [] }, { world, proxies, pods })).toEqual({ safe: true, basis: 'traffic', plaintext: [] })
    const silent = Array.from({ length: 7 }, (_, i) => `p${i}.shop`)
    const answer = strictAnswer({ calls: [], silent }, { world, proxies, pods })
    expect([answer.safe, answer.note]).toEqual([
      false,
      'who calls these proxies is not known, they do not tell: p0.shop, p1.shop, p2.shop, p3.shop, p4.shop and 2 more',
    ])
  })
})
