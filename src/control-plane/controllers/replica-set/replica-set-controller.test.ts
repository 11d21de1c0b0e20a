import { expect, test } from 'vitest'
import { replicaSets } from '../../../api/apps/v1/replica-set.ts'
import { events } from '../../../api/core/v1/event.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import { findCondition } from '../../../api/conditions.ts'
import { createManager } from '../../../controller/create-manager.ts'
import { silentLogger } from '../../../base/log.ts'
import { createMetrics } from '../../../base/metrics.ts'
import { createInformerFactory } from '../../../client/informer-factory.ts'
import { FakeClock, startTestCluster } from '../../../testing/index.ts'
import type { Draft } from '../../../api/meta/object.ts'
import type { Pod, ReplicaSet } from '../../../api/generated/types.ts'
import { StatusError } from '../../../base/errors.ts'
import { Gate, heldWatch } from '../../../testing/held-watch.ts'
import { startRunningCluster, template } from '../../../testing/running-cluster.ts'
import { addReplicaSetController } from './replica-set-controller.ts'

const set = (replicas: number, more: Partial<NonNullable<ReplicaSet['spec']>> = {}): Draft<ReplicaSet> => ({
  metadata: { name: 'web', namespace: 'default' },
  spec: { replicas, selector: { matchLabels: { app: 'web' } }, template: template('v1'), ...more },
})
const inDefault = { namespace: 'default' }
const merge = { type: 'merge', namespace: 'default' } as const

test('keeps the wanted number of pods, and reports them', async () => {
  await using running = await startRunningCluster()
  const api = running.client.of(replicaSets)
  await api.create(set(3))
  await running.advance(2_000)
  const made = await running.pods()
  expect(made.length).toBe(3)
  expect(made.every((pod) => /^web-[a-z0-9]{5}$/.test(pod.metadata.name))).toBe(true)
  expect((await api.get('web', inDefault)).status).toEqual({
    replicas: 3,
    fullyLabeledReplicas: 3,
    readyReplicas: 3,
    availableReplicas: 3,
    terminatingReplicas: 0,
    observedGeneration: 1,
  })
  await running.client.of(pods).delete(made[0]!.metadata.name, inDefault)
  await running.advance(2_000)
  expect((await running.pods()).length).toBe(3)
  await api.patch('web', { spec: { replicas: 1 } }, merge)
  await running.advance(2_000)
  expect((await running.pods()).length).toBe(1)
  expect((await api.get('web', inDefault)).status).toMatchObject({ replicas: 1, observedGeneration: 2 })
})

test('adopts matching orphans instead of making pods, and releases pods that stop matching', async () => {
  await using running = await startRunningCluster()
  const orphan: Draft<Pod> = {
    metadata: { name: 'orphan', namespace: 'default', labels: { app: 'web' } },
    spec: { containers: [{ name: 'c', image: 'x' }] },
  }
  await running.client.of(pods).create(orphan)
  await running.client.of(replicaSets).create(set(2))
  await running.advance(2_000)
  const all = await running.pods()
  expect(all.length).toBe(2)
  expect(all.every((pod) => pod.metadata.ownerReferences?.[0]?.name === 'web')).toBe(true)
  await running.client.of(pods).patch('orphan', { metadata: { labels: { app: 'debug' } } }, merge)
  await running.advance(2_000)
  expect((await running.pods()).length).toBe(3)
  expect((await running.client.of(pods).get('orphan', inDefault)).metadata.ownerReferences ?? []).toEqual([])
})

test('a pod counts as available only after minReadySeconds', async () => {
  await using running = await startRunningCluster()
  await running.client.of(replicaSets).create(set(1, { minReadySeconds: 10 }))
  await running.advance(5_000)
  expect((await running.sets())[0]?.status).toMatchObject({ readyReplicas: 1, availableReplicas: 0 })
  await running.advance(10_000)
  expect((await running.sets())[0]?.status).toMatchObject({ readyReplicas: 1, availableReplicas: 1 })
})

test('a template that is refused is tried slowly, reported, and not counted as made', async () => {
  const clock = new FakeClock()
  let tries = 0
  let refusing = true
  const refusal = {
    name: 'Refuse',
    resources: ['pods'],
    async admit(): Promise<void> {
      tries++
      if (refusing) throw new StatusError('Forbidden', 'pods "web" is forbidden: exceeded quota')
    },
  }
  await using cluster = await startTestCluster({ clock, admission: [refusal] })
  const manager = cluster.manager()
  addReplicaSetController(manager)
  const stop = new AbortController()
  const done = manager.run(stop.signal)
  await cluster.client.of(replicaSets).create(set(50))
  await clock.advance(60_000)
  // one for each reconcile, and those back off
  expect(tries).toBeLessThan(20)
  const found = await cluster.client.of(replicaSets).get('web', inDefault)
  expect(findCondition(found.status?.conditions, 'ReplicaFailure')).toMatchObject({ status: 'True', reason: 'FailedCreate' })
  const told = (await cluster.client.of(events).list(inDefault)).items
  expect(told.map(({ reason, message }) => [reason, message])).toEqual([
    ['FailedCreate', 'Error creating: pods "web" is forbidden: exceeded quota'],
  ])
  refusing = false
  await clock.advance(120_000)
  const healed = await cluster.client.of(replicaSets).get('web', inDefault)
  expect(healed.status).toMatchObject({ replicas: 50 })
  expect(healed.status?.conditions ?? []).toEqual([])
  stop.abort()
  await done
})

test('a cache that lags behind does not make a controller create or delete twice', async () => {
  const clock = new FakeClock()
  await using cluster = await startTestCluster({ clock })
  const gate = new Gate()
  const late = heldWatch(cluster.client, 'pods', gate)
  const informers = createInformerFactory({ client: late, clock, random: () => 0, log: silentLogger })
  const manager = createManager({ client: late, informers, clock, random: () => 0, log: silentLogger, metrics: createMetrics() })
  addReplicaSetController(manager)
  const stop = new AbortController()
  const done = manager.run(stop.signal)
  const api = cluster.client.of(replicaSets)
  const touch = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i++) {
      await api.patch('web', { metadata: { annotations: { touched: `${clock.now()}` } } }, merge)
      await clock.advance(1_000)
    }
  }
  const count = async (): Promise<number> => (await cluster.client.of(pods).list(inDefault)).items.length
  await clock.advance(1_000)
  gate.close()
  await api.create(set(4))
  await touch(5)
  expect(await count()).toBe(4)
  gate.open()
  await clock.advance(1_000)
  expect(await count()).toBe(4)
  gate.close()
  await api.patch('web', { spec: { replicas: 2 } }, merge)
  await touch(5)
  expect(await count()).toBe(2)
  gate.open()
  await touch(2)
  expect(await count()).toBe(2)
  stop.abort()
  await done
})
