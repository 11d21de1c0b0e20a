import { expect, test } from 'vitest'
import { deployments } from '../../../api/apps/v1/deployment.ts'
import { configMaps } from '../../../api/core/v1/config-map.ts'
import { namespaces } from '../../../api/core/v1/namespace.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import { secrets } from '../../../api/core/v1/secret.ts'
import { serviceAccounts } from '../../../api/core/v1/service-account.ts'
import { findCondition } from '../../../api/conditions.ts'
import { startRunningCluster, webDeployment } from '../../../testing/running-cluster.ts'
import { lookAgainInMs } from './deletion-conditions.ts'

const shop = { namespace: 'shop' }

test('every namespace has a default account and the CA, and gets them back', async () => {
  await using running = await startRunningCluster()
  const { client } = running
  await client.of(namespaces).create({ metadata: { name: 'shop' } })
  await running.advance(1_000)
  const account = await client.of(serviceAccounts).get('default', shop)
  const map = await client.of(configMaps).get('kube-root-ca.crt', shop)
  expect(map.data).toEqual({ 'ca.crt': 'PEM' })
  await client.of(serviceAccounts).delete('default', shop)
  await client.of(configMaps).update({ ...map, data: { 'ca.crt': 'forged' } })
  await running.advance(1_000)
  expect((await client.of(serviceAccounts).get('default', shop)).metadata.uid).not.toBe(account.metadata.uid)
  expect((await client.of(configMaps).get('kube-root-ca.crt', shop)).data).toEqual({ 'ca.crt': 'PEM' })
})

test('a namespace is emptied, pods first, and goes', async () => {
  await using running = await startRunningCluster({ terminationMs: 5_000 })
  const { client } = running
  await client.of(namespaces).create({ metadata: { name: 'shop' } })
  await running.advance(1_000)
  await client.of(deployments).create({ ...webDeployment(), metadata: { name: 'web', namespace: 'shop' } })
  await client.of(secrets).create({ metadata: { name: 'key', namespace: 'shop' } })
  await running.advance(3_000)
  await client.of(namespaces).delete('shop')
  await running.advance(3_000)
  // the pods that are still ending find what they were given
  expect((await client.of(secrets).list(shop)).items.map(({ metadata }) => metadata.name)).toEqual(['key'])
  const going = await client.of(namespaces).get('shop')
  expect(going.status?.phase).toBe('Terminating')
  expect(findCondition(going.status?.conditions, 'NamespaceContentRemaining')).toMatchObject({
    status: 'True',
    reason: 'SomeResourcesRemain',
    message: 'Some resources are remaining: pods. has 3 resource instances',
  })
  await running.advance(10_000)
  await expect(client.of(namespaces).get('shop')).rejects.toMatchObject({ reason: 'NotFound' })
  expect((await client.of(pods).list(shop)).items).toEqual([])
})

test('a finalizer holds the namespace, and it says which', async () => {
  await using running = await startRunningCluster()
  const { client } = running
  await client.of(namespaces).create({ metadata: { name: 'shop' } })
  await client.of(configMaps).create({ metadata: { name: 'held', namespace: 'shop', finalizers: ['example.com/hold'] } })
  await running.advance(1_000)
  await client.of(namespaces).delete('shop')
  await running.advance(5_000)
  const held = await client.of(namespaces).get('shop')
  const text = (type: string): string | undefined => findCondition(held.status?.conditions, type)?.message
  expect(text('NamespaceContentRemaining')).toBe('Some resources are remaining: configmaps. has 1 resource instances')
  expect(text('NamespaceFinalizersRemaining')).toBe(
    'Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances',
  )
  // waiting costs no writes
  expect(await running.writes(20_000)).toEqual([])
  await client.of(configMaps).patch('held', { metadata: { finalizers: null } }, { type: 'merge', ...shop })
  await running.advance(20_000)
  await expect(client.of(namespaces).get('shop')).rejects.toMatchObject({ reason: 'NotFound' })
})

test('what holds a namespace for long is looked at less often', () => {
  const start = '2026-01-01T00:00:00Z'
  const at = (seconds: number): number => lookAgainInMs(start, Date.parse(start) + seconds * 1000)
  expect([0, 1, 4, 20, 3600].map(at)).toEqual([250, 250, 1_000, 5_000, 15_000])
  expect(at(-100)).toBe(250)
})
