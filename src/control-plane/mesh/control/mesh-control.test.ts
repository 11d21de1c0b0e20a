import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { endpointSlices } from '../../../api/discovery/v1/endpoint-slice.ts'
import { nodes } from '../../../api/core/v1/node.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import { services } from '../../../api/core/v1/service.ts'
import { meshPolicies } from '../../../api/kuma.io/v1alpha1/index.ts'
import { httpRoutes } from '../../../api/gateway.networking.k8s.io/v1/index.ts'
import type { KindDefinition } from '../../../api/kind.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import { silentLogger } from '../../../base/log.ts'
import { clusterName } from '../../../policy/traffic/compile/index.ts'
import { FakeClock, startTestCluster, type TestCluster } from '../../../testing/index.ts'
import { SYSTEM_NAMESPACE, type MeshControl } from './index.ts'
import { putEndpoints, putPod, putService, startMesh, TestProxy, until } from './test-mesh.ts'

const IN = { namespace: 'default' }
const timeouts = meshPolicies.find(({ kind }) => kind === 'MeshTimeout') as KindDefinition<KubeObject>

let clock: FakeClock
let cluster: TestCluster
let errors: string[]
let closing: (() => unknown)[]
const log = {
  ...silentLogger,
  error: (text: string, fields?: object) => void errors.push(`${text} ${JSON.stringify(fields)}`),
  child: () => log,
}

beforeEach(async () => {
  clock = new FakeClock()
  errors = []
  closing = []
  cluster = await startTestCluster({ clock, namespaces: ['default', SYSTEM_NAMESPACE] })
})
afterEach(async () => {
  for (const close of closing.toReversed()) await close()
  await cluster.stop()
})

async function mesh(): Promise<MeshControl> {
  const { control, stop } = await startMesh(cluster.client, clock, log)
  closing.push(stop)
  return control
}

function proxyOf(control: MeshControl, name: string, uid: string, options: { node?: string; id?: string } = {}): TestProxy {
  const { node = 'n1', id = `${name}.default` } = options
  const proxy = new TestProxy(control, { node, id, token: `default/${name}/${uid}` })
  closing.push(() => proxy.close())
  return proxy
}

const addressesOf = (proxy: TestProxy, cluster_: string): string[] => {
  const found = proxy.of('endpoints').get(cluster_) as { endpoints: { address: { address: string } }[] } | undefined
  return (found?.endpoints ?? []).map(({ address }) => address.address)
}
const CART = clusterName('default', 'cart', 80)

/** Everything that proxies are to have, as text that is the same for the same configuration. */
function configured(control: MeshControl): Record<string, unknown> {
  const all = [...control.proxies.keys()].toSorted().map((name) => {
    const { resources = [] } = control.compiled(name) ?? {}
    const entries = resources.map(({ type, value }) => [`${type}/${value.name}`, value] as const)
    return [name, Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)))] as const
  })
  return { ...Object.fromEntries(all), findings: new Set(control.findings.map((finding) => JSON.stringify(finding))) }
}

