import { expect, test } from 'vitest'
import { StatusError } from '../../base/errors.ts'
import { createMetrics } from '../../base/metrics.ts'
import { events } from '../../api/core/v1/event.ts'
import { nodes } from '../../api/core/v1/node.ts'
import { pods } from '../../api/core/v1/pod.ts'
import { findCondition } from '../../api/conditions.ts'
import type { Draft } from '../../api/meta/object.ts'
import type { Pod, PodSpec } from '../../api/generated/types.ts'
import { FakeClock, FakeKubelet, startTestCluster, type TestCluster } from '../../testing/index.ts'
import { defaultProfile } from './default-profile.ts'
import type { Profile } from './framework.ts'
import { addScheduler } from './scheduler.ts'

const inDefault = { namespace: 'default' }
const pod = (name: string, spec: Partial<PodSpec> = {}): Draft<Pod> => ({
  metadata: { name, namespace: 'default' },
  spec: { containers: [{ name: 'c', image: 'x' }], ...spec },
})
const asking = (cpu: string, memory = '1Mi'): Partial<PodSpec> => ({
  containers: [{ name: 'c', image: 'x', resources: { requests: { cpu, memory } } }],
})

interface Scheduling extends AsyncDisposable {
  readonly cluster: TestCluster
  readonly clock: FakeClock
  readonly kubelet: FakeKubelet
  readonly metrics: ReturnType<typeof createMetrics>
  where(name: string): Promise<string | undefined>
  why(name: string): Promise<string | undefined>
}

async function start(profile?: (base: Profile) => Profile): Promise<Scheduling> {
  const clock = new FakeClock()
  const cluster = await startTestCluster({ clock })
  const metrics = createMetrics()
  const manager = cluster.manager({ metrics })
  addScheduler(manager, { random: () => 0.5, ...(profile ? { profile: profile(defaultProfile(cluster.client)) } : {}) })
  const stop = new AbortController()
  const done = manager.run(stop.signal)
  await clock.advance(100)
  const get = (name: string): Promise<Pod> => cluster.client.of(pods).get(name, inDefault)
  return {
    cluster,
    clock,
    metrics,
    kubelet: new FakeKubelet({ client: cluster.client, clock }),
    where: async (name) => (await get(name)).spec?.nodeName,
    why: async (name) => findCondition((await get(name)).status?.conditions, 'PodScheduled')?.message,
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('test ended'))
      await done
      await cluster.stop()
    },
  }
}

const eventsOf = async (running: Scheduling, reason: string): Promise<string[]> =>
  (await running.cluster.client.of(events).list(inDefault)).items
    .filter((event) => event.reason === reason)
    .map((event) => event.message ?? '')

test('binds a pod, and tells', async () => {
  await using running = await start()
  await running.kubelet.addNode('n1')
  await running.cluster.client.of(pods).create(pod('a'))
  await running.clock.advance(1_000)
  expect(await running.where('a')).toBe('n1')
  expect(await eventsOf(running, 'Scheduled')).toEqual(['Successfully assigned default/a to n1'])
})

test('says why a pod waits, and binds it once a node is there that takes it', async () => {
  await using running = await start()
  const { client } = running.cluster
  await client.of(pods).create(pod('a', asking('4')))
  await running.clock.advance(1_000)
  expect(await running.why('a')).toBe('no nodes available to schedule pods')
  await running.kubelet.addNode('small', { allocatable: { cpu: '2', memory: '1Gi', pods: '10' } })
  await running.kubelet.addNode('closed-1', { spec: { unschedulable: true } })
  await running.kubelet.addNode('closed-2', { spec: { unschedulable: true } })
  await running.clock.advance(30_000)
  expect(await running.why('a')).toBe('0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.')
  await running.kubelet.addNode('large')
  await running.clock.advance(11_000)
  expect(await running.where('a')).toBe('large')
})

test('an uncordoned node, a lifted taint and a deleted pod each bring waiting pods back', async () => {
  await using running = await start()
  const { client } = running.cluster
  await running.kubelet.addNode('n1', { spec: { unschedulable: true }, allocatable: { cpu: '1', memory: '1Gi', pods: '10' } })
  await client.of(pods).create(pod('a', asking('1')))
  await running.clock.advance(30_000)
  expect(await running.where('a')).toBeUndefined()
  await client
    .of(nodes)
    .patch('n1', { spec: { unschedulable: false, taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] } }, { type: 'merge' })
  await running.clock.advance(11_000)
  expect(await running.why('a')).toBe('0/1 nodes are available: 1 node(s) had untolerated taint {k: v}.')
  await client.of(nodes).patch('n1', { spec: { taints: null } }, { type: 'merge' })
  await running.clock.advance(11_000)
  expect(await running.where('a')).toBe('n1')
  await client.of(pods).create(pod('b', asking('1')))
  await running.clock.advance(30_000)
  expect(await running.why('b')).toBe('0/1 nodes are available: 1 Insufficient cpu.')
  await client.of(pods).delete('a', { ...inDefault, gracePeriodSeconds: 0 })
  await running.clock.advance(11_000)
  expect(await running.where('b')).toBe('n1')
})

