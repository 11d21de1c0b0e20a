import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Condition } from '../../../api/generated/types.ts'
import type { Gateway } from '../../../api/gateway.networking.k8s.io/v1/gateway.ts'
import type { Listener } from '../../../api/gateway.networking.k8s.io/v1/listener.ts'
import type { ParentReference, RouteStatus } from '../../../api/gateway.networking.k8s.io/v1/references.ts'
import { translateGatewayApi, type GatewayObjects } from '../../../policy/traffic/gateway-api/index.ts'
import { infrastructureName, planInfrastructure } from './plan-infrastructure.ts'
import { planStatus, type StatusSources } from './plan-status.ts'
import { SUPPORTED_FEATURES } from './supported-features.ts'

const NOW = '2026-01-31T12:00:00Z'
const gatewayClasses = [{ metadata: { name: 'biplane', generation: 2 }, spec: { controllerName: 'biplane.dev/gateway-controller' } }]
const http: Listener = { name: 'http', port: 80, protocol: 'HTTP' }
const gateway = (listeners: Listener[] = [http], more: Partial<Gateway['spec']> = {}): Gateway => ({
  metadata: { name: 'edge', namespace: 'shop', uid: 'u', generation: 4 },
  spec: { gatewayClassName: 'biplane', listeners, ...more },
})
const services = [{ metadata: { name: 'web', namespace: 'shop' }, spec: { ports: [{ port: 80 }] } }]
const edge: ParentReference = { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'edge' }
const route = (
  parentRefs: ParentReference[],
  more: object = {},
  status?: RouteStatus,
): NonNullable<GatewayObjects['httpRoutes']>[number] => ({
  metadata: { name: 'web', namespace: 'shop', generation: 7 },
  spec: { parentRefs, rules: [{ backendRefs: [{ name: 'web', port: 80 }] }], ...more },
  ...(status ? { status } : {}),
})

function plan(objects: GatewayObjects, sources: Partial<StatusSources> = {}): Map<string, any> {
  const all = { gatewayClasses, services, ...objects }
  const base: StatusSources = { now: NOW, addresses: () => ['192.0.2.1'], programmed: () => ({ ok: true, message: 'all proxies' }) }
  const writes = planStatus(all, translateGatewayApi(all), { ...base, ...sources })
  return new Map(writes.map(({ kind, object }) => [kind.kind, (object as { status?: unknown }).status]))
}
const brief = (conditions: readonly Condition[]): string[] => conditions.map(({ type, status, reason }) => `${type}=${status} ${reason}`)
const listenersOf = (objects: GatewayObjects): object =>
  Object.fromEntries(
    plan(objects)
      .get('Gateway')
      .listeners.map((one: { name: string; conditions: Condition[] }) => [one.name, brief(one.conditions)]),
  )

describe('a GatewayClass', () => {
  test('of ours is accepted, with features sorted; of others is left alone', () => {
    const status = plan({}).get('GatewayClass')
    expect(brief(status.conditions)).toEqual(['Accepted=True Accepted'])
    expect(status.conditions[0]).toMatchObject({ observedGeneration: 2, lastTransitionTime: NOW })
    expect(SUPPORTED_FEATURES).toEqual([...SUPPORTED_FEATURES].sort())
    expect(plan({ gatewayClasses: [{ metadata: { name: 'x' }, spec: { controllerName: 'a.example/b' } }] }).size).toBe(0)
  })
})

