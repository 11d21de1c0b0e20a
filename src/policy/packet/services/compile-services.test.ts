import { describe, expect, test } from 'vitest'
import type { Endpoint, EndpointSlice, Service, ServiceSpec } from '../../../api/generated/types.ts'
import { compileServices, resolveService, ServiceTableBuilder, type ServiceNode } from './index.ts'

const NODE: ServiceNode = {
  name: 'here',
  zone: 'a',
  addresses: ['192.0.2.1', '2001:db8::1'],
  podRanges: ['10.244.1.0/24'],
  serviceRanges: ['10.96.0.0/16'],
}

function service(spec: ServiceSpec, more: Partial<Service> = {}): Service {
  return {
    metadata: { name: 'web', namespace: 'd' },
    spec: { clusterIPs: ['10.96.0.1'], ports: [{ port: 80 }], ...spec },
    ...more,
  }
}

function slice(endpoints: readonly Endpoint[], more: Partial<EndpointSlice> = {}): EndpointSlice {
  return {
    metadata: { name: 'web-1', namespace: 'd', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ port: 8080 }],
    endpoints: [...endpoints],
    ...more,
  }
}

const at = (address: string, more: Partial<Endpoint> = {}): Endpoint => ({ addresses: [address], ...more })
const ENDING = { ready: false, serving: true, terminating: true }
const GONE = { ready: false, serving: false, terminating: true }
const hints = (zones: readonly string[], nodes: readonly string[] = []): Partial<Endpoint> => ({
  hints: { forZones: zones.map((name) => ({ name })), forNodes: nodes.map((name) => ({ name })) },
})

/** Addresses of who answers a packet to the service, or what else becomes of it. */
function ask(
  services: readonly Service[],
  slices: readonly EndpointSlice[],
  packet: { readonly from?: string; readonly to?: string; readonly port?: number } = {},
): string {
  const verdict = resolveService(compileServices(services, slices, NODE), {
    from: '10.244.1.9',
    to: '10.96.0.1',
    protocol: 'TCP',
    port: 80,
    ...packet,
  })
  return verdict.action === 'forward'
    ? verdict.backends.map(({ address, masquerade }) => (masquerade ? `${address}*` : address)).join(' ')
    : verdict.action
}

describe('which endpoints serve', () => {
  const cases: readonly [name: string, spec: ServiceSpec, endpoints: readonly Endpoint[], expected: string][] = [
    ['the ready ones; unknown counts as ready', {}, [at('10.0.0.1'), at('10.0.0.2', { conditions: { ready: false } })], '10.0.0.1'],
    ['ending ones do not while another is ready', {}, [at('10.0.0.1'), at('10.0.0.2', { conditions: ENDING })], '10.0.0.1'],
    ['ending ones do while none is ready', {}, [at('10.0.0.1', { conditions: GONE }), at('10.0.0.2', { conditions: ENDING })], '10.0.0.2'],
    ['none: reject', {}, [at('10.0.0.1', { conditions: GONE })], 'reject'],
    ['zone hints on all: ours', {}, [at('10.0.0.1', hints(['a'])), at('10.0.0.2', hints(['b']))], '10.0.0.1'],
    ['a zone hint missing: all', {}, [at('10.0.0.1', hints(['a'])), at('10.0.0.2')], '10.0.0.1 10.0.0.2'],
    ['no hint for our zone: all', {}, [at('10.0.0.1', hints(['c'])), at('10.0.0.2', hints(['b']))], '10.0.0.1 10.0.0.2'],
    ['node hints come first', {}, [at('10.0.0.1', hints(['a'], ['x'])), at('10.0.0.2', hints(['b'], ['here']))], '10.0.0.2'],
    ['no hint for our node: the zone', {}, [at('10.0.0.1', hints(['a'], ['x'])), at('10.0.0.2', hints(['b'], ['y']))], '10.0.0.1'],
    [
      'hints of endpoints that are not ready do not count',
      {},
      [at('10.0.0.1', hints(['a'])), at('10.0.0.2', { conditions: GONE })],
      '10.0.0.1',
    ],
    [
      'internal Local: those here',
      { internalTrafficPolicy: 'Local' },
      [at('10.0.0.1', { nodeName: 'here' }), at('10.0.0.2', { nodeName: 'x' })],
      '10.0.0.1',
    ],
    [
      'internal Local ignores hints',
      { internalTrafficPolicy: 'Local' },
      [at('10.0.0.1', { nodeName: 'here', ...hints(['b']) })],
      '10.0.0.1',
    ],
    [
      'internal Local, ending here while ready elsewhere',
      { internalTrafficPolicy: 'Local' },
      [at('10.0.0.1', { nodeName: 'here', conditions: ENDING }), at('10.0.0.2', { nodeName: 'x' })],
      '10.0.0.1',
    ],
    ['internal Local, none here: drop', { internalTrafficPolicy: 'Local' }, [at('10.0.0.2', { nodeName: 'x' })], 'drop'],
    [
      'internal Local, none anywhere: reject',
      { internalTrafficPolicy: 'Local' },
      [at('10.0.0.2', { nodeName: 'here', conditions: GONE })],
      'reject',
    ],
    ['a pod that is its own endpoint is masqueraded', {}, [at('10.244.1.9')], '10.244.1.9*'],
  ]
  test.each(cases)('%s', (_name, spec, endpoints, expected) => {
    expect(ask([service(spec)], [slice(endpoints)])).toBe(expected)
  })

  test('an endpoint in two slices counts once, in its better state', () => {
    const one = slice([at('10.0.0.1', { conditions: GONE })])
    const two = slice([at('10.0.0.1')], { metadata: { ...one.metadata, name: 'web-2' } })
    expect(ask([service({})], [one, two])).toBe('10.0.0.1')
    expect(ask([service({})], [two, one])).toBe('10.0.0.1')
  })

  test('ports are matched by name and protocol, families by address type', () => {
    const spec: ServiceSpec = { ports: [{ name: 'b', port: 80 }] }
    expect(
      ask(
        [service(spec)],
        [
          slice([at('10.0.0.1')], {
            ports: [
              { name: 'a', port: 1 },
              { name: 'b', port: 2, protocol: 'UDP' },
            ],
          }),
        ],
      ),
    ).toBe('reject')
    expect(ask([service(spec)], [slice([at('10.0.0.1')], { ports: [{ name: 'b', port: 2 }] })])).toBe('10.0.0.1')
    expect(ask([service({})], [slice([at('fd00::1')], { addressType: 'IPv6' })])).toBe('reject')
    expect(ask([service({})], [slice([at('example.org')], { addressType: 'FQDN' })])).toBe('reject')
  })
})

