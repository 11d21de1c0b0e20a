import { describe, expect, test } from 'vitest'
import type { EndpointSlice, Node, Pod, Service } from '../../../api/generated/types.ts'
import { meshRole, meshService, meshServices, portProtocol, proxyView, type EndpointFacts } from './index.ts'

const SIDECAR = { name: 'biplane-proxy', image: 'biplane.dev/proxy:1', restartPolicy: 'Always' }

interface PodOptions {
  readonly meshed?: boolean
  readonly ready?: boolean
  readonly annotations?: Record<string, string>
  readonly labels?: Record<string, string>
  readonly ports?: { name?: string; containerPort: number; protocol?: string }[]
  readonly ip?: string
}

function pod(name: string, options: PodOptions = {}): Pod {
  const { meshed = true, ready = true, annotations = {}, labels = { app: 'cart' }, ports = [], ip = '10.0.0.5' } = options
  return {
    metadata: { name, namespace: 'shop', annotations, labels },
    spec: {
      nodeName: 'node-1',
      serviceAccountName: 'cart',
      containers: [{ name: 'app', image: 'app', ports }],
      ...(meshed ? { initContainers: [SIDECAR] } : {}),
    },
    status: {
      phase: 'Running',
      podIPs: [{ ip }],
      ...(meshed ? { initContainerStatuses: [{ name: SIDECAR.name, ready, image: '', imageID: '', restartCount: 0 }] } : {}),
    },
  } as unknown as Pod
}

const hosted = (phase: string): Pod => {
  const one = pod('cart-1', { meshed: false, annotations: { 'biplane.dev/sidecar': 'node' } })
  return { ...one, status: { ...one.status, phase } } as Pod
}

const service = (spec: Record<string, unknown>, name = 'cart'): Service =>
  ({
    metadata: { name, namespace: 'shop' },
    spec: { clusterIP: '10.96.0.1', clusterIPs: ['10.96.0.1'], selector: { app: 'cart' }, ...spec },
  }) as Service

interface SliceEndpoint {
  readonly ip: string
  readonly pod?: string
  readonly conditions?: { ready?: boolean; serving?: boolean; terminating?: boolean }
  readonly zone?: string
}

const slice = (
  endpoints: readonly SliceEndpoint[],
  ports: { name?: string; port?: number; protocol?: string }[],
  addressType = 'IPv4',
): EndpointSlice =>
  ({
    metadata: { name: 'cart-1', namespace: 'shop' },
    addressType,
    ports,
    endpoints: endpoints.map(({ ip, pod: name, conditions = { ready: true }, zone }) => ({
      addresses: [ip],
      conditions,
      nodeName: 'node-1',
      ...(zone ? { zone } : {}),
      ...(name ? { targetRef: { kind: 'Pod', namespace: 'shop', name } } : {}),
    })),
  }) as unknown as EndpointSlice

const NODE = { metadata: { name: 'node-1', labels: { 'topology.kubernetes.io/zone': 'zone-a' } } } as unknown as Node
const facts = (pods: readonly Pod[], more: Partial<EndpointFacts> = {}): EndpointFacts => ({
  pod: (namespace, name) => pods.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name),
  node: (name) => (name === 'node-1' ? NODE : undefined),
  mtls: true,
  trustDomain: 'example.org',
  ...more,
})
const HTTP = { name: 'http', port: 80, targetPort: 8080 }
const endpointsOf = (slices: readonly EndpointSlice[], pods: readonly Pod[], more: Partial<EndpointFacts> = {}, port = HTTP) =>
  meshService(service({ ports: [port] }), slices, facts(pods, more))?.ports[0]?.endpoints

describe('portProtocol', () => {
  test.each([
    [{ appProtocol: 'http', name: 'tcp' }, 'http'],
    [{ appProtocol: 'kubernetes.io/h2c' }, 'http2'],
    [{ appProtocol: 'HTTPS' }, 'tls'],
    [{ appProtocol: 'kubernetes.io/ws', name: 'tcp' }, 'http'],
    [{ name: 'grpc-api' }, 'grpc'],
    [{ name: 'https' }, 'tls'],
    [{ name: 'tls-sni' }, 'tls'],
    [{ name: 'httpx' }, 'auto'],
    [{ appProtocol: 'example.com/own', name: 'http-x' }, 'http'],
    [{ appProtocol: 'example.com/own' }, 'auto'],
    [{}, 'auto'],
  ] as const)('%o speaks %s', (port, protocol) => expect(portProtocol(port)).toBe(protocol))
})

