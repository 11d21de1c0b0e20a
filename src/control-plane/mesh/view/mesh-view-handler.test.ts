import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { meshPolicies } from '../../../api/kuma.io/v1alpha1/index.ts'
import type { KindDefinition } from '../../../api/kind.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import { silentLogger } from '../../../base/log.ts'
import { FakeClock, startTestCluster, type TestCluster } from '../../../testing/index.ts'
import type {
  ConfigAnswer,
  DryRunAnswer,
  ExplainAnswer,
  PoliciesAnswer,
  ProxiesAnswer,
  StrictAnswer,
} from '../../../protocols/mesh-view.ts'
import type { Handler, ServerRequest } from '../../apiserver/index.ts'
import { SYSTEM_NAMESPACE, type MeshControl } from '../control/index.ts'
import { putPod, putService, startMesh, TestProxy, until } from '../control/test-mesh.ts'
import { createMeshViewHandler } from './mesh-view-handler.ts'

const permissions = meshPolicies.find(({ kind }) => kind === 'MeshTrafficPermission') as KindDefinition<KubeObject>
const WEB = 'spiffe://default.mesh.local/ns/default/sa/default'

let clock: FakeClock
let cluster: TestCluster
let control: MeshControl
let handler: Handler
let proxy: TestProxy
let closing: (() => unknown)[]

beforeEach(async () => {
  clock = new FakeClock()
  closing = []
  cluster = await startTestCluster({ clock, namespaces: ['default', SYSTEM_NAMESPACE] })
  const uid = await putPod(cluster.client, 'web')
  await putPod(cluster.client, 'cart', { ip: '10.0.0.5' })
  await putPod(cluster.client, 'plain', { ip: '10.0.0.9', meshed: false })
  await putService(cluster.client, 'cart', '10.96.0.1', ['cart:10.0.0.5'])
  const mesh = await startMesh(cluster.client, clock, silentLogger)
  control = mesh.control
  closing.push(mesh.stop)
  handler = createMeshViewHandler({ control: () => control, client: () => cluster.client })
  proxy = new TestProxy(control, { node: 'n1', id: 'web.default', token: `default/web/${uid}` })
  closing.push(() => proxy.close())
  proxy.want('proxy', 'web.default')
  await until(clock, () => proxy.of('proxy').size === 1, 'the first configuration')
  await until(clock, () => control.xds.view()[0]?.types[0]?.pending === undefined, 'its confirmation')
})
afterEach(async () => {
  for (const close of closing.toReversed()) await close()
  await cluster.stop()
})

async function ask<T>(path: string, more: Partial<ServerRequest> = {}): Promise<T> {
  const answer = await handler({ method: 'GET', path: `/mesh/v1${path}`, user: { name: 'admin', groups: [] }, ...more })
  expect(answer.status).toBe(200)
  return JSON.parse(JSON.stringify((answer.body as { value: unknown }).value)) as T
}

const told = ({ changes }: DryRunAnswer): string[][] => changes.map(({ from, to, now, then, because }) => [from, to, now, then, because])

const deny = (name = 'no'): KubeObject =>
  ({
    apiVersion: 'kuma.io/v1alpha1',
    kind: 'MeshTrafficPermission',
    metadata: { name, namespace: 'default' },
    spec: { rules: [{ default: { deny: [{ spiffeID: { type: 'Exact', value: WEB } }] } }] },
  }) as KubeObject