describe('a Gateway', () => {
  test('that is served', () => {
    const status = plan({ gateways: [gateway()], httpRoutes: [route([edge])] }).get('Gateway')
    expect(brief(status.conditions)).toEqual(['Accepted=True Accepted', 'Programmed=True Programmed'])
    expect(status.addresses).toEqual([{ type: 'IPAddress', value: '192.0.2.1' }])
    expect(status.listeners).toMatchObject([
      {
        name: 'http',
        attachedRoutes: 1,
        supportedKinds: [{ kind: 'HTTPRoute' }, { kind: 'GRPCRoute' }],
        conditions: [{ observedGeneration: 4 }, {}, {}, {}],
      },
    ])
    expect(brief(status.listeners[0].conditions)).toEqual([
      'Accepted=True Accepted',
      'Conflicted=False NoConflicts',
      'ResolvedRefs=True ResolvedRefs',
      'Programmed=True Programmed',
    ])
  })

  test.each<[string, Gateway, Partial<StatusSources>, string[]]>([
    ['without an address', gateway(), { addresses: () => [] }, ['Accepted=True Accepted', 'Programmed=False AddressNotAssigned']],
    [
      'that proxies do not have yet',
      gateway(),
      { programmed: () => ({ ok: false, message: '1 of 2' }) },
      ['Accepted=True Accepted', 'Programmed=False Pending'],
    ],
    [
      'with a part of its listeners',
      gateway([http, { name: 'udp', port: 53, protocol: 'UDP' }]),
      {},
      ['Accepted=True ListenersNotValid', 'Programmed=True Programmed'],
    ],
    [
      'without a listener',
      gateway([{ name: 'udp', port: 53, protocol: 'UDP' }]),
      {},
      ['Accepted=False ListenersNotValid', 'Programmed=False Invalid'],
    ],
    [
      'with parameters',
      gateway([http], { infrastructure: { parametersRef: { group: 'a.b', kind: 'C', name: 'd' } } }),
      {},
      ['Accepted=False InvalidParameters', 'Programmed=False Invalid'],
    ],
    [
      'with an address of another type',
      gateway([http], { addresses: [{ type: 'test/fake', value: 'x' }] }),
      {},
      ['Accepted=False UnsupportedAddress', 'Programmed=False Invalid'],
    ],
    [
      'with an address that it did not get',
      gateway([http], { addresses: [{ type: 'IPAddress', value: '192.0.2.9' }] }),
      {},
      ['Accepted=True Accepted', 'Programmed=False AddressNotUsable'],
    ],
    [
      'with a certificate for backends that is not there',
      gateway([http], { tls: { backend: { clientCertificateRef: { name: 'nope' } } } }),
      {},
      ['Accepted=True Accepted', 'Programmed=True Programmed', 'ResolvedRefs=False InvalidClientCertificateRef'],
    ],
  ])('%s', (_, one, sources, conditions) => {
    expect(brief(plan({ gateways: [one] }, sources).get('Gateway').conditions)).toEqual(conditions)
  })

  test('listeners: kinds, certificates, conflicts', () => {
    const kinds = (...names: string[]): Listener['allowedRoutes'] => ({ kinds: names.map((kind) => ({ group: edge.group, kind })) })
    const listeners: Listener[] = [
      { ...http, allowedRoutes: kinds('TCPRoute') },
      { name: 'some', port: 81, protocol: 'HTTP', allowedRoutes: kinds('HTTPRoute', 'TCPRoute') },
      { name: 'tls', port: 443, protocol: 'HTTPS', tls: { certificateRefs: [{ name: 'nope' }] } },
      { name: 'x', port: 90, protocol: 'HTTP' },
      { name: 'y', port: 90, protocol: 'TCP' },
      { name: 'moved', port: 10_080, protocol: 'HTTP', hostname: 'a.example' },
    ]
    const objects = { gateways: [gateway(listeners)] }
    expect(listenersOf(objects)).toEqual({
      http: [
        'Accepted=False PortUnavailable',
        'Conflicted=False NoConflicts',
        'ResolvedRefs=False InvalidRouteKinds',
        'Programmed=False Invalid',
      ],
      some: [
        'Accepted=True Accepted',
        'Conflicted=False NoConflicts',
        'ResolvedRefs=False InvalidRouteKinds',
        'Programmed=True Programmed',
      ],
      tls: [
        'Accepted=True Accepted',
        'Conflicted=False NoConflicts',
        'ResolvedRefs=False InvalidCertificateRef',
        'Programmed=False Invalid',
      ],
      x: [
        'Accepted=False ProtocolConflict',
        'Conflicted=True ProtocolConflict',
        'ResolvedRefs=True ResolvedRefs',
        'Programmed=False Invalid',
      ],
      y: [
        'Accepted=False ProtocolConflict',
        'Conflicted=True ProtocolConflict',
        'ResolvedRefs=True ResolvedRefs',
        'Programmed=False Invalid',
      ],
      moved: [
        'Accepted=False PortUnavailable',
        'Conflicted=False NoConflicts',
        'ResolvedRefs=True ResolvedRefs',
        'Programmed=False Invalid',
      ],
    })
    const supported = plan(objects)
      .get('Gateway')
      .listeners.map(({ supportedKinds }: { supportedKinds: { kind: string }[] }) => supportedKinds.map(({ kind }) => kind).join())
    expect(supported.slice(0, 2)).toEqual(['', 'HTTPRoute'])
  })

  test('conditions of others stay, and nothing is written twice', () => {
    const foreign = { type: 'example.com/Seen', status: 'True', reason: 'Seen', message: '', lastTransitionTime: NOW } as Condition
    const first = plan({ gateways: [{ ...gateway(), status: { conditions: [foreign] } }] }).get('Gateway')
    expect(brief(first.conditions)).toContain('example.com/Seen=True Seen')
    expect(plan({ gateways: [{ ...gateway(), status: first }] }, { now: '2026-02-01T00:00:00Z' }).has('Gateway')).toBe(false)
  })
})