describe('endpoints', () => {
  test('of a pod with a ready sidecar have its identity, its place and its labels', () => {
    expect(endpointsOf([slice([{ ip: '10.0.0.5', pod: 'cart-1' }], [{ name: 'http', port: 8080 }])], [pod('cart-1')])).toEqual([
      {
        address: { address: '10.0.0.5', port: 8080 },
        state: 'ready',
        identity: 'spiffe://example.org/ns/shop/sa/cart',
        zone: 'zone-a',
        node: 'node-1',
        labels: { app: 'cart' },
        pod: 'shop/cart-1',
      },
    ])
  })

  test.each([
    ['no sidecar', pod('cart-1', { meshed: false }), {}, undefined],
    ['a sidecar that is not ready', pod('cart-1', { ready: false }), {}, undefined],
    ["its node's proxy in place of a sidecar", hosted('Running'), {}, 'spiffe://example.org/ns/shop/sa/cart'],
    ["its node's proxy, and nothing runs yet", hosted('Pending'), {}, undefined],
    ['mutual TLS off', pod('cart-1'), { mtls: false }, undefined],
    ['the port left alone', pod('cart-1', { annotations: { 'traffic.kuma.io/exclude-inbound-ports': '9, 8080' } }), {}, undefined],
    [
      'gRPC in the application and a port of another protocol',
      pod('cart-1', { annotations: { 'biplane.dev/data-plane': 'grpc' } }),
      {},
      undefined,
    ],
    [
      'another port left alone',
      pod('cart-1', { annotations: { 'traffic.kuma.io/exclude-inbound-ports': '9' } }),
      {},
      'spiffe://example.org/ns/shop/sa/cart',
    ],
  ])('with %s: identity %4$s', (_, one, more, identity) => {
    const [made] = endpointsOf([slice([{ ip: '10.0.0.5', pod: 'cart-1' }], [{ name: 'http', port: 8080 }])], [one], more) ?? []
    expect(made?.state).toBe('ready')
    expect(made?.identity).toBe(identity)
  })

  test('in the loopback network are reached at the mesh port, but not those that end TLS themselves', () => {
    const made = (dataPlane: string) =>
      endpointsOf(
        [slice([{ ip: '127.1.0.5', pod: 'cart-1' }], [{ name: 'grpc', port: 8080 }])],
        [pod('cart-1', { ip: '127.1.0.5', annotations: { 'biplane.dev/data-plane': dataPlane } })],
        {},
        { name: 'grpc', port: 80, targetPort: 8080 },
      )?.[0]
    expect(made('biplane')).toMatchObject({ meshPort: 15_008, identity: 'spiffe://example.org/ns/shop/sa/cart' })
    expect(made('envoy')?.meshPort).toBe(15_008)
    expect(made('grpc')?.identity).toBeDefined()
    expect(made('grpc')?.meshPort).toBeUndefined()
  })

  test.each([
    [{ ready: true, serving: true, terminating: false }, 'ready'],
    [{}, 'ready'],
    [{ ready: false, serving: true, terminating: true }, 'draining'],
    [{ ready: false, serving: false, terminating: true }, undefined],
    [{ ready: false, serving: false, terminating: false }, undefined],
  ])('with conditions %o are %s', (conditions, state) => {
    expect(endpointsOf([slice([{ ip: '10.0.0.5', conditions }], [{ name: 'http', port: 8080 }])], [])?.[0]?.state).toBe(state)
  })

  test('that stand in two slices are one, ready if one says so', () => {
    const [draining, ready] = [{ serving: true, terminating: true }, { ready: true }].map((conditions) =>
      slice([{ ip: '10.0.0.5', conditions }], [{ name: 'http', port: 8080 }]),
    ) as [EndpointSlice, EndpointSlice]
    for (const slices of [
      [draining, ready],
      [ready, draining],
    ])
      expect(endpointsOf(slices, [])).toMatchObject([{ address: { address: '10.0.0.5', port: 8080 }, state: 'ready' }])
  })

  test('of both families are counted once, by the service’s first family; clients of headless services may dial either', () => {
    const slices = [
      slice([{ ip: 'fd00::5', pod: 'cart-1' }], [{ name: 'http', port: 8080 }], 'IPv6'),
      slice([{ ip: '10.0.0.5', pod: 'cart-1' }], [{ name: 'http', port: 8080 }]),
    ]
    const made = (spec: Record<string, unknown>) =>
      meshService(service({ ports: [HTTP], ...spec }), slices, facts([]))?.ports[0]?.endpoints.map(({ address }) => address.address)
    expect(made({ ipFamilies: ['IPv4', 'IPv6'] })).toEqual(['10.0.0.5'])
    expect(made({ ipFamilies: ['IPv6', 'IPv4'] })).toEqual(['fd00::5'])
    expect(made({ clusterIP: 'None', clusterIPs: ['None'], ipFamilies: ['IPv4', 'IPv6'] })).toEqual(['10.0.0.5', 'fd00::5'])
  })

  test('of a named port have the number that each slice says', () => {
    const slices = [
      slice(
        [{ ip: '10.0.0.5' }],
        [
          { name: 'metrics', port: 1 },
          { name: 'http', port: 8080 },
        ],
      ),
      slice([{ ip: '10.0.0.6' }], [{ name: 'http', port: 9090 }]),
      slice([{ ip: '10.0.0.7' }], [{ name: 'http', port: 53, protocol: 'UDP' }]),
    ]
    expect(endpointsOf(slices, [], {}, { ...HTTP, targetPort: 'web' as never })?.map(({ address }) => address)).toEqual([
      { address: '10.0.0.5', port: 8080 },
      { address: '10.0.0.6', port: 9090 },
    ])
  })

  test('have an order of their own', () => {
    const ips = ['10.0.0.9', '10.0.0.5', '10.0.0.7']
    const made = (order: readonly string[]) =>
      endpointsOf(
        [
          slice(
            order.map((ip) => ({ ip })),
            [{ name: 'http', port: 1 }],
          ),
        ],
        [],
      )
    expect(made(ips)).toEqual(made(ips.toReversed()))
  })
})

