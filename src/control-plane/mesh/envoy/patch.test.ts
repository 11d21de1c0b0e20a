import { describe, expect, test } from 'vitest'
import type { Cluster, ProxyPatchModification, ProxySettings } from '../../../policy/traffic/model/index.ts'
import { decode } from '../../../protocols/xds/index.ts'
import { envoyGenerator, generateEnvoy, type EnvoyInput, type EnvoyOutput } from './index.ts'

const settings: ProxySettings = {
  name: 'web.a',
  trust: { 'mesh.test': [] },
  metrics: { profile: 'all', include: [], exclude: [], includeUnused: false, applications: [] },
  passthrough: 'none',
}
const reviews: Cluster = {
  name: 'reviews',
  discovery: { type: 'eds', name: 'reviews' },
  protocol: 'http',
  loadBalancer: { type: 'roundRobin' },
  limits: {},
  healthChecks: [],
}
const INPUT: EnvoyInput = {
  settings,
  clusters: [reviews, { ...reviews, name: 'ratings' }],
  endpoints: [{ name: 'reviews', endpoints: [] }],
  secrets: [],
  routes: [
    {
      name: 'r',
      virtualHosts: [
        {
          name: 'v',
          domains: ['*'],
          routes: [{ name: 'all', match: {}, action: { type: 'forward', clusters: [{ cluster: 'reviews', weight: 1 }] } }],
        },
      ],
    },
  ],
  listeners: [
    {
      name: 'outbound|10.0.0.1|80',
      direction: 'outbound',
      address: { address: '10.0.0.1', port: 80 },
      protocol: 'http',
      chains: [
        {
          name: 'c',
          match: {},
          http: { statPrefix: 'x', routes: 'r', filters: [], timeouts: {}, accessLogs: [], appendForwardedFor: false },
        },
      ],
    },
  ],
  interception: 'redirect',
  place: { labels: {} },
}

const patched = (...modifications: readonly ProxyPatchModification[]): EnvoyOutput =>
  generateEnvoy({
    ...INPUT,
    settings: {
      ...settings,
      patches: [{ origin: { kind: 'MeshProxyPatch', group: 'kuma.io', namespace: 'a', name: 'p' }, modifications }],
    },
  })
const named = (output: EnvoyOutput, type: 'cluster' | 'listener' | 'route', name: string): any =>
  output.resources[type].find((one) => one.name === name)?.value
const httpFilters = (output: EnvoyOutput): readonly string[] =>
  named(output, 'listener', 'outbound|10.0.0.1|80').filter_chains[0].filters[0].typed_config.http_filters.map(
    ({ name }: { name: string }) => name,
  )

const LUA = {
  name: 'lua',
  typedConfig: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua', defaultSourceCode: { inlineString: '' } },
}

