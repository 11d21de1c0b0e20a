import { describe, expect, test } from 'vitest'
import type { KindDefinition } from '../../kind.ts'
import { BUILT_IN_KINDS } from '../../registry.ts'
import { parseKumaBandwidth, parseKumaDuration, parseKumaPercent } from './kuma-duration.ts'

const kindOf = (kind: string): KindDefinition<any> => BUILT_IN_KINDS.find((one) => one.kind === kind && /kuma|biplane/.test(one.group))!
const errorsOf = (kind: string, spec: unknown): string[] =>
  kindOf(kind).strategy!.validate!({ metadata: { name: 'one' }, spec } as any).map(({ field, message }) => `${field}: ${message}`)
const warningsOf = (kind: string, spec: unknown): readonly string[] =>
  kindOf(kind).strategy!.warnings!({ metadata: { name: 'one' }, spec } as any)

const to = (conf: object, targetRef: object = { kind: 'Mesh' }): object => ({ to: [{ targetRef, default: conf }] })

/** The value without one field, anywhere in it: what a schema requires may be missing when a strategy looks. */
function* withoutOneField(value: unknown): Generator<unknown> {
  if (value === null || typeof value !== 'object') return
  for (const [key, inner] of Object.entries(value)) {
    if (!Array.isArray(value)) yield Object.fromEntries(Object.entries(value).filter(([other]) => other !== key))
    for (const less of withoutOneField(inner)) yield Array.isArray(value) ? value.with(Number(key), less) : { ...value, [key]: less }
  }
}