describe('services', () => {
  test('have only ports of TCP, and none without', () => {
    const both = { ports: [HTTP, { name: 'dns', port: 53, protocol: 'UDP' }] }
    expect(meshService(service(both), [], facts([]))?.ports.map(({ port }) => port)).toEqual([80])
    expect(meshService(service({ ports: [{ port: 53, protocol: 'UDP' }] }), [], facts([]))).toBeUndefined()
    expect(meshService(service({ type: 'ExternalName', ports: [HTTP] }), [], facts([]))).toBeUndefined()
    expect([...meshServices([service(both), service({ type: 'ExternalName' }, 'else')], () => [], facts([])).keys()]).toEqual(['shop/cart'])
  })

  test('are headless where they say so, not where they have no address yet', () => {
    expect(meshService(service({ ports: [HTTP], clusterIP: 'None', clusterIPs: ['None'] }), [], facts([]))).toMatchObject({
      vips: [],
      headless: true,
    })
    expect(meshService(service({ ports: [HTTP], clusterIP: '', clusterIPs: [] }), [], facts([]))).toMatchObject({
      vips: [],
      headless: false,
    })
    expect(meshService(service({ ports: [HTTP], clusterIPs: ['10.96.0.1', 'fd00::1'] }), [], facts([]))).toMatchObject({
      vips: ['10.96.0.1', 'fd00::1'],
      headless: false,
    })
  })
})