describe('what is told of the mesh', () => {
  it('is which proxies there are, what they confirmed, and what they were told', async () => {
    const { proxies } = await ask<ProxiesAnswer>('/proxies')
    expect(proxies.map(({ name, connected, types }) => [name, connected, types.map(({ type }) => type)])).toEqual([
      ['cart.default', false, []],
      ['web.default', true, ['proxy']],
    ])
    expect(proxies[1]?.types[0]?.acked).toBeDefined()
    const { resources } = await ask<ConfigAnswer>('/proxies/web.default/config', { query: { type: 'listener' } })
    expect(Object.keys(resources)).toEqual(['listener'])
    expect(Object.keys(resources['listener'] ?? {})).toContain('inbound|8080')
  })

  it('is what becomes of a call, and why', async () => {
    const query = { from: 'default/web', to: 'default/cart:80' }
    await cluster.client.of(permissions).create(deny())
    await until(clock, () => control.built?.world.policies.some(({ origin }) => origin.name === 'no') === true, 'the policy')
    const answer = await ask<ExplainAnswer>('/explain', { query })
    expect(answer.verdict).toBe('denied')
    expect(answer.steps.at(-1)).toMatchObject({ step: 'permission', verdict: 'denied', origin: 'MeshTrafficPermission/default/no' })
    // in plain text nobody has an identity, and permissions are about identities
    expect((await ask<ExplainAnswer>('/explain', { query: { ...query, from: 'default/plain' } })).verdict).toBe('allowed')
    const { policies } = await ask<PoliciesAnswer>('/policies')
    expect(policies.map(({ policy }) => policy)).toEqual(['MeshTrafficPermission/default/no'])
    const strict = await ask<StrictAnswer>('/strict')
    expect(strict).toMatchObject({ safe: false, basis: 'configuration', plaintext: [{ from: 'default/plain' }] })
  })

  it('is what a policy would change, without changing anything', async () => {
    const body = deny('try')
    const answer = await ask<DryRunAnswer>('/dry-run', { method: 'POST', body })
    expect(told(answer)).toEqual([[WEB, 'default/cart:80', 'allow', 'deny', 'MeshTrafficPermission/default/try']])
    expect(answer.basis).toBe('configuration')
    await expect(cluster.client.of(permissions).get('try', { namespace: 'default' })).rejects.toMatchObject({ reason: 'NotFound' })
    // one that is there already
    await cluster.client.of(permissions).create(deny('there'))
    await until(clock, () => control.built?.world.policies.some(({ origin }) => origin.name === 'there') === true, 'the policy')
    const none = { ...deny('there'), spec: { rules: [{ default: { allow: [{ spiffeID: { type: 'Exact', value: WEB } }] } }] } }
    const bytes = Buffer.from(JSON.stringify(none))
    const headers = { 'content-type': 'application/json' }
    const changed = await ask<DryRunAnswer>('/dry-run', { method: 'POST', body: bytes, headers })
    expect(told(changed)).toEqual([[WEB, 'default/cart:80', 'deny', 'allow', 'MeshTrafficPermission/default/there']])
  })

  it('is who was seen to call whom, once proxies tell', async () => {
    const connection = { address: '10.0.0.9', port: 8080, transport: 'plaintext', count: 3 }
    const told = async (body: object): Promise<string> => {
      const answer = proxy.report(JSON.stringify(body))
      let settled: string | undefined
      void answer.then((text) => (settled = text))
      await until(clock, () => settled !== undefined, 'an answer')
      return decodeURIComponent(await answer)
    }
    expect(await told({ connections: [{ ...connection, port: 'x' }] })).toBe('3 connections[0].port: is not understood')
    const { epoch } = JSON.parse(await told({ connections: [connection] })) as { epoch: string }
    // what is told to one of before is not taken
    expect(JSON.parse(await told({ epoch: 'another', connections: [connection] }))).toEqual({ epoch })
    await told({
      epoch,
      connections: [
        { ...connection, count: 1 },
        { ...connection, caller: WEB, transport: 'mesh' },
      ],
    })
    const strict = await ask<StrictAnswer>('/strict')
    expect([strict.safe, strict.basis, strict.note]).toEqual([false, 'traffic', undefined])
    expect(strict.plaintext.map(({ from, to, count }) => [from, to, count])).toEqual([['default/plain', 'default/web:8080', 4]])
  })

  it.each([
    ['/nothing', {}, 'NotFound', 'could not find the requested resource'],
    ['/proxies/', {}, 'NotFound', 'could not find the requested resource'],
    ['/proxies', { method: 'POST' }, 'MethodNotAllowed', 'asked for by GET, not by POST'],
    ['/dry-run', {}, 'MethodNotAllowed', 'asked for by POST'],
    ['/proxies/nobody.default/config', {}, 'NotFound', 'there is no proxy "nobody.default"'],
    ['/proxies/%zz/config', {}, 'BadRequest', 'broken percent-encoding'],
    ['/proxies/web.default/config', { query: { type: 'x' } }, 'BadRequest', 'type: "x" is none of'],
    ['/explain', { query: { from: 'default/gone', to: 'default/cart:80' } }, 'NotFound', 'pods "gone" not found'],
    ['/explain', {}, 'BadRequest', 'from: is missing'],
    ['/dry-run', { method: 'POST' }, 'BadRequest', 'the body is no policy of the mesh'],
    ['/dry-run', { method: 'POST', body: { apiVersion: 'v1', kind: 'Pod' } }, 'BadRequest', 'v1 Pod is no policy of the mesh'],
    ['/dry-run', { method: 'POST', body: { ...deny(), metadata: {} } }, 'BadRequest', 'metadata.name: is missing'],
    ['/dry-run', { method: 'POST', body: { ...deny(), spec: { to: [] } } }, 'BadRequest', 'unknown field'],
  ] as const)('refuses what cannot be answered: %s %j', async (path, more, reason, message) => {
    await expect(ask(path, more as Partial<ServerRequest>)).rejects.toMatchObject({
      reason,
      message: expect.stringContaining(message) as string,
    })
  })

  it('is nothing before there is anything', async () => {
    handler = createMeshViewHandler({ control: () => undefined, client: () => cluster.client })
    await expect(ask('/proxies')).rejects.toMatchObject({ reason: 'ServiceUnavailable' })
  })
})
