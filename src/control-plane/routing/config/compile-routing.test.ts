import { describe, expect, test } from 'vitest'
import type { EndpointSlice, Node, Service } from '../../../api/generated/types.ts'
import type { BgpPeer, BgpPeerSpec } from '../../../api/routing.biplane.dev/v1alpha1/bgp-peer.ts'
import type { RoutePolicy, RoutePolicySpec } from '../../../api/routing.biplane.dev/v1alpha1/route-policy.ts'
import type { Router, RouterSpec } from '../../../api/routing.biplane.dev/v1alpha1/router.ts'
import type { StaticRoute, StaticRouteSpec } from '../../../api/routing.biplane.dev/v1alpha1/static-route.ts'
import { formatIp } from '../../../base/ip.ts'
import { compileRouting, secretsOf, type RoutingInput } from './compile-routing.ts'
import { readStoredConfig, storeConfig } from './stored-config.ts'

const node: Node = {
  metadata: { name: 'n1', labels: { rack: 'a' } },
  spec: { podCIDRs: ['10.244.1.0/24', 'fd00:10:244:1::/64'] },
  status: { addresses: [{ type: 'InternalIP', address: '192.0.2.10' }] },
}
const router = (spec: Partial<RouterSpec> = {}, name = 'default'): Router => ({ metadata: { name }, spec: { asn: 64_512, ...spec } })
const peer = (spec: Partial<BgpPeerSpec> = {}, name = 'tor'): BgpPeer => ({
  metadata: { name },
  spec: { address: '192.0.2.1', asn: 65_001, ...spec },
})
const policy = (name: string, spec: RoutePolicySpec): RoutePolicy => ({ metadata: { name }, spec })
const fixed = (spec: StaticRouteSpec): StaticRoute => ({ metadata: { name: 'fixed' }, spec })
const service = (name: string, spec: Service['spec'], ips: string[] = []): Service => ({
  metadata: { name, namespace: 'default' },
  spec: { type: 'LoadBalancer', ...spec },
  status: { loadBalancer: { ingress: ips.map((ip) => ({ ip })) } },
})
const slice = (name: string, endpoints: EndpointSlice['endpoints']): EndpointSlice => ({
  metadata: { name: `${name}-x`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
  addressType: 'IPv4',
  endpoints,
})
const at = (nodeName: string, ready = true): NonNullable<EndpointSlice['endpoints']>[number] => ({
  addresses: ['10.244.0.1'],
  nodeName,
  conditions: { ready },
})

const compile = (input: Partial<RoutingInput>): ReturnType<typeof compileRouting> =>
  compileRouting({
    node,
    routers: [router()],
    peers: [],
    policies: [],
    statics: [],
    services: [],
    slices: [],
    secret: () => undefined,
    ...input,
  })
const announced = (input: Partial<RoutingInput>): string[] =>
  compile(input).originated.map(({ prefix, source }) => `${source} ${formatIp(prefix.bytes)}/${prefix.length}`)

describe('compileRouting', () => {
  test('a node that no Router selects has static routes only', () => {
    const config = compile({
      routers: [router({ nodeSelector: { matchLabels: { rack: 'b' } } })],
      peers: [peer()],
      statics: [fixed({ prefix: '198.51.100.0/24', type: 'Blackhole' })],
    })
    expect(config.router).toBeUndefined()
    expect(config.peers).toEqual([])
    expect(config.statics).toMatchObject([{ type: 'blackhole', distance: 1 }])
  })

  test('the first Router by name wins, and the others are named', () => {
    const config = compile({ routers: [router({ asn: 2 }, 'b'), router({ asn: 1 }, 'a')] })
    expect(config.router?.localAs).toBe(1)
    expect(config.problems).toEqual(['Router "b" selects the node too: "a" is used'])
  })

  test('the router ID is that of the Router, else the IPv4 address of the node, else there is no router', () => {
    expect(compile({}).router?.routerId).toBe(0xc000020a)
    expect(compile({ routers: [router({ routerID: '1.2.3.4' })] }).router?.routerId).toBe(0x01020304)
    const bare = compile({ node: { metadata: { name: 'n1' } } })
    expect(bare.router).toBeUndefined()
    expect(bare.problems).toEqual(['Router "default": the node has no IPv4 address to be its router ID: set spec.routerID'])
  })

  test('equal configurations have equal revisions', () => {
    expect(compile({ peers: [peer()] }).revision).toBe(compile({ peers: [peer()] }).revision)
    expect(compile({ peers: [peer()] }).revision).not.toBe(compile({ peers: [peer({ asn: 65_002 })] }).revision)
  })

  test('a peer is of the family of its address, with a TTL of 1 where it is external', () => {
    const [one] = compile({ peers: [peer()] }).peers
    expect(one).toMatchObject({ session: { families: [4], passive: false, holdSeconds: 90 }, transport: { ttl: 1 } })
    const [two] = compile({ peers: [peer({ address: 'fe80::1%eth0', peerType: 'Internal', asn: undefined })] }).peers
    expect(two).toMatchObject({ session: { families: [6], remoteAs: 'internal' }, transport: {}, remote: { device: 'eth0' } })
  })

  test('TTL security says what is sent and what is taken', () => {
    expect(compile({ peers: [peer({ ttlSecurityHops: 2 })] }).peers[0]?.transport).toEqual({ ttl: 255, minTtl: 254 })
    expect(compile({ peers: [peer({ ebgpMultihopTTL: 3 })] }).peers[0]?.transport).toEqual({ ttl: 3 })
  })

  test('a session does not come up without the password that was asked for', () => {
    const withPassword = peer({ passwordSecretRef: { name: 'bgp' } })
    expect(compile({ peers: [withPassword] })).toMatchObject({
      peers: [],
      problems: ['BGPPeer "tor": its password is not there: Secret kube-system/bgp, key password'],
    })
    const secret = { metadata: { name: 'bgp' }, data: { password: Buffer.from('s3cret\n').toString('base64') } }
    const found = compile({ peers: [withPassword], secret: (key) => (key === 'kube-system/bgp' ? secret : undefined) })
    expect(found.peers[0]?.transport.password).toBe('s3cret')
    expect([...secretsOf([withPassword])]).toEqual(['kube-system/bgp'])
  })

  test('policies are joined in order; one that is missing lets nothing through', () => {
    const accept = { name: 'all', action: 'Accept' as const }
    const policies = [policy('first', { rules: [{ ...accept, name: 'x' }] }), policy('last', { rules: [accept], defaultAction: 'Accept' })]
    const [one] = compile({ peers: [peer({ importPolicies: ['first', 'last'], exportPolicies: ['first'] })], policies }).peers
    expect(one?.importPolicy?.spec.rules.map(({ name }) => name)).toEqual(['first/x', 'last/all', 'last/default'])
    expect(one?.exportPolicy).toMatchObject({ name: 'first', spec: { rules: [{ name: 'x' }], defaultAction: 'Reject' } })
    const broken = compile({ peers: [peer({ importPolicies: ['nowhere', 'last'] })], policies })
    expect(broken.peers[0]?.importPolicy?.spec.rules).toEqual([{ name: 'nowhere/missing', action: 'Reject' }])
    expect(broken.problems).toEqual(['BGPPeer "tor": RoutePolicy "nowhere" does not exist: routes that reach it are rejected'])
  })

  test('two peers do not share an address', () => {
    const config = compile({ peers: [peer({}, 'b'), peer({}, 'a')] })
    expect(config.peers.map(({ name }) => name)).toEqual(['a'])
    expect(config.problems).toEqual(['BGPPeer "b" has the address of "a", which is used'])
    // sessions are told apart by the address alone
    const links = compile({ peers: [peer({ address: 'fe80::1%eth0' }, 'a'), peer({ address: 'fe80::1%eth1' }, 'b')] })
    expect(links.peers.map(({ name }) => name)).toEqual(['a'])
    expect(links.problems).toEqual(['BGPPeer "b" has the address of "a", which is used'])
  })
})

describe('announcements', () => {
  const anywhere = service('anywhere', {}, ['203.0.113.1'])
  const local = service('local', { externalTrafficPolicy: 'Local' }, ['203.0.113.2'])
  const services = [anywhere, local]

  test('are the pod ranges, and service addresses with a ready endpoint', () => {
    expect(announced({ services, slices: [slice('anywhere', [at('n2')]), slice('local', [at('n1')])] })).toEqual([
      'PodRange 10.244.1.0/24',
      'PodRange fd00:10:244:1::/64',
      'LoadBalancer 203.0.113.1/32',
      'LoadBalancer 203.0.113.2/32',
    ])
  })

  test.each([
    ['nowhere ready', [slice('anywhere', [at('n1', false)]), slice('local', [at('n1', false)])], []],
    ['ready elsewhere', [slice('anywhere', [at('n2')]), slice('local', [at('n2')])], ['LoadBalancer 203.0.113.1/32']],
    ['without slices', [], []],
  ])('leave out services that are %s', (_what, slices, expected) => {
    const routers = [router({ advertise: { podCIDRs: false } })]
    expect(announced({ routers, services, slices })).toEqual(expected)
  })

  test('keep load balancers off a node that is excluded', () => {
    const excluded = { ...node, metadata: { name: 'n1', labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' } } }
    expect(announced({ node: excluded, services, slices: [slice('local', [at('n1')])] })).not.toContain('LoadBalancer 203.0.113.2/32')
  })

  test('are cluster addresses and static routes only where asked for', () => {
    const web = service('web', { type: 'ClusterIP', clusterIP: '10.96.0.1', clusterIPs: ['10.96.0.1', 'fd00::1'] })
    const headless = service('headless', { type: 'ClusterIP', clusterIP: 'None', clusterIPs: ['None'] })
    const input = {
      services: [web, headless],
      slices: [slice('web', [at('n2')]), slice('headless', [at('n1')])],
      statics: [fixed({ prefix: '198.51.100.0/24', type: 'Blackhole' })],
    }
    expect(announced(input)).toHaveLength(2)
    const routers = [router({ advertise: { podCIDRs: false, clusterIPs: true, staticRoutes: true } })]
    expect(announced({ ...input, routers })).toEqual(['LoadBalancer 10.96.0.1/32', 'LoadBalancer fd00::1/128', 'Static 198.51.100.0/24'])
  })
})

describe('the last good copy', () => {
  test('is read as it was written', () => {
    const config = compile({ peers: [peer({ address: 'fe80::1%eth0' }), peer({ address: undefined, prefixes: ['10.0.0.0/8'] }, 'range')] })
    expect(readStoredConfig(storeConfig(config))).toEqual(config)
  })

  test.each(['', '{}', 'null', '{"version":2,"config":{"revision":"x","peers":[]}}', '{"version":1,"config":{"peers":1}}'])(
    '%s is none',
    (text) => {
      expect(readStoredConfig(text)).toBeUndefined()
    },
  )
})