describe('wrong objects are refused where they are wrong', () => {
  test.each<[string, unknown, string]>([
    ['MeshTimeout', {}, 'spec.to: Required value: at least one of to, rules, from is needed'],
    ['MeshTimeout', to({}), 'spec.to[0].default: Required value: must set at least one of connectionTimeout, idleTimeout, http'],
    [
      'MeshTimeout',
      to({ http: { requestTimeout: '5 parsecs' } }),
      'spec.to[0].default.http.requestTimeout: Invalid value: "5 parsecs": must be a duration',
    ],
    ['MeshTimeout', to({ idleTimeout: '1s' }, { kind: 'Dataplane' }), 'spec.to[0].targetRef.kind: Unsupported value: "Dataplane"'],
    [
      'MeshTimeout',
      to({ idleTimeout: '1s' }, { kind: 'MeshService' }),
      'spec.to[0].targetRef.name: Required value: kind MeshService needs a name or labels',
    ],
    [
      'MeshTimeout',
      { ...to({ idleTimeout: '1s' }), targetRef: { kind: 'Mesh', name: 'x' } },
      'spec.targetRef.name: Forbidden: may not be set for kind Mesh',
    ],
    [
      'MeshTimeout',
      { ...to({ idleTimeout: '1s' }), targetRef: { kind: 'Dataplane', name: 'x', labels: { a: 'b' } } },
      'spec.targetRef.labels: Forbidden: may not be set together with name',
    ],
    ['MeshTrafficPermission', { rules: [{ default: { action: 'Allow' } }] }, 'spec.rules[0].default.action: Forbidden'],
    ['MeshTrafficPermission', { rules: [{ default: { allow: [{}] } }] }, 'spec.rules[0].default.allow[0].spiffeID: Required value'],
    [
      'MeshTrafficPermission',
      { rules: [{ default: { deny: [{ spiffeID: { type: 'Exact', value: 'cart' } }] } }] },
      'spec.rules[0].default.deny[0].spiffeID.value: Invalid value: "cart": must begin with spiffe://',
    ],
    [
      'MeshTrafficPermission',
      { rules: [{ default: { allow: [] } }], from: [{ targetRef: { kind: 'Mesh' }, default: { action: 'Allow' } }] },
      'spec.from: Forbidden: may not be set together with rules',
    ],
    [
      'MeshTLS',
      { rules: [{ default: { tlsVersion: { min: 'TLS13', max: 'TLS12' } } }] },
      'spec.rules[0].default.tlsVersion: Invalid value',
    ],
    ['MeshRetry', to({ http: { retryOn: ['Whenever'] } }), 'spec.to[0].default.http.retryOn[0]: Invalid value: "Whenever"'],
    ['MeshRetry', to({ http: { numRetries: 101 } }), 'spec.to[0].default.http.numRetries: Invalid value: 101: must be between 0 and 100'],
    ['MeshRetry', to({ tcp: { maxConnectAttempt: 0 } }), 'spec.to[0].default.tcp.maxConnectAttempt: Invalid value: 0'],
    [
      'MeshCircuitBreaker',
      to({ outlierDetection: { maxEjectionPercent: 101 } }),
      'spec.to[0].default.outlierDetection.maxEjectionPercent: Invalid value: 101',
    ],
    [
      'MeshRateLimit',
      { rules: [{ default: { local: {} } }] },
      'spec.rules[0].default.local: Required value: must set at least one of http, tcp',
    ],
    [
      'MeshRateLimit',
      { rules: [{ default: { local: { http: { requestRate: { num: 5 } } } } }] },
      'spec.rules[0].default.local.http.requestRate.interval: Required value',
    ],
    [
      'MeshFaultInjection',
      { rules: [{ default: { http: [{ abort: { httpStatus: 500 } }] } }] },
      'spec.rules[0].default.http[0].abort.percentage: Required value',
    ],
    [
      'MeshFaultInjection',
      { rules: [{ default: { http: [{ responseBandwidth: { limit: 'fast', percentage: 1 } }] } }] },
      'spec.rules[0].default.http[0].responseBandwidth.limit: Invalid value: "fast"',
    ],
    ['MeshHealthCheck', to({ interval: '1s' }), 'spec.to[0].default: Required value: must set at least one of http, tcp, grpc'],
    ['MeshLoadBalancingStrategy', to({ hashPolicies: [{ type: 'Header' }] }), 'spec.to[0].default.hashPolicies[0].header: Required value'],
    ['MeshAccessLog', to({ backends: [{ type: 'File' }] }), 'spec.to[0].default.backends[0].file: Required value: type File needs it'],
    [
      'MeshTrace',
      { default: { sampling: { overall: '100.5' } } },
      'spec.default.sampling.overall: Invalid value: "100.5": must be a percentage',
    ],
    ['MeshPassthrough', { default: { passthroughMode: 'Matched' } }, 'spec.default.appendMatch: Required value'],
    [
      'MeshPassthrough',
      { default: { appendMatch: [{ type: 'Domain', value: 'a.example', protocol: 'tcp' }] } },
      'spec.default.appendMatch[0].protocol: Invalid value: "tcp": a domain is seen in tls',
    ],
    [
      'MeshProxyPatch',
      { default: { appendModifications: [{ cluster: {}, listener: {} }] } },
      'spec.default.appendModifications[0]: Required value: must set exactly one',
    ],
    [
      'MeshHTTPRoute',
      { to: [{ targetRef: { kind: 'MeshService', name: 'a' }, rules: [{ default: {} }] }] },
      'spec.to[0].rules[0].matches: Required value',
    ],
    [
      'MeshHTTPRoute',
      {
        to: [
          { targetRef: { kind: 'MeshService', name: 'a' }, rules: [{ matches: [{ path: { type: 'Exact', value: 'x' } }], default: {} }] },
        ],
      },
      'spec.to[0].rules[0].matches[0].path.value: Invalid value: "x": must begin with /',
    ],
    [
      'MeshHTTPRoute',
      {
        to: [{ targetRef: { kind: 'MeshService', name: 'a' }, rules: [{ matches: [{}], default: { filters: [{ type: 'URLRewrite' }] } }] }],
      },
      'spec.to[0].rules[0].default.filters[0].urlRewrite: Required value',
    ],
    [
      'MeshTCPRoute',
      { to: [{ targetRef: { kind: 'MeshService', name: 'a' }, rules: [{ default: {} }] }] },
      'spec.to[0].rules[0].default.backendRefs: Required value',
    ],
    [
      'Mesh',
      { mtls: { enabledBackend: 'b', backends: [{ name: 'a', type: 'builtin' }] } },
      'spec.mtls.enabledBackend: Invalid value: "b": must be the name of one',
    ],
    ['Mesh', { mtls: { backends: [{ name: 'a', type: 'vault' }] } }, 'spec.mtls.backends[0].type: Unsupported value: "vault"'],
    ['MeshTrust', { trustDomain: 'a', caBundles: [{ type: 'Pem', pem: { value: 'x' } }] }, 'spec.caBundles[0].pem.value: Invalid value'],
    ['HostnameGenerator', { template: '{{ .Bad }}', selector: { meshService: {} } }, 'spec.template: Invalid value: "{{ .Bad }}"'],
    [
      'MeshExternalService',
      { match: { port: 70_000 }, endpoints: [{ address: 'a', port: 1 }] },
      'spec.match.port: Invalid value: 70000: must be between 1 and 65535',
    ],
    [
      'MeshRequestAuthentication',
      { providers: [{ name: 'a', issuer: 'b' }] },
      'spec.providers[0].jwks: Required value: must set exactly one',
    ],
    [
      'MeshRequestAuthentication',
      { providers: [{ name: 'a', issuer: 'b', jwks: '{"keys":[{"kty":"oct","k":"x"}]}' }] },
      'spec.providers[0].jwks: Invalid value: "(hidden)": must hold public keys alone',
    ],
    ['MeshAuthorizationPolicy', { action: 'Custom' }, 'spec.custom: Required value'],
    [
      'MeshAuthorizationPolicy',
      { action: 'Deny', rules: [{ from: [{}] }] },
      'spec.rules[0].from[0]: Required value: an empty peer is everybody',
    ],
  ])('%s %j', (kind, spec, text) => {
    for (const less of withoutOneField(spec)) expect(() => errorsOf(kind, less)).not.toThrow()
    expect(
      errorsOf(kind, spec).some((error) => error.startsWith(text)),
      errorsOf(kind, spec).join('\n'),
    ).toBe(true)
  })
})