describe('the control plane of the mesh', () => {
  it('tells a proxy what it wants, and what has changed of it', async () => {
    const uid = await putPod(cluster.client, 'web')
    await putService(cluster.client, 'cart', '10.96.0.1', ['10.0.0.5'])
    const control = await mesh()
    const proxy = proxyOf(control, 'web', uid)
    proxy.want('endpoints', CART)
    await until(clock, () => addressesOf(proxy, CART).length === 1, 'the first endpoint')
    await putEndpoints(cluster.client, 'cart', ['10.0.0.5', '10.0.0.6'])
    await until(clock, () => addressesOf(proxy, CART).length === 2, 'the second endpoint')
    expect(addressesOf(proxy, CART)).toEqual(['10.0.0.5', '10.0.0.6'])
    expect(control.compiled('web.default')).toBe(control.compiled('web.default'))
  })

  it.each([
    ['a token of another node', { node: 'n2' }, /^7 .*runs on node "n1"/],
    ['a name that is not its own', { id: 'cart.default' }, /^7 .*is not the proxy that the credentials name/],
  ])('refuses %s', async (_, options, status) => {
    const uid = await putPod(cluster.client, 'web')
    await putPod(cluster.client, 'cart', { ip: '10.0.0.2' })
    const proxy = proxyOf(await mesh(), 'web', uid, options)
    proxy.want('proxy', `web.default`)
    await until(clock, () => proxy.status !== undefined)
    expect(decodeURIComponent(proxy.status ?? '')).toMatch(status)
    expect(proxy.told.size).toBe(0)
  })

  it('refuses a pod that was replaced', async () => {
    await putPod(cluster.client, 'web')
    const proxy = proxyOf(await mesh(), 'web', 'another-uid')
    proxy.want('proxy', `web.default`)
    await until(clock, () => proxy.status !== undefined)
    expect(decodeURIComponent(proxy.status ?? '')).toMatch(/^7 /)
  })

  it('compiles only what concerns the mesh, and keeps what is the same', async () => {
    await putPod(cluster.client, 'web')
    await putPod(cluster.client, 'other', { ip: '10.0.0.2' })
    await putService(cluster.client, 'cart', '10.96.0.1', ['10.0.0.5'])
    await putService(cluster.client, 'shop', '10.96.0.2', ['10.0.0.6'])
    const control = await mesh()
    const before = control.built
    await cluster.client.of(pods).patch('web', { status: { message: 'well' } }, { type: 'merge', ...IN, subresource: 'status' })
    await clock.advance(1_000)
    expect(control.built).toBe(before)
    const [web, other] = [control.compiled('web.default'), control.compiled('other.default')]
    await putEndpoints(cluster.client, 'cart', ['10.0.0.5', '10.0.0.7'])
    await clock.advance(1_000)
    const after = control.compiled('web.default')
    expect(after?.own).toBe(web?.own)
    expect(after?.shared).not.toBe(web?.shared)
    expect(control.compiled('other.default')?.shared).toBe(after?.shared)
    expect(other?.shared).toBe(web?.shared)
    const changed = after?.shared.filter((one) => !web?.shared.includes(one)) ?? []
    expect(new Set(changed.flatMap(({ origins }) => origins.map(({ name }) => name)))).not.toContain('shop')
    expect(control.built?.world.services.get('default/shop')).toBe(before?.world.services.get('default/shop'))
    expect(control.built?.world.policies).toBe(before?.world.policies)
  })

  it('forgets proxies that are gone', async () => {
    const uid = await putPod(cluster.client, 'web')
    const control = await mesh()
    const proxy = proxyOf(control, 'web', uid)
    proxy.want('proxy', 'web.default')
    await until(clock, () => proxy.of('proxy').size === 1)
    expect(control.xds.view().map((one) => one.proxy)).toEqual(['web.default'])
    await cluster.client.of(pods).delete('web', { ...IN, gracePeriodSeconds: 0 })
    await until(clock, () => control.proxies.size === 0)
    expect(control.compiled('web.default')).toBeUndefined()
    proxy.close()
    await until(clock, () => control.xds.view().length === 0, 'the stream to be forgotten')
  })

  it('leaves proxies with what they have when the world cannot be built, and goes on when it can', async () => {
    const uid = await putPod(cluster.client, 'web')
    await putService(cluster.client, 'cart', '10.96.0.1', ['10.0.0.5'])
    // what no schema lets through, but a damaged cache may have
    const damaged = (object: KubeObject): KubeObject =>
      object.metadata.labels?.['damaged'] === 'true' ? ({ ...object, spec: { ports: 7 } } as KubeObject) : object
    const { control, stop } = await startMesh(cluster.client, clock, log, ({ kind }) => (kind === 'Service' ? damaged : undefined))
    closing.push(stop)
    const proxy = proxyOf(control, 'web', uid)
    proxy.want('endpoints', CART)
    await until(clock, () => addressesOf(proxy, CART).length === 1)
    const before = control.built
    const mark = (damage: string): Promise<unknown> =>
      cluster.client.of(services).patch('cart', { metadata: { labels: { damaged: damage } } }, { type: 'merge', ...IN })
    await mark('true')
    await until(clock, () => errors.length > 0)
    await putEndpoints(cluster.client, 'cart', ['10.0.0.5', '10.0.0.6'])
    await clock.advance(1_000)
    expect(errors[0]).toContain('proxies keep what they have')
    expect(control.built).toBe(before)
    expect(addressesOf(proxy, CART)).toEqual(['10.0.0.5'])
    await mark('false')
    await until(clock, () => addressesOf(proxy, CART).length === 2, 'the change that was missed')
  })

  it('goes to another authority when all proxies have confirmed that they trust it', async () => {
    const uid = await putPod(cluster.client, 'web')
    const control = await mesh()
    await until(clock, () => control.authorities?.state !== undefined)
    const proxy = proxyOf(control, 'web', uid)
    proxy.want('proxy', 'web.default')
    await until(clock, () => proxy.of('proxy').size === 1)
    const before = control.authorities?.state?.issuer
    proxy.confirms = false
    await control.authorities?.rotate()
    const bundle = (): number =>
      Object.values((proxy.of('proxy').get('web.default') as { trust: Record<string, unknown[]> }).trust)[0]?.length ?? 0
    await until(clock, () => bundle() === 2, 'trust in both')
    await clock.advance(1_000)
    expect(control.authorities?.state).toMatchObject({ issuer: before, waitingFor: ['web.default'] })
    proxy.confirm()
    await until(clock, () => control.authorities?.state?.issuer !== before, 'the new issuer')
    await until(clock, () => (proxy.of('proxy').get('web.default') as { issuer: string }).issuer === control.authorities?.state?.issuer)
  })
})

