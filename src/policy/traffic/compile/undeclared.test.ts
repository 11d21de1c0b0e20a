import { describe, expect, test } from 'vitest'
import type { TrafficPolicy } from '../input/index.ts'
import { INBOUND_ANY, type Listener, type ProxySettings } from '../model/index.ts'
import { POLICY_PLUGINS } from '../policies/index.ts'
import { Compiler } from './index.ts'
import { MESH, origin, proxy, worldOf } from './test-world.ts'

const permission = (more: Partial<TrafficPolicy> = {}): TrafficPolicy => ({
  type: 'MeshTrafficPermission',
  origin: origin('web-may', 'MeshTrafficPermission'),
  proxies: {},
  rank: [0],
  rules: [
    {
      matches: [],
      conf: {
        deny: [],
        shadowDeny: [],
        allow: [{ name: 'web-may', match: { spiffeId: { exact: 'spiffe://default.mesh.local/ns/shop/sa/web' } } }],
      },
    },
  ],
  ...more,
})
const strict = (more: Partial<TrafficPolicy> = {}): TrafficPolicy => ({
  type: 'MeshTLS',
  origin: origin('strict', 'MeshTLS'),
  proxies: {},
  rank: [0],
  rules: [{ matches: [], conf: { mode: 'Strict' } }],
  ...more,
})
const listen = (
  policies: readonly TrafficPolicy[],
  one: Partial<Parameters<typeof proxy>[1] & object> = {},
  mesh: Partial<typeof MESH> = {},
): Listener | undefined => {
  const { resources } = new Compiler(worldOf([], { policies, mesh: { ...MESH, ...mesh } }), POLICY_PLUGINS).compile(proxy('cart', one))
  return resources.find(({ type, value }) => type === 'listener' && value.name === INBOUND_ANY)?.value as Listener | undefined
}
const transports = (listener: Listener | undefined): unknown => listener?.chains.map(({ match }) => match.transport?.join())

describe('ports that nobody declares', () => {
  test('are carried as bytes to where the connection was going: of the mesh, in plain text and with TLS of the application', () => {
    const listener = listen([])
    expect(transports(listener)).toEqual(['mesh', 'plaintext', 'tls'])
    expect(listener?.chains.map(({ http, tcp }) => [http, tcp?.clusters])).toEqual(
      Array.from({ length: 3 }, () => [undefined, [{ name: INBOUND_ANY, weight: 1 }]]),
    )
    const { resources } = new Compiler(worldOf([]), POLICY_PLUGINS).compile(proxy('cart'))
    expect(resources.find(({ type, value }) => type === 'cluster' && value.name === INBOUND_ANY)?.value).toMatchObject({
      discovery: { type: 'originalDestination' },
      protocol: 'tcp',
    })
    const settings = resources.find(({ type }) => type === 'proxy')?.value as ProxySettings
    expect(settings.listeners).toContain(INBOUND_ANY)
  })

  test('refuse plain text where the whole proxy is strict, and not where one declared port is', () => {
    expect(transports(listen([strict()]))).toEqual(['mesh'])
    expect(transports(listen([], {}, { defaultMode: 'strict' }))).toEqual(['mesh'])
    expect(transports(listen([strict({ proxies: { section: '8080' } })]))).toEqual(['mesh', 'plaintext', 'tls'])
  })

  test('let in whom a permission for the whole proxy names; one for a port or a service is none for others', () => {
    const rbac = (policies: readonly TrafficPolicy[]) => listen(policies)?.chains[0]?.connection?.rbac
    expect(rbac([permission()])).toMatchObject({ allow: [{ name: 'web-may' }], otherwise: 'deny' })
    expect(rbac([permission({ proxies: { section: '8080' } })])).toMatchObject({ allow: [], otherwise: 'deny' })
    const ofService = permission({ proxies: { service: { namespace: 'shop', name: 'cart' } } })
    const ports = [{ port: 8080, name: 'web', protocol: 'http' as const, services: [{ namespace: 'shop', name: 'cart', port: 80 }] }]
    expect(listen([ofService], { ports })?.chains[0]?.connection?.rbac).toMatchObject({ allow: [], otherwise: 'deny' })
  })

  test('have no chain of the mesh without identities', () => {
    expect(transports(listen([], {}, { mtls: false }))).toEqual(['plaintext', 'tls'])
  })

  test('are nobody’s where gRPC serves inside of the application, and at gateways', () => {
    expect(listen([], { dataPlane: 'grpc' })).toBeUndefined()
    expect(listen([], { kind: 'gateway', gateway: 'shop/edge' })).toBeUndefined()
  })
})
