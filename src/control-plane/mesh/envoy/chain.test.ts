import { describe, expect, it } from 'vitest'
import type { FilterChain, Listener } from '../../../policy/traffic/model/index.ts'
import { chainsOf } from './chain.ts'
import type { Json } from './resource.ts'

const rbac = { deny: [], shadowDeny: [], allow: [{ name: 'p', principals: [{ spiffeId: { exact: 'spiffe://a/b' } }], requests: [] }] }
const http = { statPrefix: 'x', routes: 'r', filters: [], timeouts: {}, accessLogs: [], appendForwardedFor: false }
const tcp = { statPrefix: 'x', clusters: [{ name: 'c', weight: 1 }], accessLogs: [] }

function made(chain: Omit<FilterChain, 'name' | 'match'>): { readonly alpn: unknown; readonly filters: unknown }[] {
  const listener: Listener = {
    name: 'inbound|80',
    direction: 'inbound',
    address: { address: '10.0.0.1', port: 80 },
    protocol: 'auto',
    chains: [],
  }
  const context = { settings: { name: 'p', trust: { a: [] } }, routes: new Map() }
  return chainsOf(listener, { name: 'mesh', match: { transport: ['mesh'] }, ...chain }, context, () => {}).map((one) => ({
    alpn: (one['filter_chain_match'] as Json)['application_protocols'],
    filters: (one['filters'] as readonly Json[]).map(({ name }) => String(name).replace('envoy.filters.network.', '')),
  }))
}

describe('chains of the mesh', () => {
  const connection = { rbac: { ...rbac, otherwise: 'deny' as const } }

  it('leave the judgement of requests to the filters of requests: a connection that is closed instead is no answer', () => {
    expect(made({ tls: { mode: 'mesh' }, http, connection }).map(({ filters }) => filters)).toEqual([
      ['http_connection_manager'],
      ['http_connection_manager'],
      ['http_connection_manager'],
    ])
    expect(made({ tls: { mode: 'mesh' }, tcp, connection }).map(({ filters }) => filters)).toEqual([['rbac.allow', 'tcp_proxy']])
    expect(made({ tls: { mode: 'mesh' }, http, tcp, connection }).at(-1)?.filters).toEqual(['rbac.allow', 'tcp_proxy'])
  })

  it("take gRPC's own ALPN protocol only where there is gRPC inside of applications", () => {
    expect(made({ tls: { mode: 'mesh' }, http })[0]?.alpn).toEqual(['biplane-h2'])
    expect(made({ tls: { mode: 'mesh', proxyless: true }, http })[0]?.alpn).toEqual(['biplane-h2', 'h2'])
  })
})
