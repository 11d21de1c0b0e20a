import { describe, expect, test } from 'vitest'
import type { KindDefinition } from '../../kind.ts'
import { tableColumns } from '../../print/columns.ts'
import { BUILT_IN_KINDS } from '../../registry.ts'
import { created, refusals, updateRefusals } from '../../validation/create-as-server.ts'
import {
  backendTLSPolicies,
  gatewayClasses,
  gateways,
  grpcRoutes,
  httpRoutes,
  listenerSets,
  parseGatewayDuration,
  referenceGrants,
  tcpRoutes,
  tlsRoutes,
} from './index.ts'

const listening = (...listeners: object[]): object => ({ gatewayClassName: 'biplane', listeners })
const http = { name: 'a', port: 80, protocol: 'HTTP' }
const tls = { certificateRefs: [{ name: 's' }] }
const rule = (one: object): object => ({ rules: [one] })
const filters = (...list: object[]): object => rule({ filters: list })
const path = (value: string, type = 'PathPrefix'): object => rule({ matches: [{ path: { type, value } }] })
const at = 'spec.rules[0]'
const rewrite = { type: 'URLRewrite', urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/x' } } }
const redirect = { type: 'RequestRedirect', requestRedirect: { scheme: 'https' } }
const mirror = { type: 'RequestMirror', requestMirror: { backendRef: { name: 'b', port: 80 } } }
const backend = { name: 'b', port: 80 }
const validation = { hostname: 'b.example', wellKnownCACertificates: 'System' }
const target = { group: '', kind: 'Service', name: 'b' }

// kind, spec, what is wrong with it
const cases: [KindDefinition<any>, object, string[]][] = [
  [gatewayClasses, { controllerName: 'biplane.dev/gateway-controller' }, []],
  [
    gatewayClasses,
    { controllerName: 'biplane' },
    ['spec.controllerName: Invalid value: "biplane": must be a domain and a path such as example.com/controller'],
  ],
  [gateways, listening(http, { ...http, name: 'b', hostname: '*.example.com' }, { name: 'c', port: 443, protocol: 'HTTPS', tls }), []],
  [gateways, listening(), ['spec.listeners: Required value: must have at least 1 item']],
  [gateways, listening(http, { ...http, port: 81 }), ['spec.listeners[1].name: Duplicate value: "a"']],
  [
    gateways,
    listening(http, { ...http, name: 'b' }),
    ['spec.listeners[1]: Invalid value: "b": port, protocol and hostname together must be unique: another listener has the same'],
  ],
  [gateways, listening({ ...http, port: 0 }), ['spec.listeners[0].port: Invalid value: 0: must be between 1 and 65535, inclusive']],
  [
    gateways,
    listening({ ...http, hostname: 'Example.com' }),
    ['spec.listeners[0].hostname: Invalid value: "Example.com": must be a host name in lower case such as example.com or *.example.com'],
  ],
  [gateways, listening({ ...http, tls }), ['spec.listeners[0].tls: Forbidden: may not be set for protocol HTTP']],
  [
    gateways,
    listening({ ...http, protocol: 'HTTPS', tls: { mode: 'Passthrough' } }),
    [
      'spec.listeners[0].tls.mode: Invalid value: "Passthrough": must be Terminate for protocol HTTPS; use protocol TLS to pass connections through',
    ],
  ],
  [
    gateways,
    listening({ ...http, protocol: 'TLS' }),
    ['spec.listeners[0].tls.mode: Required value: Terminate or Passthrough, for protocol TLS'],
  ],
  [
    gateways,
    listening({ ...http, protocol: 'TCP', hostname: 'a.b' }),
    ['spec.listeners[0].hostname: Forbidden: may not be set for protocol TCP'],
  ],
  [
    gateways,
    listening({ ...http, protocol: 'HTTPS', tls: {} }),
    ['spec.listeners[0].tls.certificateRefs: Required value: certificateRefs or options must be specified when mode is Terminate'],
  ],
  [listenerSets, { parentRef: { name: 'g' }, listeners: [http] }, []],
  [
    listenerSets,
    { parentRef: { name: 'g' }, listeners: [http, http] },
    [
      'spec.listeners[1].name: Duplicate value: "a"',
      'spec.listeners[1]: Invalid value: "a": port, protocol and hostname together must be unique: another listener has the same',
    ],
  ],
  [referenceGrants, { from: [{ group: '', kind: 'Service', namespace: 'a' }], to: [{ group: '', kind: 'Secret' }] }, []],
  [referenceGrants, { from: [], to: [{ group: '', kind: 'Secret' }] }, ['spec.from: Required value: must have at least 1 item']],
  [backendTLSPolicies, { targetRefs: [target], validation }, []],
  [
    backendTLSPolicies,
    { targetRefs: [target], validation: { hostname: 'b.example' } },
    ['spec.validation.caCertificateRefs: Required value: caCertificateRefs or wellKnownCACertificates'],
  ],
  [
    backendTLSPolicies,
    { targetRefs: [target, { ...target, sectionName: 'https' }], validation },
    ['spec.targetRefs[1].sectionName: Required value: needed on all references to the same target'],
  ],
  [
    backendTLSPolicies,
    { targetRefs: [target], validation: { ...validation, subjectAltNames: [{ type: 'URI', hostname: 'a.b' }] } },
    [
      'spec.validation.subjectAltNames[0].hostname: Forbidden: may only be set for type Hostname',
      'spec.validation.subjectAltNames[0].uri: Required value: must be set for type URI',
    ],
  ],
  [httpRoutes, {}, []],
  [httpRoutes, { parentRefs: [{ name: 'g' }], hostnames: ['*.example.com'], ...rule({ backendRefs: [backend] }) }, []],
  [httpRoutes, rule({ backendRefs: [{ name: 'b' }] }), [`${at}.backendRefs[0].port: Required value: must have port for Service reference`]],
  [httpRoutes, path('x'), [`${at}.matches[0].path.value: Invalid value: "x": must be an absolute path and start with '/'`]],
  [httpRoutes, path('/a//b'), [`${at}.matches[0].path.value: Invalid value: "/a//b": must not contain '//'`]],
  [httpRoutes, path('/a/..'), [`${at}.matches[0].path.value: Invalid value: "/a/..": must not end with '/..'`]],
  [
    httpRoutes,
    path('/a b'),
    [`${at}.matches[0].path.value: Invalid value: "/a b": must have only letters, digits, percent escapes and -/._~!$&'()*+,;=:@`],
  ],
  [httpRoutes, path('a b', 'RegularExpression'), []],
  [httpRoutes, filters(redirect, rewrite), [`${at}.filters[0].requestRedirect: Forbidden: may not be used together with urlRewrite`]],
  [
    httpRoutes,
    rule({ matches: [{}, {}], filters: [rewrite] }),
    [
      `${at}.filters[0].urlRewrite.path.type: Invalid value: "ReplacePrefixMatch": exactly one match, of a path of type PathPrefix, must be specified when the prefix is replaced`,
    ],
  ],
  [
    httpRoutes,
    rule({ filters: [redirect], backendRefs: [backend] }),
    [`${at}.filters[0].requestRedirect: Forbidden: must not be used together with backendRefs`],
  ],
  [httpRoutes, filters(redirect, redirect), [`${at}.filters[1].type: Duplicate value: "RequestRedirect": this filter cannot be repeated`]],
  [httpRoutes, filters(mirror, mirror), []],
  [
    httpRoutes,
    filters({ type: 'RequestMirror', urlRewrite: {} }),
    [
      `${at}.filters[0].requestMirror: Required value: must be set for type RequestMirror`,
      `${at}.filters[0].urlRewrite: Forbidden: may only be set for type URLRewrite`,
    ],
  ],
  [
    httpRoutes,
    filters({ type: 'RequestMirror', requestMirror: { backendRef: backend, percent: 5, fraction: { numerator: 2, denominator: 1 } } }),
    [
      `${at}.filters[0].requestMirror.fraction: Forbidden: may not be set together with percent`,
      `${at}.filters[0].requestMirror.fraction.numerator: Invalid value: 2: must be less than or equal to denominator`,
    ],
  ],
  [
    httpRoutes,
    filters({
      type: 'RequestHeaderModifier',
      requestHeaderModifier: {
        set: [
          { name: 'a', value: 'b' },
          { name: 'a', value: 'c' },
        ],
      },
    }),
    [`${at}.filters[0].requestHeaderModifier.set[1].name: Duplicate value: "a"`],
  ],
  [
    httpRoutes,
    filters({ type: 'CORS', cors: { allowOrigins: ['*', 'https://a.b'] } }),
    [`${at}.filters[0].cors.allowOrigins: Invalid value: ["*","https://a.b"]: may not have others beside *`],
  ],
  [
    httpRoutes,
    rule({ timeouts: { request: '1s', backendRequest: '2s' } }),
    [`${at}.timeouts.backendRequest: Invalid value: "2s": cannot be longer than request timeout`],
  ],
  [httpRoutes, rule({ timeouts: { request: '0s', backendRequest: '2s' } }), []],
  [
    httpRoutes,
    rule({ timeouts: { request: '1.5s' } }),
    [`${at}.timeouts.request: Invalid value: "1.5s": must be a duration such as 10s or 1m30s`],
  ],
  [httpRoutes, { rules: [{ name: 'a' }, { name: 'a' }] }, ['spec.rules[1].name: Duplicate value: "a"']],
  [
    httpRoutes,
    { rules: Array.from({ length: 3 }, () => ({ matches: Array.from({ length: 43 }, () => ({})) })) },
    ['spec.rules: Too many: 129: must have at most 128 items'],
  ],
  [
    httpRoutes,
    { parentRefs: [{ name: 'g' }, { name: 'g' }] },
    ['spec.parentRefs[1]: Duplicate value: "g": sectionName or port must be unique among references to the same parent'],
  ],
  [
    httpRoutes,
    {
      parentRefs: [
        { name: 'g', port: 80 },
        { name: 'g', port: 81 },
      ],
    },
    [],
  ],
  [
    httpRoutes,
    { parentRefs: [{ name: 'g' }, { name: 'g', sectionName: 'a' }] },
    ['spec.parentRefs[1]: Required value: sectionName or port must be set on all references to the same parent'],
  ],
  [
    httpRoutes,
    rule({
      matches: [
        {
          headers: [
            { name: 'a', value: '1' },
            { name: 'a', value: '2' },
          ],
        },
      ],
    }),
    [`${at}.matches[0].headers[1].name: Duplicate value: "a"`],
  ],
  [
    httpRoutes,
    rule({ sessionPersistence: { cookie: { lifetimeType: 'Permanent' } } }),
    [`${at}.sessionPersistence.absoluteTimeout: Required value: must be set when lifetimeType is Permanent`],
  ],
  [grpcRoutes, rule({ matches: [{ method: { service: 'shop.v1.Cart', method: 'Add' } }] }), []],
  [
    grpcRoutes,
    rule({ matches: [{ method: {} }] }),
    [`${at}.matches[0].method: Required value: one or both of 'service' or 'method' must be specified`],
  ],
  [
    grpcRoutes,
    rule({ matches: [{ method: { service: 'a/b' } }] }),
    [`${at}.matches[0].method.service: Invalid value: "a/b": must be the full name of a service such as shop.v1.Cart`],
  ],
  [
    httpRoutes,
    filters({ type: 'RequestHeaderModifier', requestHeaderModifier: { remove: ['a', 'a'], set: [{ name: 'b', value: 'x\r\ny' }] } }),
    [
      `${at}.filters[0].requestHeaderModifier.remove[1]: Duplicate value: "a"`,
      `${at}.filters[0].requestHeaderModifier.set[0].value: Invalid value: "x\\r\\ny": must be visible ASCII with single spaces between`,
    ],
  ],
  [tcpRoutes, rule({ backendRefs: [backend] }), []],
  [tcpRoutes, { rules: [{ backendRefs: [backend] }, { backendRefs: [backend] }] }, ['spec.rules: Too many: 2: must have at most 1 item']],
  [tlsRoutes, { hostnames: ['a.example'], ...rule({ backendRefs: [backend] }) }, []],
  [
    tlsRoutes,
    { hostnames: ['192.0.2.1'], ...rule({ backendRefs: [backend] }) },
    ['spec.hostnames[0]: Invalid value: "192.0.2.1": must be a name, not an IP address'],
  ],
]

describe('kinds of gateway.networking.k8s.io', () => {
  test.each(cases.map(([kind, spec, errors]) => ({ kind, spec, errors, title: `${kind.kind} ${JSON.stringify(spec)}`.slice(0, 140) })))(
    '$title',
    ({ kind, spec, errors }) => {
      expect(refusals(kind, { metadata: { name: 'x' }, spec })).toEqual(errors)
    },
  )

  test('what a class is looked after by never changes', () => {
    const change = (kind: { spec: { controllerName: string } }): void => void (kind.spec.controllerName = 'b.example/c')
    expect(updateRefusals(gatewayClasses, { metadata: { name: 'x' }, spec: { controllerName: 'a.example/c' } }, change)).toEqual([
      'spec.controllerName: Invalid value: "b.example/c": field is immutable',
    ])
  })

  test('defaults: an empty group is core, an absent one is Gateway API', () => {
    const parentRefs = [{ name: 'g' }, { group: '', kind: 'Service', name: 's' }]
    expect(created(httpRoutes, { metadata: { name: 'x' }, spec: { parentRefs } }).spec).toEqual({
      parentRefs: [
        { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'g' },
        { group: '', kind: 'Service', name: 's' },
      ],
      rules: [{ matches: [{ path: { type: 'PathPrefix', value: '/' } }] }],
    })
    const { spec, status } = created(gateways, { metadata: { name: 'x' }, spec: listening({ ...http, protocol: 'HTTPS', tls }) })
    expect(spec.listeners[0]).toEqual({
      ...http,
      protocol: 'HTTPS',
      tls: { mode: 'Terminate', certificateRefs: [{ group: '', kind: 'Secret', name: 's' }] },
      allowedRoutes: { namespaces: { from: 'Same' } },
    })
    expect(status?.conditions?.map(({ type, status: state }) => [type, state])).toEqual([
      ['Accepted', 'Unknown'],
      ['Programmed', 'Unknown'],
    ])
  })

  test('older versions read what the newest stored, and the other way', () => {
    const older = BUILT_IN_KINDS.filter(({ group, storedAs }) => group === 'gateway.networking.k8s.io' && storedAs)
    expect(older.map(({ kind, version }) => `${version} ${kind}`)).toEqual([
      'v1beta1 GatewayClass',
      'v1beta1 Gateway',
      'v1beta1 HTTPRoute',
      'v1beta1 ReferenceGrant',
      'v1alpha3 BackendTLSPolicy',
      'v1alpha3 TLSRoute',
      'v1alpha2 TCPRoute',
      'v1alpha2 TLSRoute',
    ])
    for (const kind of older) {
      const object = { apiVersion: `${kind.group}/${kind.version}`, kind: kind.kind, metadata: { name: 'x' } }
      const stored = kind.storedAs!.encode(object)
      expect(stored.apiVersion).toBe('gateway.networking.k8s.io/v1')
      expect(kind.storedAs!.decode(stored)).toEqual(object)
    }
  })

  test('columns', () => {
    const gateway = {
      metadata: { name: 'g', namespace: 'default', creationTimestamp: '2026-01-31T11:55:00Z' },
      spec: { gatewayClassName: 'biplane', listeners: [] },
      status: { addresses: [{ value: '192.0.2.1' }, { value: '2001:db8::1' }], conditions: [{ type: 'Programmed', status: 'True' }] },
    }
    const cells = tableColumns(gateways).map(({ name, value }) => [name, value(gateway as never, Date.parse('2026-01-31T12:00:00Z'))])
    expect(cells).toEqual([
      ['Name', 'g'],
      ['Class', 'biplane'],
      ['Address', '192.0.2.1,2001:db8::1'],
      ['Programmed', 'True'],
      ['Age', '5m'],
    ])
  })

  test.each([
    ['10s', 10_000],
    ['1h2m3s4ms', 3_723_004],
    ['500ms', 500],
    ['', undefined],
    ['1.5s', undefined],
    ['100000s', undefined],
  ])('duration %j', (text, ms) => {
    expect(parseGatewayDuration(text)).toBe(ms)
  })

  test('patterns take linear time on what is nearly right', () => {
    const value = `${'a'.repeat(4095)}\u0000`
    const before = process.cpuUsage().user
    expect(refusals(httpRoutes, { metadata: { name: 'x' }, spec: rule({ matches: [{ headers: [{ name: 'a', value }] }] }) })).toHaveLength(
      1,
    )
    expect(process.cpuUsage().user - before).toBeLessThan(1_000_000)
  })
})