test('a binding that fails is tried again, and its place is not lost meanwhile', async () => {
  let failures = 2
  await using running = await start((base) => ({
    ...base,
    bind: {
      name: 'Flaky',
      async bind(info, node, signal) {
        if (failures-- > 0) throw new StatusError('ServiceUnavailable', 'try later')
        await base.bind.bind(info, node, signal)
      },
    },
  }))
  await running.kubelet.addNode('n1', { allocatable: { cpu: '1', memory: '1Gi', pods: '10' } })
  await running.cluster.client.of(pods).create(pod('a', asking('1')))
  await running.clock.advance(500)
  expect(await running.where('a')).toBeUndefined()
  await running.clock.advance(5_000)
  expect(await running.where('a')).toBe('n1')
})

test('what a reserve plugin claimed before another refused is given back', async () => {
  const log: string[] = []
  const plugin = (name: string, answer: () => string | undefined) => ({
    name,
    reserve: () => (log.push(`+${name}`), answer()),
    unreserve: () => void log.push(`-${name}`),
  })
  let refusing = true
  await using running = await start((base) => ({
    ...base,
    reserves: [plugin('a', () => undefined), plugin('b', () => (refusing ? 'no' : undefined))],
  }))
  await running.kubelet.addNode('n1')
  await running.cluster.client.of(pods).create(pod('p'))
  await running.clock.advance(1_000)
  expect(log).toEqual(['+a', '+b', '-a'])
  refusing = false
  await running.kubelet.addNode('n2')
  await running.clock.advance(20_000)
  expect(await running.where('p')).toBeDefined()
  expect(log.slice(3)).toEqual(['+a', '+b'])
})

test('never puts more on a node than fits, however many ask at once', async () => {
  await using running = await start()
  for (const name of ['n1', 'n2']) await running.kubelet.addNode(name, { allocatable: { cpu: '1', memory: '8Gi', pods: '110' } })
  const api = running.cluster.client.of(pods)
  await Promise.all(Array.from({ length: 30 }, (_, i) => api.create(pod(`p${i}`, asking('100m')))))
  await running.clock.advance(5_000)
  const all = (await api.list(inDefault)).items
  const count = (name: string | undefined): number => all.filter((one) => one.spec?.nodeName === name).length
  expect([count('n1'), count('n2'), count(undefined)]).toEqual([10, 10, 10])
})

test('a pod that waits is told of once, and keeps its other conditions', async () => {
  await using running = await start()
  const { client, store } = running.cluster
  await running.kubelet.addNode('n1', { allocatable: { cpu: '1', memory: '1Gi', pods: '10' } })
  await client.of(pods).create(pod('a', asking('4')))
  await running.clock.advance(1_000)
  const conditions = [{ type: 'example.com/Checked', status: 'True' }]
  await client.of(pods).patch('a', { status: { conditions } }, { type: 'strategic', ...inDefault, subresource: 'status' })
  const seen: string[] = []
  const watch = store.watch('/registry/core/pods/')
  const reading = (async () => {
    for await (const batch of watch) for (const event of batch.events) seen.push(event.key)
  })()
  for (let i = 0; i < 20; i++) {
    // each time a reason to try again, never one that helps
    await client.of(nodes).patch('n1', { metadata: { labels: { round: String(i) } } }, { type: 'merge' })
    await running.clock.advance(30_000)
  }
  watch.close()
  await reading
  expect(seen).toEqual([])
  expect(running.metrics.render()).toMatch(/scheduler_schedule_attempts_total\{result="unschedulable",profile="default-scheduler"\} 2\d/)
  const told = (await client.of(events).list(inDefault)).items.filter((event) => event.reason === 'FailedScheduling')
  expect(told.map((event) => event.count ?? 1)).toEqual([1])
  const found = await client.of(pods).get('a', inDefault)
  expect(found.status?.conditions?.map(({ type }) => type).sort()).toEqual(['PodScheduled', 'example.com/Checked'])
})

test('gates hold a pod, another scheduler owns its own, a changed pod is tried again', async () => {
  await using running = await start()
  const { client } = running.cluster
  await running.kubelet.addNode('n1', { labels: { disk: 'ssd' }, spec: { taints: [{ key: 'k', effect: 'NoSchedule' }] } })
  await client.of(pods).create(pod('gated', { schedulingGates: [{ name: 'wait' }], tolerations: [{ operator: 'Exists' }] }))
  await client.of(pods).create(pod('foreign', { schedulerName: 'mine', tolerations: [{ operator: 'Exists' }] }))
  await client.of(pods).create(pod('refused'))
  await running.clock.advance(5_000)
  expect([await running.where('gated'), await running.where('foreign'), await running.where('refused')]).toEqual([
    undefined,
    undefined,
    undefined,
  ])
  await client.of(pods).patch('gated', { spec: { schedulingGates: null } }, { type: 'merge', ...inDefault })
  const tolerations = [...((await client.of(pods).get('refused', inDefault)).spec?.tolerations ?? []), { key: 'k', operator: 'Exists' }]
  await client.of(pods).patch('refused', { spec: { tolerations } }, { type: 'merge', ...inDefault })
  await running.clock.advance(5_000)
  expect([await running.where('gated'), await running.where('foreign'), await running.where('refused')]).toEqual(['n1', undefined, 'n1'])
})