describe('a route', () => {
  const cases: [string, GatewayObjects, string[]][] = [
    [
      'attached',
      { httpRoutes: [route([edge])] },
      ['Accepted=True Accepted', 'ResolvedRefs=True ResolvedRefs', 'Programmed=True Programmed'],
    ],
    [
      'at a listener that is not there',
      { httpRoutes: [route([{ ...edge, sectionName: 'nope' }])] },
      ['Accepted=False NoMatchingParent', 'ResolvedRefs=True ResolvedRefs', 'Programmed=False Invalid'],
    ],
    [
      'at a listener by name and another port',
      { httpRoutes: [route([{ ...edge, sectionName: 'http', port: 81 }])] },
      ['Accepted=False NoMatchingParent', 'ResolvedRefs=True ResolvedRefs', 'Programmed=False Invalid'],
    ],
    [
      'of another namespace',
      { httpRoutes: [{ ...route([{ ...edge, namespace: 'shop' }], { rules: [] }), metadata: { name: 'web', namespace: 'other' } }] },
      ['Accepted=False NotAllowedByListeners', 'ResolvedRefs=True ResolvedRefs', 'Programmed=False Invalid'],
    ],
    [
      'for hosts that the listener has not',
      { gateways: [gateway([{ ...http, hostname: 'a.example' }])], httpRoutes: [route([edge], { hostnames: ['b.example'] })] },
      ['Accepted=False NoMatchingListenerHostname', 'ResolvedRefs=True ResolvedRefs', 'Programmed=False Invalid'],
    ],
    [
      'with a backend that is not there',
      { services: [], httpRoutes: [route([edge])] },
      ['Accepted=True Accepted', 'ResolvedRefs=False BackendNotFound', 'Programmed=True Programmed'],
    ],
    [
      'for a service of the mesh',
      { gateways: [], httpRoutes: [route([{ group: '', kind: 'Service', name: 'web' }])] },
      ['Accepted=True Accepted', 'ResolvedRefs=True ResolvedRefs', 'Programmed=True Programmed'],
    ],
    [
      'with a filter that is not known',
      {
        httpRoutes: [
          route([edge], { rules: [{ filters: [{ type: 'ExtensionRef', extensionRef: { group: 'a', kind: 'B', name: 'c' } }] }] }),
        ],
      },
      ['Accepted=False UnsupportedValue', 'ResolvedRefs=True ResolvedRefs', 'Programmed=False Invalid'],
    ],
  ]
  test.each(cases)('%s', (_, objects, conditions) => {
    const status = plan({ gateways: [gateway()], ...objects }).get('HTTPRoute')
    expect(status.parents).toHaveLength(1)
    expect(status.parents[0]).toMatchObject({ controllerName: 'biplane.dev/gateway-controller' })
    expect(brief(status.parents[0].conditions)).toEqual(conditions)
  })

  test('namespaces may be chosen by labels', () => {
    const selector = { matchLabels: { team: 'a' } }
    const gateways = [gateway([{ ...http, allowedRoutes: { namespaces: { from: 'Selector', selector } } }])]
    const httpRoutes = [{ ...route([{ ...edge, namespace: 'shop' }], { rules: [] }), metadata: { name: 'web', namespace: 'other' } }]
    const accepted = (team: string): string => {
      const namespaces = [{ metadata: { name: 'other', labels: { team } } }]
      return plan({ gateways, httpRoutes, namespaces }).get('HTTPRoute').parents[0].conditions[0].status
    }
    expect([accepted('a'), accepted('b')]).toEqual(['True', 'False'])
  })

  test('entries of other controllers stay, our own go with the parent', () => {
    const foreign = { parentRef: { name: 'x' }, controllerName: 'a.example/b', conditions: [] }
    const own = { parentRef: edge, controllerName: 'biplane.dev/gateway-controller', conditions: [] }
    expect(plan({ httpRoutes: [route([{ ...edge, name: 'gone' }], {}, { parents: [foreign, own] })] }).get('HTTPRoute')).toEqual({
      parents: [foreign],
    })
    expect(plan({ httpRoutes: [route([{ ...edge, name: 'not-ours' }])] }).has('HTTPRoute')).toBe(false)
  })
})