describe('addresses of a service', () => {
  const slices = [slice([at('10.0.0.1', { nodeName: 'here' }), at('10.0.0.2', { nodeName: 'x' })])]
  const loadBalancer = (spec: ServiceSpec = {}): Service =>
    service(
      { type: 'LoadBalancer', ports: [{ port: 80, nodePort: 30080 }], externalIPs: ['198.51.100.7'], ...spec },
      {
        status: {
          loadBalancer: { ingress: [{ ip: '198.51.100.8' }, { ip: '198.51.100.9', ipMode: 'Proxy' }, { hostname: 'lb.example' }] },
        },
      },
    )
  const OUTSIDE = '203.0.113.5'

  test.each([
    ['10.96.0.1', 80],
    ['192.0.2.1', 30080],
    ['198.51.100.7', 80],
    ['198.51.100.8', 80],
  ])('%s:%i is served; from outside with masquerade', (to, port) => {
    expect(ask([loadBalancer()], slices, { to, port })).toBe('10.0.0.1 10.0.0.2')
    expect(ask([loadBalancer()], slices, { to, port, from: OUTSIDE })).toBe('10.0.0.1* 10.0.0.2*')
  })

  test('an ingress IP of mode Proxy is left to the load balancer', () => {
    expect(ask([loadBalancer()], slices, { to: '198.51.100.9' })).toBe('pass')
  })

  test('external Local binds those outside only, and keeps their address', () => {
    const local = loadBalancer({ externalTrafficPolicy: 'Local' })
    for (const [to, port] of [
      ['192.0.2.1', 30080],
      ['198.51.100.7', 80],
      ['198.51.100.8', 80],
    ] as const) {
      expect(ask([local], slices, { to, port, from: OUTSIDE })).toBe('10.0.0.1')
      expect(ask([local], slices, { to, port })).toBe('10.0.0.1 10.0.0.2')
      expect(ask([local], slices, { to, port, from: '192.0.2.1' })).toBe('10.0.0.1 10.0.0.2')
    }
    expect(ask([local], [slice([at('10.0.0.2', { nodeName: 'x' })])], { to: '192.0.2.1', port: 30080, from: OUTSIDE })).toBe('drop')
    expect(ask([local], [], { to: '192.0.2.1', port: 30080, from: OUTSIDE })).toBe('reject')
  })

  test('source ranges guard load-balancer addresses only; overlapping ones are joined, another family restricts nobody', () => {
    const guarded = loadBalancer({ loadBalancerSourceRanges: [' 203.0.113.0/24', '203.0.113.4/30'] })
    expect(ask([guarded], slices, { to: '198.51.100.8', from: OUTSIDE })).toBe('10.0.0.1* 10.0.0.2*')
    expect(ask([guarded], slices, { to: '198.51.100.8', from: '203.0.114.1' })).toBe('drop')
    expect(ask([guarded], slices, { to: '198.51.100.7', from: '203.0.114.1' })).toBe('10.0.0.1* 10.0.0.2*')
    expect(compileServices([guarded], slices, NODE).frontends.get('TCP/198.51.100.8:80')?.sourceRanges).toEqual(['203.0.113.0/24'])
    expect(ask([loadBalancer({ loadBalancerSourceRanges: ['2001:db8::/32'] })], slices, { to: '198.51.100.8', from: OUTSIDE })).not.toBe(
      'drop',
    )
    expect(
      ask([loadBalancer({ loadBalancerSourceRanges: ['10.0.0.0/8', '0.0.0.0/0'] })], slices, { to: '198.51.100.8', from: OUTSIDE }),
    ).not.toBe('drop')
  })

  test('headless, ExternalName, and services of another proxy have none', () => {
    const others = [
      service({ clusterIPs: ['None'], clusterIP: 'None' }),
      service({ type: 'ExternalName', externalName: 'x.example', clusterIPs: [] }),
      service({}, { metadata: { name: 'web', namespace: 'd', labels: { 'service.kubernetes.io/service-proxy-name': 'mine' } } }),
    ]
    for (const other of others) expect(compileServices([other], slices, NODE).frontends.size).toBe(0)
  })

  test('an unknown port of the service range is rejected, other addresses pass', () => {
    expect(ask([loadBalancer()], slices, { port: 81 })).toBe('reject')
    expect(ask([loadBalancer()], slices, { to: '198.51.100.8', port: 81 })).toBe('pass')
  })

  test('health checks: local endpoints of load balancers with policy Local', () => {
    const local = loadBalancer({ externalTrafficPolicy: 'Local', healthCheckNodePort: 31000 })
    expect(compileServices([local], slices, NODE).healthChecks.get('d/web')).toEqual({
      namespace: 'd',
      name: 'web',
      port: 31000,
      localEndpoints: 1,
    })
    expect(compileServices([loadBalancer()], slices, NODE).healthChecks.size).toBe(0)
  })

  test("another service's external IP does not take away an address", () => {
    const thief = service({ clusterIPs: ['10.96.0.2'], externalIPs: ['10.96.0.1'] }, { metadata: { name: 'a-thief', namespace: 'd' } })
    const builder = new ServiceTableBuilder(NODE)
    for (const one of [thief, service({})]) builder.setService(one)
    builder.recompile(1n)
    expect(builder.table.frontends.get('TCP/10.96.0.1:80')?.service).toBe('d/web')
    expect(builder.table.conflicts).toEqual([{ key: 'TCP/10.96.0.1:80', loser: 'd/a-thief', winner: 'd/web' }])
    builder.deleteService('d/web')
    expect(builder.recompile(2n).map(({ key }) => key)).toEqual(['TCP/10.96.0.1:80'])
    expect(builder.table.frontends.get('TCP/10.96.0.1:80')?.service).toBe('d/a-thief')
  })

  test('the explanation names the service, the rule and the reason', () => {
    const table = compileServices([loadBalancer({ externalTrafficPolicy: 'Local' })], [slice([at('10.0.0.2', { nodeName: 'x' })])], NODE)
    const verdict = resolveService(table, { from: OUTSIDE, to: '192.0.2.1', protocol: 'TCP', port: 30080 })
    expect(verdict.explanation).toEqual([
      'TCP/192.0.2.1:30080 is a NodePort address of d/web',
      'the traffic policy is Local and no endpoint is on this node',
    ])
  })
})

test('one changed service is recompiled alone', () => {
  const builder = new ServiceTableBuilder(NODE)
  for (let i = 0; i < 50; i++) {
    const metadata = { name: `s${i}`, namespace: 'd' }
    builder.setService(service({ clusterIPs: [`10.96.1.${i}`] }, { metadata }))
  }
  builder.recompile(1n)
  const untouched = builder.table.frontends.get('TCP/10.96.1.7:80')
  builder.setSlice(slice([at('10.0.0.1')], { metadata: { name: 's3-x', namespace: 'd', labels: { 'kubernetes.io/service-name': 's3' } } }))
  expect(builder.recompile(2n).map(({ key }) => key)).toEqual(['TCP/10.96.1.3:80'])
  expect(builder.table.frontends.get('TCP/10.96.1.7:80')).toBe(untouched)
  expect(builder.table.revision).toBe(2n)
})
