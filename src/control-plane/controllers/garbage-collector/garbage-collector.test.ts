import { expect, test } from 'vitest'
import { isStatus } from '../../../base/errors.ts'
import { deployments } from '../../../api/apps/v1/deployment.ts'
import { replicaSets } from '../../../api/apps/v1/replica-set.ts'
import { configMaps } from '../../../api/core/v1/config-map.ts'
import { events } from '../../../api/core/v1/event.ts'
import { namespaces } from '../../../api/core/v1/namespace.ts'
import { persistentVolumes } from '../../../api/core/v1/persistent-volume.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import type { ConfigMap, OwnerReference } from '../../../api/generated/types.ts'
import { startRunningCluster, webDeployment, type RunningCluster } from '../../../testing/running-cluster.ts'

const inDefault = { namespace: 'default' }
const merge = { type: 'merge', namespace: 'default' } as const

const ref = (owner: ConfigMap, more: Partial<OwnerReference> = {}): OwnerReference => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  name: owner.metadata.name,
  uid: owner.metadata.uid ?? '',
  ...more,
})
const make = (running: RunningCluster, name: string, owners: readonly OwnerReference[] = [], namespace = 'default'): Promise<ConfigMap> =>
  running.client.of(configMaps).create({ metadata: { name, namespace, ownerReferences: [...owners] } })
const own = (running: RunningCluster, name: string, owners: readonly OwnerReference[]): Promise<ConfigMap> =>
  running.client.of(configMaps).patch(name, { metadata: { ownerReferences: owners } }, merge)
const names = async (running: RunningCluster, namespace = 'default'): Promise<string[]> =>
  (await running.client.of(configMaps).list({ namespace })).items
    .map(({ metadata }) => metadata.name)
    .filter((name) => !name.startsWith('kube-'))
const get = (running: RunningCluster, name: string): Promise<ConfigMap | undefined> =>
  running.client
    .of(configMaps)
    .get(name, inDefault)
    .catch((error: unknown) => (isStatus(error, 'NotFound') ? undefined : Promise.reject(error)))

test('background: dependents go after their owner, down to the last', async () => {
  await using running = await startRunningCluster()
  await running.client.of(deployments).create(webDeployment())
  await running.advance(3_000)
  await running.client.of(deployments).delete('web', { ...inDefault, propagationPolicy: 'Background' })
  await running.advance(5_000)
  expect(await running.sets()).toEqual([])
  expect(await running.pods()).toEqual([])
})

test('foreground: the owner goes last', async () => {
  await using running = await startRunningCluster({ terminationMs: 10_000 })
  await running.client.of(deployments).create(webDeployment())
  await running.advance(3_000)
  await running.client.of(deployments).delete('web', { ...inDefault, propagationPolicy: 'Foreground' })
  await running.advance(5_000)
  expect((await running.deployment('web')).metadata.finalizers).toEqual(['foregroundDeletion'])
  expect((await running.pods()).every((pod) => pod.metadata.deletionTimestamp)).toBe(true)
  await running.advance(15_000)
  expect(await running.pods()).toEqual([])
  expect(await running.sets()).toEqual([])
  await expect(running.deployment('web')).rejects.toMatchObject({ reason: 'NotFound' })
})

test('orphan: dependents stay, without their owner', async () => {
  await using running = await startRunningCluster()
  await running.client.of(deployments).create(webDeployment())
  await running.advance(3_000)
  const before = (await running.pods()).map((pod) => pod.metadata.name)
  await running.client.of(deployments).delete('web', { ...inDefault, propagationPolicy: 'Orphan' })
  await running.advance(5_000)
  await expect(running.deployment('web')).rejects.toMatchObject({ reason: 'NotFound' })
  const [set] = await running.sets()
  expect(set?.metadata.ownerReferences ?? []).toEqual([])
  await running.client.of(replicaSets).delete(set!.metadata.name, { ...inDefault, propagationPolicy: 'Orphan' })
  await running.advance(5_000)
  const left = await running.client.of(pods).list(inDefault)
  expect(left.items.map((pod) => pod.metadata.name)).toEqual(before)
  expect(left.items.flatMap((pod) => pod.metadata.ownerReferences ?? [])).toEqual([])
})

