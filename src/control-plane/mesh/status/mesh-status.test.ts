import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { meshHttpRoutes, meshPolicies, type KumaPolicy } from '../../../api/kuma.io/v1alpha1/index.ts'
import type { KindDefinition } from '../../../api/kind.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import { silentLogger } from '../../../base/log.ts'
import { FakeClock, startTestCluster, type TestCluster } from '../../../testing/index.ts'
import { TYPE_URL } from '../../../policy/traffic/model/index.ts'
import { SYSTEM_NAMESPACE, type MeshControl } from '../control/index.ts'
import { putPod, startMesh, TestProxy, until } from '../control/test-mesh.ts'
import { addMeshStatus, programmedBy } from './mesh-status.ts'

const kindOf = (name: string): KindDefinition<KumaPolicy> => meshPolicies.find(({ kind }) => kind === name) as KindDefinition<KumaPolicy>
const permissions = kindOf('MeshTrafficPermission')
const timeouts = kindOf('MeshTimeout')
const IN = { namespace: 'default' }

let clock: FakeClock
let cluster: TestCluster
let control: MeshControl
let proxy: TestProxy
let closing: (() => unknown)[]
let writes: number

beforeEach(async () => {
  clock = new FakeClock()
  closing = []
  writes = 0
  cluster = await startTestCluster({ clock, namespaces: ['default', SYSTEM_NAMESPACE] })
  const uid = await putPod(cluster.client, 'web')
  const mesh = await startMesh(cluster.client, clock, silentLogger)
  control = mesh.control
  closing.push(mesh.stop)
  const stopping = new AbortController()
  const { client } = cluster
  const counting = {
    transport: client.transport,
    of: <T extends KubeObject>(kind: KindDefinition<T>) => {
      const resource = client.of(kind)
      return {
        ...resource,
        kind,
        updateStatus: (...args: Parameters<typeof resource.updateStatus>) => (writes++, resource.updateStatus(...args)),
      }
    },
  }
  const manager = cluster.manager({ client: counting })
  addMeshStatus(manager, control)
  const running = manager.run(stopping.signal)
  closing.push(async () => {
    stopping.abort()
    await running
  })
  proxy = new TestProxy(control, { node: 'n1', id: 'web.default', token: `default/web/${uid}` })
  closing.push(() => proxy.close())
  proxy.want('listener', 'inbound|8080')
  await until(clock, () => proxy.of('listener').size === 1, 'the first configuration')
})
afterEach(async () => {
  for (const close of closing.toReversed()) await close()
  await cluster.stop()
})

const allow = (value: string): Pick<KumaPolicy, 'spec'> => ({
  spec: { rules: [{ default: { allow: [{ spiffeID: { type: 'Prefix', value } }] } }] },
})
const timeout = (idleTimeout: string): Pick<KumaPolicy, 'spec'> => ({ spec: { rules: [{ default: { idleTimeout } }] } })

async function conditionsOf(kind: KindDefinition<KumaPolicy>, name: string): Promise<Record<string, string>> {
  const { status, metadata } = await cluster.client.of(kind).get(name, IN)
  return Object.fromEntries(
    (status?.conditions ?? []).map(({ type, status, reason, observedGeneration }) => [
      type,
      `${status} ${reason}${observedGeneration === metadata.generation ? '' : ' of another generation'}`,
    ]),
  )
}

/** Time in which sockets get their turns, for answers to pings too. */
async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 10_000) {
    await clock.advance(Math.min(ms - passed, 10_000))
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
  }
}

async function reach(kind: KindDefinition<KumaPolicy>, name: string, expected: Record<string, string>): Promise<void> {
  let last: Record<string, string> = {}
  for (let turns = 0; turns < 100; turns++) {
    await pass(100)
    last = await conditionsOf(kind, name)
    if (JSON.stringify(last) === JSON.stringify(expected)) return
  }
  expect(last).toEqual(expected)
}

const GOOD = { Accepted: 'True Accepted', Programmed: 'True Programmed' }