test.each<[string, unknown, string[]]>([
  [
    'Mesh',
    { mtls: { backends: [{ name: 'a', type: 'builtin' }], enabledBackend: 'a' } },
    ['spec.mtls: deprecated since Kuma 3; use MeshIdentity and MeshTLS'],
  ],
  ['Mesh', { meshServices: { mode: 'Exclusive' } }, []],
  [
    'MeshTrafficPermission',
    { targetRef: { kind: 'Dataplane' }, from: [{ targetRef: { kind: 'MeshSubset', tags: { app: 'a' } }, default: { action: 'Allow' } }] },
    [
      'spec.from: deprecated since Kuma 3; use spec.rules, whose matches name SPIFFE ids',
      'spec.from[0].default.action: deprecated since Kuma 3; use allow, deny or allowWithShadowDeny of spec.rules',
    ],
  ],
  [
    'MeshTimeout',
    { targetRef: { kind: 'MeshSubset' }, ...to({ idleTimeout: '1s' }) },
    ['spec.targetRef.kind: MeshSubset is deprecated since Kuma 3; use Dataplane with labels'],
  ],
  [
    'MeshGatewayInstance',
    {},
    ['kuma.io/v1alpha1 MeshGatewayInstance is deprecated since Kuma 3; use gateway.networking.k8s.io/v1 Gateway'],
  ],
])('%s in the words of Kuma 2 is taken with warnings: %j', (kind, spec, warnings) => {
  expect(warningsOf(kind, spec)).toEqual(warnings)
  if (kind !== 'MeshGatewayInstance') expect(errorsOf(kind, spec)).toEqual([])
})

test('durations, percentages and bandwidths', () => {
  expect(['0', '5s', '1h30m', '100ms', '1d', '1.5s', '-1s', '5', '', 's', '1s '].map(parseKumaDuration)).toEqual([
    0,
    5000,
    5_400_000,
    100,
    86_400_000,
    1500,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ])
  expect([0, 100, '0.5', '50', 101, -1, '1e1', 'x'].map(parseKumaPercent)).toEqual([
    0,
    100,
    0.5,
    50,
    undefined,
    undefined,
    undefined,
    undefined,
  ])
  expect(['8kbps', '1.6 Mbps', '1Gbps', '10bps'].map(parseKumaBandwidth)).toEqual([1000, 200_000, 125_000_000, undefined])
})