test('an object with two owners outlives the first, and forgets it', async () => {
  await using running = await startRunningCluster()
  const [a, b] = [await make(running, 'a'), await make(running, 'b')]
  await make(running, 'child', [ref(a), ref(b)])
  await running.advance(1_000)
  await running.client.of(configMaps).delete('a', inDefault)
  await running.advance(3_000)
  // a dangling reference goes when the object is looked at
  expect((await get(running, 'child'))?.metadata.ownerReferences).toEqual([ref(b)])
  await running.client.of(configMaps).delete('b', inDefault)
  await running.advance(3_000)
  expect(await names(running)).toEqual([])
})

test('cycles are collected, in the background and in the foreground', async () => {
  await using running = await startRunningCluster()
  for (const policy of ['Background', 'Foreground'] as const) {
    const block = { blockOwnerDeletion: true }
    const a = await make(running, 'a')
    const b = await make(running, 'b', [ref(a, block)])
    const c = await make(running, 'c', [ref(b, block)])
    await own(running, 'a', [ref(c, block)])
    await running.advance(1_000)
    expect(await names(running)).toEqual(['a', 'b', 'c'])
    await running.client.of(configMaps).delete('a', { ...inDefault, propagationPolicy: policy })
    await running.advance(5_000)
    expect(await names(running), policy).toEqual([])
  }
})

test('a dependent that does not block is not waited for', async () => {
  await using running = await startRunningCluster()
  const a = await make(running, 'a')
  const child = await make(running, 'child', [ref(a)])
  await running.client.of(configMaps).patch('child', { metadata: { finalizers: ['example.com/hold'] } }, merge)
  await running.advance(1_000)
  await running.client.of(configMaps).delete('a', { ...inDefault, propagationPolicy: 'Foreground' })
  await running.advance(3_000)
  expect(await get(running, 'a')).toBeUndefined()
  expect((await get(running, 'child'))?.metadata).toMatchObject({
    uid: child.metadata.uid,
    finalizers: expect.arrayContaining(['example.com/hold']),
  })
})

test('a dependent of an owner that never was, or was replaced, is collected', async () => {
  await using running = await startRunningCluster()
  const a = await make(running, 'a')
  await make(running, 'child', [ref(a, { uid: 'somebody else' })])
  await make(running, 'other', [ref(a, { name: 'nobody', uid: 'never was' })])
  await running.advance(3_000)
  expect(await names(running)).toEqual(['a'])
})

test('an owner in another namespace is no owner; a namespaced owner of a cluster-scoped object is an error, not garbage', async () => {
  await using running = await startRunningCluster()
  await running.client.of(namespaces).create({ metadata: { name: 'other' } })
  const far = await make(running, 'far', [], 'other')
  await make(running, 'child', [ref(far)])
  await running.client.of(persistentVolumes).create({
    metadata: { name: 'disk', ownerReferences: [ref(far)] },
    spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/disk' } },
  })
  await running.advance(5_000)
  expect(await names(running)).toEqual([])
  expect(await names(running, 'other')).toEqual(['far'])
  expect((await running.client.of(persistentVolumes).get('disk')).metadata.deletionTimestamp).toBeUndefined()
  const told = (await running.client.of(events).list()).items.filter((event) => event.reason === 'OwnerRefInvalidNamespace')
  expect(told.map((event) => event.involvedObject.name ?? '').sort()).toEqual(['child', 'disk'])
})

test('owners of kinds nobody here serves are left alone', async () => {
  await using running = await startRunningCluster()
  await make(running, 'child', [{ apiVersion: 'example.com/v1', kind: 'Widget', name: 'w', uid: 'u' }])
  await running.advance(5_000)
  expect(await names(running)).toEqual(['child'])
})