describe('what became of a policy', () => {
  it('is told once all have confirmed it, for each generation, and is then written no more', async () => {
    proxy.confirms = false
    await cluster.client.of(permissions).create({ metadata: { name: 'x', ...IN }, ...allow('spiffe://default.mesh.local/') })
    await reach(permissions, 'x', { Accepted: 'True Accepted', Programmed: 'False Pending' })
    proxy.confirm()
    await reach(permissions, 'x', GOOD)
    const built = control.built
    const before = writes
    for (let minutes = 0; minutes < 10; minutes++) await pass(60_000)
    // neither a compilation nor a write comes of what was written
    expect(control.built).toBe(built)
    expect(writes).toBe(before)
    proxy.confirms = false
    await cluster.client.of(permissions).patch('x', allow('spiffe://default.mesh.local/ns/a/'), { type: 'merge', ...IN })
    await reach(permissions, 'x', { Accepted: 'True Accepted', Programmed: 'False Pending' })
    proxy.confirm()
    await reach(permissions, 'x', GOOD)
    expect(writes - before).toBeLessThanOrEqual(3)
  })

  it('is that clients have refused it; it is left out until it changes, and the rest goes on', async () => {
    proxy.refuses = (type, values) =>
      type === TYPE_URL.listener && JSON.stringify(values).includes('7777')
        ? 'listener inbound|8080: such a timeout is not known here'
        : undefined
    await cluster.client.of(permissions).create({ metadata: { name: 'x', ...IN }, ...allow('spiffe://default.mesh.local/') })
    await reach(permissions, 'x', GOOD)
    await cluster.client.of(timeouts).create({ metadata: { name: 'bad', ...IN }, ...timeout('7777ms') })
    await reach(timeouts, 'bad', { Accepted: 'True Accepted', Programmed: 'False Refused' })
    const { status } = await cluster.client.of(timeouts).get('bad', IN)
    expect(status?.conditions?.find(({ type }) => type === 'Programmed')?.message).toContain('such a timeout is not known here')
    await reach(permissions, 'x', GOOD)
    // the rest goes on: a permission that comes after it reaches the proxy
    await cluster.client.of(permissions).create({ metadata: { name: 'y', ...IN }, ...allow('spiffe://default.mesh.local/ns/later/') })
    await reach(permissions, 'y', GOOD)
    expect(JSON.stringify([...proxy.of('listener').values()])).toContain('ns/later/')
    expect(JSON.stringify([...proxy.of('listener').values()])).not.toContain('7777')
    await cluster.client.of(timeouts).patch('bad', timeout('8888ms'), { type: 'merge', ...IN })
    await reach(timeouts, 'bad', GOOD)
    expect(JSON.stringify([...proxy.of('listener').values()])).toContain('8888')
    expect(control.quarantine.size).toBe(0)
  })

  it('is that something of it has no effect, or none of it', async () => {
    await cluster.client.of(permissions).create({
      metadata: { name: 'nobody', ...IN },
      spec: {
        targetRef: { kind: 'Mesh' },
        from: [{ targetRef: { kind: 'MeshSubset', tags: { app: 'gone' } }, default: { action: 'Allow' } }],
      },
    })
    await reach(permissions, 'nobody', { ...GOOD, Shadowed: 'True NoSuchCallers' })
    const routes = meshHttpRoutes as KindDefinition<KumaPolicy>
    await cluster.client
      .of(routes)
      .create({ metadata: { name: 'lost', ...IN }, spec: { to: [{ targetRef: { kind: 'MeshService', name: 'gone' }, rules: [] }] } })
    await reach(routes, 'lost', { Accepted: 'False TargetNotFound', Programmed: 'False Invalid' })
  })

  it('is told of gateways and their routes to whoever asks', () => {
    const ask = programmedBy(() => control)
    const gateway = { metadata: { name: 'g', namespace: 'default', generation: 1 } }
    expect(ask('Gateway', gateway)).toEqual({ ok: false, message: 'No proxy of the gateway is connected yet' })
    expect(ask('HTTPRoute', gateway).ok).toBe(true)
    expect(programmedBy(() => undefined)('HTTPRoute', gateway)).toEqual({ ok: false, message: 'It has not been compiled yet' })
  })
})