describe('MeshProxyPatch', () => {
  test('adds, merges into and removes clusters, in either spelling', () => {
    const output = patched(
      { target: 'cluster', operation: 'Add', value: { name: 'mine', connectTimeout: '7s' } },
      {
        target: 'cluster',
        operation: 'Patch',
        match: { name: 'reviews' },
        value: { connect_timeout: '9s', circuitBreakers: { thresholds: [{ maxRetries: 1 }] } },
      },
      { target: 'cluster', operation: 'Remove', match: { name: 'ratings' } },
    )
    expect(output.unsupported).toEqual([])
    expect(output.resources.cluster.map(({ name }) => name)).toEqual(['mine', 'reviews'])
    expect(named(output, 'cluster', 'mine')).toEqual({ name: 'mine', connect_timeout: '7s' })
    expect(named(output, 'cluster', 'reviews')).toMatchObject({ connect_timeout: '9s', lb_policy: 'ROUND_ROBIN' })
  })

  test('JSON patches find fields in either spelling', () => {
    const output = patched({
      target: 'cluster',
      operation: 'Patch',
      match: { name: 'reviews' },
      jsonPatches: [
        { op: 'replace', path: '/connectTimeout', value: '77s' },
        { op: 'add', path: '/common_lb_config/closeConnectionsOnHostSetChange', value: true },
      ],
    })
    expect(output.unsupported).toEqual([])
    expect(named(output, 'cluster', 'reviews')).toMatchObject({
      connect_timeout: '77s',
      common_lb_config: { close_connections_on_host_set_change: true },
    })
  })

  test.each([
    ['AddFirst', undefined, ['lua', 'session', 'envoy.filters.http.router']],
    ['AddLast', undefined, ['session', 'lua', 'envoy.filters.http.router']],
    ['AddBefore', 'session', ['lua', 'session', 'envoy.filters.http.router']],
    ['AddAfter', 'session', ['session', 'lua', 'envoy.filters.http.router']],
    ['Remove', 'session', ['envoy.filters.http.router']],
  ] as const)('%s of HTTP filters', (operation, name, expected) => {
    const output = patched({ target: 'httpFilter', operation, ...(name === undefined ? {} : { match: { name } }), value: LUA })
    expect(output.unsupported).toEqual([])
    expect(httpFilters(output)).toEqual(expected)
  })

  test('network filters and virtual hosts', () => {
    const output = patched(
      { target: 'networkFilter', operation: 'AddFirst', match: { listenerName: 'outbound|10.0.0.1|80' }, value: { name: 'first' } },
      { target: 'virtualHost', operation: 'Add', match: { routeConfigurationName: 'r' }, value: { name: 'w', domains: ['w.test'] } },
      { target: 'virtualHost', operation: 'Patch', match: { name: 'w' }, value: { domains: ['x.test'] } },
    )
    expect(output.unsupported).toEqual([])
    expect(
      named(output, 'listener', 'outbound|10.0.0.1|80').filter_chains[0].filters.map((filter: { name: string }) => filter.name),
    ).toEqual(['first', 'envoy.filters.network.http_connection_manager'])
    expect(named(output, 'route', 'r').virtual_hosts[1]).toEqual({ name: 'w', domains: ['w.test', 'x.test'] })
  })

  test.each<[ProxyPatchModification, string]>([
    [
      { target: 'cluster', operation: 'Patch', match: { name: 'reviews' }, value: { conectTimeout: '1s' } },
      'conectTimeout: envoy.config.cluster.v3.Cluster has no such field',
    ],
    [
      { target: 'cluster', operation: 'Patch', match: { name: 'reviews' }, value: { connectTimeout: 'soon' } },
      'connect_timeout: a duration is',
    ],
    [
      { target: 'cluster', operation: 'Patch', match: { name: 'reviews' }, value: { name: 'other' } },
      'the name of a resource cannot be changed',
    ],
    [{ target: 'cluster', operation: 'Add', value: {} }, 'what is added has no name'],
    [{ target: 'cluster', operation: 'AddFirst', value: { name: 'x' } }, 'AddFirst is no operation of clusters'],
    [
      { target: 'cluster', operation: 'Patch', match: { name: 'reviews' }, jsonPatches: [{ op: 'remove', path: '/nope' }] },
      'modification 0 is left out',
    ],
  ])('%j is refused with a reason, and the rest goes on', (modification, reason) => {
    const output = patched(modification, { target: 'cluster', operation: 'Add', value: { name: 'mine' } })
    expect(output.unsupported).toHaveLength(1)
    expect(output.unsupported[0]?.reason).toContain('MeshProxyPatch/a/p: modification 0 is left out: ')
    expect(output.unsupported[0]?.reason).toContain(reason)
    expect(named(output, 'cluster', 'reviews')).toEqual(named(generateEnvoy(INPUT), 'cluster', 'reviews'))
    expect(named(output, 'cluster', 'mine')).toEqual({ name: 'mine' })
  })
})

describe('the generator', () => {
  const origin = { kind: 'Service', group: '', namespace: 'a', name: 'reviews' }
  const resources = [
    { type: 'proxy', value: settings, origins: [] },
    ...INPUT.clusters.map((value) => ({ type: 'cluster', value, origins: [origin] }) as const),
    ...INPUT.endpoints.map((value) => ({ type: 'endpoints', value, origins: [] }) as const),
    ...INPUT.listeners.map((value) => ({ type: 'listener', value, origins: [] }) as const),
    ...INPUT.routes.map((value) => ({ type: 'route', value, origins: [] }) as const),
  ] as const
  const generator = envoyGenerator({ proxy: () => ({ interception: 'redirect', place: { labels: {} } }) })

  test('the same resources in another order are the same bytes', () => {
    expect(generator.generate('web.a', resources.toReversed())).toEqual(generator.generate('web.a', resources))
  })

  test('what has to be sent again is said, and whom it comes from', () => {
    const made = generator.generate('web.a', resources)
    const cluster = made.find(({ name }) => name === 'ratings')
    expect(cluster?.again).toEqual([{ typeUrl: 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment', name: 'reviews' }])
    expect(cluster?.origins).toEqual([origin])
    expect(made.find(({ name }) => name.startsWith('outbound|'))?.again).toEqual([
      { typeUrl: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration', name: 'r' },
    ])
    expect(decode('envoy.config.cluster.v3.Cluster', cluster?.bytes ?? new Uint8Array())).toMatchObject({ name: 'ratings', type: 'EDS' })
  })

  test('a proxy without settings gets nothing', () => {
    expect(generator.generate('web.a', resources.slice(1))).toEqual([])
  })
})
