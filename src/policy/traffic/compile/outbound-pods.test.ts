import { describe, expect, test } from 'vitest'
import { MESH_PORT, type Endpoint, type Listener } from '../model/index.ts'
import { POLICY_PLUGINS } from '../policies/index.ts'
import { Compiler, type CompiledProxy } from './index.ts'
import { endpoint, proxy, service, worldOf } from './test-world.ts'

const CART = 'spiffe://default.mesh.local/ns/shop/sa/cart'
const meshed = (address: string, more: Partial<Endpoint> = {}): Endpoint => ({ ...endpoint(address), identity: CART, ...more })
const find = ({ resources }: CompiledProxy, name: string) => resources.filter(({ value }) => value.name === name)
const listener = (result: CompiledProxy, name: string): Listener | undefined =>
  find(result, name).find(({ type }) => type === 'listener')?.value as Listener | undefined

describe('an endpoint of the mesh that is dialled by its own address', () => {
  const world = worldOf([
    service('cart', { endpoints: [meshed('10.0.0.5'), endpoint('10.0.0.6')] }),
    service('db', { protocol: 'tcp', vips: ['10.96.0.9'], endpoints: [meshed('10.0.0.7'), meshed('127.0.4.8', { meshPort: MESH_PORT })] }),
  ])
  const compiled = new Compiler(world, POLICY_PLUGINS).compile(proxy('a'))

  test('is spoken to with mutual TLS of its identity, in the protocol of its port', () => {
    expect(listener(compiled, 'outbound|10.0.0.5|8080')).toMatchObject({
      protocol: 'http',
      chains: [{ http: { routes: `pods|${CART}|http` } }],
    })
    expect(find(compiled, `pods|${CART}|http`).map(({ type, value }) => [type, value])).toMatchObject([
      ['cluster', { discovery: { type: 'originalDestination' }, protocol: 'http', tls: { mode: 'mesh', identities: [CART] } }],
      ['route', { virtualHosts: [{ domains: ['*'] }] }],
    ])
    expect(listener(compiled, 'outbound|10.0.0.7|8080')?.chains).toMatchObject([{ tcp: { clusters: [{ name: `pods|${CART}|tcp` }] } }])
  })

  test('is reached at its sidecar’s port where nothing is intercepted', () => {
    const [cluster] = find(compiled, `pods|${CART}|tcp|${MESH_PORT}`)
    expect(cluster?.value).toMatchObject({ discovery: { type: 'originalDestination', meshPort: MESH_PORT } })
  })

  test('is left alone without an identity', () => expect(listener(compiled, 'outbound|10.0.0.6|8080')).toBeUndefined())

  test('is no more than its address to gateways, Envoy and gRPC', () => {
    for (const other of [proxy('e', { dataPlane: 'envoy' }), proxy('g', { dataPlane: 'grpc' }), proxy('w', { kind: 'gateway' })])
      expect(listener(new Compiler(world, POLICY_PLUGINS).compile(other), 'outbound|10.0.0.5|8080')).toBeUndefined()
  })

  test('of a headless service is that service’s, whichever comes first by name', () => {
    const both = worldOf([...world.services.values(), service('zoo', { headless: true, vips: [], endpoints: [meshed('10.0.0.5')] })])
    expect(listener(new Compiler(both, POLICY_PLUGINS).compile(proxy('a')), 'outbound|10.0.0.5|8080')?.service).toMatchObject({
      name: 'zoo',
    })
  })

  test('changes no other’s configuration when it comes or goes', () => {
    const many = Array.from({ length: 200 }, (_, i) => meshed(`10.1.0.${i}`))
    const of = (endpoints: readonly Endpoint[]) => worldOf([service('cart', { endpoints }), world.services.get('shop/db')!])
    const worlds = [of(many), of(many), of(many.slice(1))]
    let compiler: Compiler | undefined
    const seen = worlds.map((one) => {
      compiler = new Compiler(one, POLICY_PLUGINS, compiler)
      return new Set(compiler.compile(proxy('a')).resources)
    })
    const gone = [...seen[0]!].filter((one) => !seen[2]!.has(one)).map(({ type, value }) => `${type} ${value.name}`)
    const added = [...seen[2]!].filter((one) => !seen[0]!.has(one)).map(({ type, value }) => `${type} ${value.name}`)
    // what the service itself is made of is compiled anew: the pool of the control plane knows that only the endpoints differ
    expect(gone.filter((name) => name.includes('10.1.'))).toEqual(['listener outbound|10.1.0.0|8080'])
    expect(added.filter((name) => name.includes('10.1.') || name.includes('pods|'))).toEqual([])
  })

  test('leaves alone what proxies have alone when it comes or goes, but for names that decide it', () => {
    const of = (endpoints: readonly Endpoint[]) => worldOf([service('cart', { endpoints })])
    const view = proxy('a')
    const first = new Compiler(of([meshed('10.1.0.1'), meshed('10.1.0.2')]), POLICY_PLUGINS)
    const before = first.compile(view)
    const second = new Compiler(of([meshed('10.1.0.1')]), POLICY_PLUGINS, first)
    const after = second.compile(view)
    expect(after.shared).not.toBe(before.shared)
    expect(after.own).toBe(before.own)
    expect(new Compiler(of([meshed('10.1.0.1')]), POLICY_PLUGINS).compile(view).resources).toEqual(after.resources)
  })
})
