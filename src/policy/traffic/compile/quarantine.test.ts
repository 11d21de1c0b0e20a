import { describe, expect, test } from 'vitest'
import type { PolicyPlugin, TrafficPolicy } from '../input/index.ts'
import { compileRbac, Peer, requestView } from '../evaluate/index.ts'
import { inboundName, OUTBOUND_ANY, type FilterChain, type Listener, type ProxySettings, type Rbac } from '../model/index.ts'
import { POLICY_PLUGINS } from '../policies/index.ts'
import { closedOutbound } from './closed.ts'
import { Compiler, type CompiledProxy, type CompilerOptions } from './index.ts'
import { endpoint, origin, proxy, route, service, worldOf } from './test-world.ts'

const SERVICES = [service('cart', { endpoints: [endpoint('10.0.0.5')] }), service('db', { protocol: 'tcp' })]
const PORTS = [{ port: 8080, name: 'http', protocol: 'http' as const, services: [] }]
const WEB = 'spiffe://default.mesh.local/ns/shop/sa/web'

const policy = (type: string, conf: unknown, more: Partial<TrafficPolicy> = {}): TrafficPolicy => ({
  type,
  origin: origin(more.origin?.name ?? 'bad', type),
  proxies: {},
  rank: [0],
  rules: [{ matches: [], conf }],
  ...more,
})
const compiled = (policies: readonly TrafficPolicy[], options: CompilerOptions = {}, plugins = POLICY_PLUGINS): CompiledProxy =>
  new Compiler(worldOf(SERVICES, { policies }), plugins, undefined, options).compile(proxy('a', { ports: PORTS }))
const listener = ({ resources }: CompiledProxy, name: string): Listener | undefined =>
  resources.find(({ type, value }) => type === 'listener' && value.name === name)?.value as Listener | undefined
const chain = (result: CompiledProxy, name: string): FilterChain | undefined =>
  listener(result, inboundName(8080))?.chains.find((one) => one.name === name)
const texts = ({ findings }: CompiledProxy): readonly string[] =>
  findings.map(({ origin: { kind, name }, reason, message }) => `${kind}/${name} ${reason}: ${message}`)

/** What becomes of GET / by a caller of the mesh, as all of a chain's rules have it. */
function verdict(one: FilterChain | undefined, identity: string | undefined): string {
  const peer = new Peer({ address: '10.0.0.9', port: 8080, ...(identity === undefined ? {} : { identity }) })
  const rbacs: Rbac[] = [
    ...(one?.connection?.rbac ? [one.connection.rbac] : []),
    ...(one?.http?.filters ?? []).flatMap((filter) => (filter.type === 'rbac' ? [filter.rbac] : [])),
  ]
  const decided = rbacs.map((rbac) => compileRbac(rbac).decide(peer, requestView({})).verdict)
  return decided.includes('deny') ? 'deny' : 'allow'
}

const allow = (name: string, identity: string): TrafficPolicy =>
  policy(
    'MeshTrafficPermission',
    { deny: [], shadowDeny: [], allow: [{ name, match: { spiffeId: { exact: identity } } }] },
    { origin: origin(name, 'MeshTrafficPermission') },
  )