test('a consumer route may lead to its own service without a grant, but not where a gateway is a parent too', () => {
  const service: ParentReference = { group: '', kind: 'Service', name: 'web', namespace: 'shop' }
  const rules = [{ backendRefs: [{ name: 'web', namespace: 'shop', port: 80 }] }]
  const resolved = (parents: ParentReference[]): string =>
    plan({ gateways: [gateway()], httpRoutes: [{ metadata: { name: 'r', namespace: 'clients' }, spec: { parentRefs: parents, rules } }] })
      .get('HTTPRoute')
      .parents[0].conditions.find(({ type }: Condition) => type === 'ResolvedRefs').reason
  expect(resolved([service])).toBe('ResolvedRefs')
  expect(resolved([service, { ...edge, namespace: 'shop' }])).toBe('RefNotPermitted')
})

test('a BackendTLSPolicy speaks of the gateways that routes lead from', () => {
  const policy = (name: string, createdAt: string, validation: object): NonNullable<GatewayObjects['backendTLSPolicies']>[number] => ({
    metadata: { name, namespace: 'shop', creationTimestamp: createdAt },
    spec: { targetRefs: [{ group: '', kind: 'Service', name: 'web' }], validation: { hostname: 'web.example', ...validation } },
  })
  const reasons = (...backendTLSPolicies: NonNullable<GatewayObjects['backendTLSPolicies']>): string[][] => {
    const all = { gatewayClasses, services, gateways: [gateway()], httpRoutes: [route([edge])], backendTLSPolicies }
    const sources: StatusSources = { now: NOW, addresses: () => [], programmed: () => ({ ok: true, message: '' }) }
    return planStatus(all, translateGatewayApi(all), sources)
      .filter(({ kind }) => kind.kind === 'BackendTLSPolicy')
      .map(
        ({ object }) =>
          (object as unknown as { status: { ancestors: { ancestorRef: ParentReference; conditions: Condition[] }[] } }).status.ancestors,
      )
      .map(([ancestor]) => [ancestor!.ancestorRef.name, ...brief(ancestor!.conditions)])
  }
  const system = { wellKnownCACertificates: 'System' }
  expect(reasons(policy('b', '2026-01-02T00:00:00Z', system), policy('a', '2026-01-01T00:00:00Z', system))).toEqual([
    ['edge', 'Accepted=True Accepted', 'ResolvedRefs=True ResolvedRefs'],
    ['edge', 'Accepted=False Conflicted', 'ResolvedRefs=True ResolvedRefs'],
  ])
  const ref = (kind: string): object => ({ caCertificateRefs: [{ group: '', kind, name: 'nope' }] })
  expect(reasons(policy('a', '2026-01-01T00:00:00Z', ref('ConfigMap')))).toEqual([
    ['edge', 'Accepted=False NoValidCACertificate', 'ResolvedRefs=False InvalidCACertificateRef'],
  ])
  expect(reasons(policy('a', '2026-01-01T00:00:00Z', ref('Service')))).toEqual([
    ['edge', 'Accepted=False NoValidCACertificate', 'ResolvedRefs=False InvalidKind'],
  ])
})

test('a ListenerSet is told that it is not served, and whether it would be allowed', () => {
  const listenerSets = [{ metadata: { name: 'more', namespace: 'shop' }, spec: { parentRef: { name: 'edge' }, listeners: [http] } }]
  const reasons = (more: Partial<Gateway['spec']>): string[] =>
    brief(plan({ listenerSets, gateways: [gateway([http], more)] }).get('ListenerSet').conditions)
  expect(reasons({})).toEqual(['Accepted=False NotAllowed', 'Programmed=False Invalid'])
  expect(reasons({ allowedListeners: { namespaces: { from: 'Same' } } })).toEqual(['Accepted=False Invalid', 'Programmed=False Invalid'])
  expect(plan({ listenerSets }).has('ListenerSet')).toBe(false)
})