describe('proxyView', () => {
  const view = (one: Pod, services: readonly Service[] = []) =>
    proxyView(one, services, { node: (name) => (name === 'node-1' ? NODE : undefined) })

  test('has the ports of containers and those that services lead to', () => {
    const one = pod('cart-1', {
      ports: [
        { name: 'web', containerPort: 8080 },
        { name: 'tcp-raw', containerPort: 7000 },
        { containerPort: 53, protocol: 'UDP' },
        { containerPort: 15_021 },
      ],
    })
    const services = [
      service({
        ports: [
          { name: 'http', port: 80, targetPort: 'web' },
          { name: 'grpc', port: 50, targetPort: 5000 },
        ],
      }),
      service({ ports: [{ name: 'x', port: 81, targetPort: 8080 }] }, 'other-name'),
      service({ ports: [{ name: 'http', port: 82, targetPort: 8082 }], selector: { app: 'else' } }, 'not-this'),
      service({ ports: [{ name: 'http', port: 83, targetPort: 8083 }], selector: {} }, 'without-selector'),
    ]
    expect(view(one, services)?.ports).toEqual([
      { port: 5000, name: 'grpc', protocol: 'grpc', services: [{ namespace: 'shop', name: 'cart', port: 50 }] },
      { port: 7000, name: 'tcp-raw', protocol: 'tcp', services: [] },
      {
        port: 8080,
        name: 'web',
        protocol: 'http',
        services: [
          { namespace: 'shop', name: 'cart', port: 80 },
          { namespace: 'shop', name: 'other-name', port: 81 },
        ],
      },
    ])
  })

  test.each([
    ['grpc', 'http', 'http'],
    ['grpc', 'http2', 'http2'],
    ['http', 'tcp', 'auto'],
    ['tcp', 'tcp', 'tcp'],
    ['x', 'tcp', 'tcp'],
    ['tcp', 'x', 'tcp'],
  ])('of two services that say %s and %s of a port it speaks %s', (a, b, protocol) => {
    const of = (name: string, port: string): Service => service({ ports: [{ name: port, port: 80, targetPort: 8080 }] }, name)
    for (const services of [
      [of('a', a), of('b', b)],
      [of('b', b), of('a', a)],
    ])
      expect(view(pod('cart-1'), services)?.ports[0]?.protocol).toBe(protocol)
  })

  test('leaves ports alone that are excluded', () => {
    const one = pod('cart-1', {
      ports: [{ containerPort: 8080 }, { containerPort: 9090 }],
      annotations: { 'traffic.kuma.io/exclude-inbound-ports': '9090' },
    })
    expect(view(one, [service({ ports: [{ port: 80, targetPort: 9090 }] })])?.ports.map(({ port }) => port)).toEqual([8080])
  })

  test('is what the pod says of itself', () => {
    expect(
      view(pod('cart-1', { annotations: { 'biplane.dev/reachable-services': 'cart, ops/*,', 'biplane.dev/data-plane': 'envoy' } })),
    ).toMatchObject({
      name: 'cart-1.shop',
      kind: 'sidecar',
      dataPlane: 'envoy',
      serviceAccount: 'cart',
      zone: 'zone-a',
      ips: ['10.0.0.5'],
      draining: false,
      reachable: ['shop/cart', 'ops/*'],
    })
    const going = pod('cart-1')
    expect(view({ ...going, metadata: { ...going.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } })?.draining).toBe(true)
    expect(view(pod('cart-1', { meshed: false }))).toBeUndefined()
    // the proxy of its node stands in for a sidecar
    const hosted = { 'biplane.dev/sidecar': 'node', 'biplane.dev/data-plane': 'node' }
    expect(view(pod('cart-1', { meshed: false, annotations: hosted }))).toEqual(view(pod('cart-1')))
    expect(view({ ...going, status: { phase: 'Succeeded' } } as Pod)).toBeUndefined()
  })

  test('of a gateway has its full name, which the label may not', () => {
    const label = 'gateway.networking.k8s.io/gateway-name'
    const gateway = (annotations: Record<string, string>): Pod => {
      const one = pod('gw-1', { meshed: false, labels: { [label]: 'short-1a2b' }, annotations })
      return { ...one, spec: { ...one.spec, containers: [{ name: 'proxy', image: 'biplane.dev/proxy:1' }] } }
    }
    expect(view(gateway({ [label]: 'a-very-long-name' }))).toMatchObject({ kind: 'gateway', gateway: 'shop/a-very-long-name', ports: [] })
    expect(view(gateway({}))).toMatchObject({ kind: 'gateway', gateway: 'shop/short-1a2b' })
    expect(meshRole(pod('x', { meshed: false, labels: { [label]: 'x' } }))).toBeUndefined()
  })
})