describe('a policy that no proxy could execute', () => {
  const broken: PolicyPlugin<unknown> = {
    type: 'Broken',
    merge: () => ({}),
    cluster: (_, cluster) => {
      if (cluster.name === 'shop/cart|80') throw new Error('cannot do that')
      return cluster
    },
    inboundHttp: () => {
      throw new Error('nor that')
    },
    proxy: () => {
      throw new Error('nor the whole')
    },
  }
  const whole: TrafficPolicy = policy('Broken', {}, { to: [{ target: {}, conf: {} }], conf: {} })

  test('is left out, its author told, and the rest holds: no port and no service goes', () => {
    const timeout = policy('MeshTimeout', {}, { to: [{ target: {}, conf: { connectionTimeout: 7 } }], rules: [] })
    const result = compiled([whole, timeout, allow('web-may', WEB)], {}, [broken, ...POLICY_PLUGINS])
    expect(texts(result)).toEqual([
      'Broken/bad NotCompiled: cannot be carried out for port 8080: nor that; it is left out there',
      'Broken/bad NotCompiled: cannot be carried out for its proxies as a whole: nor the whole; it is left out there',
      'Broken/bad NotCompiled: cannot be carried out for port 80 of service shop/cart: cannot do that; it is left out there',
    ])
    expect(listener(result, 'outbound|10.96.0.4|80')?.chains[0]?.http).toBeDefined()
    expect(result.resources.find(({ value }) => value.name === 'shop/cart|80')?.value).toMatchObject({ connectTimeoutMs: 7 })
    expect([verdict(chain(result, 'mesh'), WEB), verdict(chain(result, 'mesh'), 'spiffe://x/ns/y/sa/z')]).toEqual(['allow', 'deny'])
    expect(result.resources.some(({ type }) => type === 'proxy')).toBe(true)
  })

  test('is the one that goes, of several of its kind', () => {
    const picky: PolicyPlugin<{ bad?: boolean; name?: string }> = {
      type: 'Picky',
      merge: (confs) => ({ ...Object.assign({}, ...confs), bad: confs.some(({ bad }) => bad) }),
      cluster(conf, cluster) {
        if (conf.bad) throw new Error('no')
        return { ...cluster, statName: conf.name ?? '' }
      },
    }
    const to = (conf: unknown) => ({ to: [{ target: {}, conf }], rules: [] })
    const good = policy('Picky', {}, { ...to({ name: 'good' }), origin: origin('good', 'Picky') })
    const bad = policy('Picky', {}, { ...to({ bad: true, name: 'bad' }), origin: origin('bad', 'Picky') })
    const result = compiled([good, bad], {}, [picky])
    expect(result.resources.find(({ value }) => value.name === 'shop/cart|80')?.value).toMatchObject({ statName: 'good' })
    expect(new Set(result.findings.map(({ origin: { name } }) => name))).toEqual(new Set(['bad']))
  })

  test.each([
    ['of a response header', 'MeshRetry', { http: { retriableResponseHeaders: [{ type: 'RegularExpression', name: 'x', value: '(' }] } }],
    ['of a metric', 'MeshMetric', { sidecar: { profiles: { include: [{ type: 'Regex', match: '(?=x)' }] } } }],
  ])('has a pattern %s that is none: left out, and told before any proxy refuses it', (_, type, conf) => {
    const result = compiled([policy(type, {}, { rules: [], ...(type === 'MeshMetric' ? { conf } : { to: [{ target: {}, conf }] }) })])
    expect(texts(result)).toEqual([
      expect.stringMatching(new RegExp(`^${type}/bad NotCompiled: cannot be carried out: regular expression .* it is left out$`)),
    ])
    expect(JSON.stringify(result.resources)).not.toMatch(/retriableResponseHeaders":\[|\(\?=x/)
  })
})

describe('what judges fails closed', () => {
  const BAD_ID = { spiffeId: { regex: '(' } }
  const authorization = (conf: unknown): TrafficPolicy => policy('MeshAuthorizationPolicy', conf)
  const NONE = { deny: [], allow: [] }
  const rule = { name: 'r', principals: [], requests: [{ paths: [{ regex: '[' }] }] }

  test.each<[string, TrafficPolicy]>([
    [
      'a permission whose denials cannot be read',
      policy('MeshTrafficPermission', { deny: [{ name: 'bad', match: BAD_ID }], shadowDeny: [], allow: [] }),
    ],
    ['a permission of no form at all', policy('MeshTrafficPermission', undefined)],
    ['an authorization whose denials cannot be', authorization({ rbac: { deny: [rule], allow: [] }, dryRun: NONE, custom: [] })],
    ['an authorization of no form at all', authorization(null)],
    ['an authentication of no form at all', policy('MeshRequestAuthentication', null)],
  ])('%s: nobody gets in, whatever others allow', (_, bad) => {
    const result = compiled([bad, allow('web-may', WEB)])
    expect(verdict(chain(result, 'mesh'), WEB)).toBe('deny')
    expect(texts(result)).toEqual([
      expect.stringMatching(/bad NotCompiled: cannot be carried out: .*; it is not in force, and what it targets is closed$/),
    ])
    expect(listener(result, 'outbound|10.96.0.4|80')?.chains[0]?.http).toBeDefined()
  })

  test('one that only allows lets nobody in, and what others allow stays allowed', () => {
    const bad = policy('MeshTrafficPermission', { deny: [], shadowDeny: [], allow: [{ name: 'bad', match: BAD_ID }] })
    expect(verdict(chain(compiled([bad]), 'mesh'), WEB)).toBe('deny')
    const both = compiled([bad, allow('web-may', WEB)])
    expect([verdict(chain(both, 'mesh'), WEB), verdict(chain(both, 'mesh'), 'spiffe://x/ns/y/sa/z')]).toEqual(['allow', 'deny'])
  })

  test('an authorization that only allows refuses callers in plain text, too', () => {
    const result = compiled([authorization({ rbac: { deny: [], allow: [rule] }, dryRun: NONE, custom: [] })])
    expect(verdict(chain(result, 'plaintext'), undefined)).toBe('deny')
  })

  test('an authorization on trial is left out: it would have refused nothing', () => {
    const result = compiled([authorization({ rbac: NONE, dryRun: { deny: [rule], allow: [] }, custom: [] }), allow('web-may', WEB)])
    expect(verdict(chain(result, 'mesh'), WEB)).toBe('allow')
  })

  test('MeshTLS: strict; MeshPassthrough: nothing passes', () => {
    const tls = compiled([policy('MeshTLS', { mode: 'Permissive' })], { quarantined: new Set(['MeshTLS/shop/bad']) })
    expect(listener(tls, inboundName(8080))?.chains.map(({ name }) => name)).toEqual(['mesh'])
    const all = policy('MeshPassthrough', undefined, { rules: [], conf: { passthroughMode: 'All' } })
    const passthrough = compiled([all], { quarantined: new Set(['MeshPassthrough/shop/bad']) })
    expect(listener(passthrough, OUTBOUND_ANY)).toBeUndefined()
    expect(passthrough.resources.find(({ type }) => type === 'proxy')?.value as ProxySettings).toMatchObject({ passthrough: 'none' })
  })

  test('is for what it targets alone', () => {
    const bad = policy('MeshTrafficPermission', undefined, { proxies: { labels: { app: 'other' } } })
    const result = compiled([bad, allow('web-may', WEB)])
    expect(verdict(chain(result, 'mesh'), WEB)).toBe('allow')
    expect(result.findings).toEqual([])
    expect(new Compiler(worldOf([], { policies: [bad] }), POLICY_PLUGINS).findings).toMatchObject([
      { reason: 'NotCompiled', origin: { name: 'bad' } },
    ])
  })
})

describe('what a proxy has refused', () => {
  const timeout = policy('MeshTimeout', {}, { to: [{ target: {}, conf: { connectionTimeout: 7 } }], rules: [] })

  test('is not carried out, the rest of the configuration goes on', () => {
    const result = compiled([timeout, allow('web-may', WEB)], { quarantined: new Set(['MeshTimeout/shop/bad']) })
    expect(result.resources.find(({ value }) => value.name === 'shop/cart|80')?.value).not.toHaveProperty('connectTimeoutMs')
    expect(verdict(chain(result, 'mesh'), WEB)).toBe('allow')
    expect(texts(result)).toEqual(['MeshTimeout/bad Quarantined: a proxy has refused what it makes of this policy: it is left out'])
  })

  test('is carried out again once it is out of quarantine', () => {
    const world = worldOf(SERVICES, { policies: [timeout] })
    const first = new Compiler(world, POLICY_PLUGINS, undefined, { quarantined: new Set(['MeshTimeout/shop/bad']) })
    first.compile(proxy('a'))
    expect(new Compiler(world, POLICY_PLUGINS, first).compile(proxy('a'))).toEqual(new Compiler(world, POLICY_PLUGINS).compile(proxy('a')))
  })

  test('a permission is closed by its denials, or lets in whom others name', () => {
    const quarantined = new Set(['MeshTrafficPermission/shop/db-may'])
    const result = compiled([allow('db-may', 'spiffe://default.mesh.local/ns/shop/sa/db'), allow('web-may', WEB)], { quarantined })
    const ids = [WEB, 'spiffe://default.mesh.local/ns/shop/sa/db']
    expect(ids.map((id) => verdict(chain(result, 'mesh'), id))).toEqual(['allow', 'deny'])
  })

  test('a route keeps its place without its rules: nothing that it stood before is open to all', () => {
    const world = worldOf(SERVICES, { routes: [route('split', 'db')] })
    const { resources, findings } = new Compiler(world, POLICY_PLUGINS, undefined, {
      quarantined: new Set(['HTTPRoute/shop/split']),
    }).compile(proxy('a'))
    const table = resources.find(({ type, value }) => type === 'route' && value.name === 'outbound|cart.shop:80')?.value
    expect(table).toMatchObject({ virtualHosts: [{ domains: ['*'], routes: [] }] })
    expect(findings).toMatchObject([{ reason: 'Quarantined', origin: { kind: 'HTTPRoute', name: 'split' } }])
  })
})

describe('what cannot be compiled at all', () => {
  const always: PolicyPlugin<unknown> = {
    type: 'Always',
    always: true,
    merge: () => ({}),
    inboundChains: () => {
      throw new Error('no chains')
    },
    outboundHttp: () => {
      throw new Error('no calls')
    },
  }

  test('is closed: a port of the application does not become one that nobody declares', () => {
    const result = compiled([], {}, [always])
    expect(listener(result, inboundName(8080))?.chains).toEqual([
      { name: 'closed', match: {}, tcp: { statPrefix: 'closed', clusters: [], accessLogs: [] } },
    ])
    expect(texts(result)[0]).toBe('Pod/a NotCompiled: port 8080 cannot be compiled and is closed: no chains')
  })

  test('is closed: a service address is never taken for something outside of the mesh', () => {
    const unreadable = service('pay', {
      kind: 'MeshExternalService',
      vips: ['240.0.0.1', 'fd00::1'],
      external: { discovery: { type: 'dns', hosts: null as never } },
    })
    const result = new Compiler(worldOf([...SERVICES, unreadable]), POLICY_PLUGINS).compile(proxy('a'))
    for (const name of ['outbound|240.0.0.1|80', 'outbound|fd00::1|80'])
      expect(listener(result, name)?.chains).toMatchObject([{ name: 'closed', tcp: { clusters: [] } }])
    expect(listener(result, 'outbound|10.96.0.4|80')?.chains[0]?.http).toBeDefined()
    expect(texts(result)).toEqual([
      expect.stringMatching(/^MeshExternalService\/pay NotCompiled: port 80 of service shop\/pay cannot be compiled and is closed: /),
    ])
  })

  test('headless services, too', () => {
    const own = service('own', { headless: true, vips: [], endpoints: [endpoint('10.0.0.7')] })
    expect(closedOutbound(own, own.ports[0]!).map(({ name, chains }) => [name, chains[0]?.tcp?.clusters])).toEqual([
      ['outbound|10.0.0.7|8080', []],
    ])
  })
})