type Change = (draw: { readonly a: number; readonly b: number }) => Promise<unknown>

/** Changes of which some do not apply, which is as good. */
const CHANGES: readonly Change[] = [
  ({ a, b }) => putPod(cluster.client, `p${a}`, { ip: `10.0.1.${a}`, labels: { app: `s${b}` }, node: `n${b % 2}` }),
  ({ a }) => cluster.client.of(pods).delete(`p${a}`, { ...IN, gracePeriodSeconds: 0 }),
  ({ a, b }) => cluster.client.of(pods).patch(`p${a}`, { metadata: { labels: { app: `s${b}` } } }, { type: 'merge', ...IN }),
  ({ a, b }) =>
    cluster.client
      .of(pods)
      .patch(
        `p${a}`,
        { status: { podIP: `10.0.2.${b}`, podIPs: [{ ip: `10.0.2.${b}` }] } },
        { type: 'merge', ...IN, subresource: 'status' },
      ),
  ({ a, b }) => putService(cluster.client, `s${a}`, `10.96.0.${a + 1}`, [`p${b}:10.0.1.${b}`]),
  ({ a }) => cluster.client.of(services).delete(`s${a}`, IN),
  ({ a }) => cluster.client.of(endpointSlices).delete(`s${a}-1`, IN),
  ({ a, b }) => putEndpoints(cluster.client, `s${a}`, [`p${b}:10.0.1.${b}`, `p${a}:10.0.1.${a}`]),
  ({ a, b }) => cluster.client.of(services).patch(`s${a}`, { spec: { selector: { app: `s${b}` } } }, { type: 'merge', ...IN }),
  ({ a }) => cluster.client.of(nodes).create({ metadata: { name: `n${a % 2}`, labels: { 'topology.kubernetes.io/zone': `z${a}` } } }),
  ({ a, b }) =>
    cluster.client.of(nodes).patch(`n${a % 2}`, { metadata: { labels: { 'topology.kubernetes.io/zone': `z${b}` } } }, { type: 'merge' }),
  ({ a, b }) =>
    cluster.client.of(timeouts).create({
      metadata: { name: `t${a}`, ...IN },
      spec: { to: [{ targetRef: { kind: 'MeshService', name: `s${b}` }, default: { http: { requestTimeout: `${a + 1}s` } } }] },
    } as KubeObject),
  ({ a }) => cluster.client.of(timeouts).delete(`t${a}`, IN),
  ({ a, b }) =>
    cluster.client.of(httpRoutes as unknown as KindDefinition<KubeObject>).create({
      metadata: { name: `r${a}`, ...IN },
      spec: {
        parentRefs: [{ group: '', kind: 'Service', name: `s${a}`, port: 80 }],
        rules: [{ backendRefs: [{ name: `s${b}`, port: 80 }] }],
      },
    } as KubeObject),
  ({ a }) => cluster.client.of(httpRoutes).delete(`r${a}`, IN),
]

it('has after any changes the configuration of one that starts anew', async () => {
  const control = await mesh()
  const draw = fc.record({ kind: fc.nat(CHANGES.length - 1), a: fc.nat(3), b: fc.nat(3), wait: fc.boolean() })
  const applied = new Set<number>()
  await fc.assert(
    fc.asyncProperty(fc.array(draw, { minLength: 1, maxLength: 12 }), async (changes) => {
      for (const { kind, a, b, wait } of changes) {
        await CHANGES[kind]?.({ a, b }).then(
          () => applied.add(kind),
          () => {},
        )
        if (wait) await clock.advance(50)
      }
      await clock.advance(1_000)
      const fresh = await startMesh(cluster.client, clock, log)
      await clock.advance(1_000)
      const expected = configured(fresh.control)
      await fresh.stop()
      expect(configured(control)).toEqual(expected)
    }),
    { numRuns: 40, endOnFailure: true },
  )
  expect(errors).toEqual([])
  // a change that the API always refuses would test nothing
  expect([...CHANGES.keys()].filter((kind) => !applied.has(kind))).toEqual([])
}, 60_000)