describe('what runs a gateway', () => {
  test('has the labels and annotations asked for, an owner, and ports that no root user is needed for', () => {
    const infrastructure = { labels: { team: 'a' }, annotations: { note: 'b' } }
    const listeners: Listener[] = [
      http,
      { ...http, name: 'b', hostname: 'b.example' },
      { name: 'c', port: 8443, protocol: 'TLS', tls: { mode: 'Passthrough' } },
    ]
    const { deployment, service, serviceAccount } = planInfrastructure(
      gateway(listeners, { infrastructure, addresses: [{ value: '192.0.2.7' }] }),
    )
    for (const { metadata } of [deployment, service!, serviceAccount]) {
      expect(metadata).toMatchObject({
        name: 'edge-biplane',
        namespace: 'shop',
        labels: { team: 'a', 'gateway.networking.k8s.io/gateway-name': 'edge' },
        annotations: { note: 'b' },
        ownerReferences: [{ kind: 'Gateway', name: 'edge', uid: 'u', controller: true }],
      })
    }
    expect(service?.spec).toEqual({
      type: 'LoadBalancer',
      selector: { 'gateway.networking.k8s.io/gateway-name': 'edge' },
      loadBalancerIP: '192.0.2.7',
      ports: [
        { name: 'http-80', port: 80, protocol: 'TCP', targetPort: 10_080 },
        { name: 'tls-8443', port: 8443, protocol: 'TCP', targetPort: 8443 },
      ],
    })
    const pod = deployment.spec!.template
    expect(pod.metadata).toMatchObject({ labels: { team: 'a', 'biplane.dev/mesh': 'disabled' }, annotations: { note: 'b' } })
    expect(pod.spec).toMatchObject({ serviceAccountName: 'edge-biplane', containers: [{ image: 'biplane.dev/proxy', args: ['gateway'] }] })
  })

  test('is Envoy where an annotation of the infrastructure says so', () => {
    const infrastructure = { annotations: { 'biplane.dev/data-plane': 'envoy' } }
    const { template } = planInfrastructure(gateway([http], { infrastructure })).deployment.spec!
    expect(template.spec).toMatchObject({ containers: [{ args: ['gateway', '--data-plane', 'envoy'] }] })
    expect(template.metadata?.annotations).toMatchObject(infrastructure.annotations)
  })

  test('names stay within a label and apart', () => {
    const long = 'a'.repeat(253)
    expect(infrastructureName(long, 'biplane')).toMatch(/^a{52}-[0-9a-f]{10}$/)
    expect(infrastructureName(long, 'biplane')).not.toBe(infrastructureName(long, 'other'))
  })
})

test('every reason of the golden gateway is one that Gateway API knows', () => {
  const url = new URL('../../../policy/traffic/gateway-api/golden/gateway-listeners.json', import.meta.url)
  const { input } = JSON.parse(readFileSync(url, 'utf8')) as { input: GatewayObjects }
  expect(listenersOf(input)).toEqual({
    udp: [
      'Accepted=False UnsupportedProtocol',
      'Conflicted=False NoConflicts',
      'ResolvedRefs=True ResolvedRefs',
      'Programmed=False Invalid',
    ],
    a: [
      'Accepted=False ProtocolConflict',
      'Conflicted=True ProtocolConflict',
      'ResolvedRefs=True ResolvedRefs',
      'Programmed=False Invalid',
    ],
    b: [
      'Accepted=False ProtocolConflict',
      'Conflicted=True ProtocolConflict',
      'ResolvedRefs=True ResolvedRefs',
      'Programmed=False Invalid',
    ],
    granted: ['Accepted=True Accepted', 'Conflicted=False NoConflicts', 'ResolvedRefs=True ResolvedRefs', 'Programmed=True Programmed'],
    denied: ['Accepted=True Accepted', 'Conflicted=False NoConflicts', 'ResolvedRefs=False RefNotPermitted', 'Programmed=False Invalid'],
    broken: [
      'Accepted=True Accepted',
      'Conflicted=False NoConflicts',
      'ResolvedRefs=False InvalidCertificateRef',
      'Programmed=False Invalid',
    ],
  })
})
