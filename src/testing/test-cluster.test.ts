import { expect, test } from 'vitest'
import { deployments } from '../api/apps/v1/deployment.ts'
import { configMaps } from '../api/core/v1/config-map.ts'
import { events } from '../api/core/v1/event.ts'
import { namespaces } from '../api/core/v1/namespace.ts'
import { pods } from '../api/core/v1/pod.ts'
import type { Deployment, Pod } from '../api/generated/types.ts'
import type { Draft } from '../api/meta/object.ts'
import { FakeClock } from '../base/fake-clock.ts'
import { createDiscovery } from '../client/discovery.ts'
import { watchOf } from '../controller/contract.ts'
import { ownedBy } from '../controller/mappers.ts'
import { startTestCluster } from './test-cluster.ts'

const pod = (name: string): Draft<Pod> => ({
  metadata: { name, namespace: 'default' },
  spec: { containers: [{ name: 'c', image: 'host' }] },
})

const web: Draft<Deployment> = {
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'host' }] } },
  },
}

test('serves every verb of the client', async () => {
  await using cluster = await startTestCluster()
  const resource = cluster.client.of(deployments)
  const made = await resource.create(web)
  expect(made.spec?.replicas).toBe(1)
  expect(await resource.get('web', { namespace: 'default' })).toEqual(made)
  expect((await resource.list({ namespace: 'default', labelSelector: 'app=other' })).items).toEqual([])
  expect((await resource.listAll()).items).toEqual([made])
  const scaled = await resource.update({ ...made, spec: { ...made.spec!, replicas: 3 } })
  expect(scaled.metadata.generation).toBe(2)
  await expect(resource.update(made)).rejects.toMatchObject({ reason: 'Conflict' })
  const status = await resource.updateStatus({ ...scaled, status: { replicas: 3 } })
  expect(status.status?.replicas).toBe(3)
  const options = { namespace: 'default' }
  const labelled = await resource.patch('web', { metadata: { labels: { a: 'b' } } }, { ...options, type: 'strategic' })
  expect(labelled.metadata.labels).toEqual({ a: 'b' })
  const ops = [{ op: 'replace', path: '/spec/replicas', value: 2 }]
  expect((await resource.patch('web', ops, { ...options, type: 'json' })).spec?.replicas).toBe(2)
  const dry = await resource.patch('web', { spec: { replicas: 9 } }, { ...options, type: 'merge', dryRun: true })
  expect(dry.spec?.replicas).toBe(9)
  expect(await resource.get('web', { ...options, subresource: 'scale' })).toMatchObject({ kind: 'Scale', spec: { replicas: 2 } })
  await expect(resource.delete('web', { ...options, preconditions: { uid: 'wrong' } })).rejects.toMatchObject({ reason: 'Conflict' })
  await resource.delete('web', { ...options, dryRun: true })
  await resource.delete('web', options)
  await expect(resource.get('web', options)).rejects.toMatchObject({ reason: 'NotFound' })
})

test('lists in pages at one revision, and deletes collections', async () => {
  await using cluster = await startTestCluster()
  const resource = cluster.client.of(configMaps)
  for (let i = 0; i < 7; i++) await resource.create({ metadata: { name: `m${i}`, namespace: 'default', labels: { odd: String(i % 2) } } })
  const list = await resource.listAll({ namespace: 'default', limit: 3 })
  expect(list.items.map(({ metadata }) => metadata.name)).toEqual(['m0', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6'])
  expect(list.metadata.continue).toBeUndefined()
  await resource.deleteCollection({ namespace: 'default', labelSelector: 'odd=1' })
  expect((await resource.list({ namespace: 'default' })).items.length).toBe(4)
})

test('controllers run on it with a fake clock, and tell what they do by events', async () => {
  const clock = new FakeClock()
  await using cluster = await startTestCluster({ clock })
  const manager = cluster.manager()
  const recorder = manager.recorder('test')
  const seen: string[] = []
  const { lister } = manager.informers.informer(deployments)
  manager.addController({
    name: 'test',
    watches: [watchOf(deployments), watchOf(pods, ownedBy(deployments))],
    reconciler: {
      async reconcile({ namespace, name }) {
        const found = lister.get(`${namespace}/${name}`)
        seen.push(found ? `${name} x${found.spec?.replicas}` : `${name} gone`)
        if (found) recorder.event(found, 'Normal', 'Seen', 'saw it')
      },
    },
  })
  const stop = new AbortController()
  const done = manager.run(stop.signal)
  const made = await cluster.client.of(deployments).create(web)
  await clock.advance(1_000)
  const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: made.metadata.uid ?? '', controller: true }
  await cluster.client.of(pods).create({ ...pod('a'), metadata: { ...pod('a').metadata, ownerReferences: [owner] } })
  await clock.advance(1_000)
  await cluster.client.of(deployments).delete('web', { namespace: 'default' })
  await clock.advance(1_000)
  expect(seen).toEqual(['web x1', 'web x1', 'web gone'])
  const [event] = (await cluster.client.of(events).list({ namespace: 'default' })).items
  expect(event).toMatchObject({ reason: 'Seen', count: 2, involvedObject: { kind: 'Deployment', name: 'web', uid: made.metadata.uid } })
  stop.abort()
  await done
})

test('the namespaces it begins with are there; others are not; strangers are denied', async () => {
  await using cluster = await startTestCluster({ namespaces: ['default', 'shop'] })
  const found = await cluster.client.of(namespaces).list()
  expect(found.items.map(({ metadata }) => metadata.name)).toEqual(['default', 'shop'])
  const stranger = cluster.clientAs({ name: 'eve', groups: [] })
  await expect(stranger.of(pods).list()).rejects.toMatchObject({ reason: 'Forbidden' })
})

test('discovery finds its kinds', async () => {
  await using cluster = await startTestCluster()
  const discovery = createDiscovery(cluster.client.transport)
  expect(await discovery.byResource('deploy')).toMatchObject({
    group: 'apps',
    kind: 'Deployment',
    plural: 'deployments',
    namespaced: true,
    status: true,
  })
  expect(await discovery.byKind({ apiVersion: 'v1', kind: 'Node' })).toMatchObject({ plural: 'nodes', namespaced: false })
})
