import { expect, test } from 'vitest'
import { deployments } from '../../../api/apps/v1/deployment.ts'
import { endpoints } from '../../../api/core/v1/endpoints.ts'
import { nodes } from '../../../api/core/v1/node.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import { services } from '../../../api/core/v1/service.ts'
import { findCondition } from '../../../api/conditions.ts'
import { startRunningCluster, template, webDeployment, webService, type RunningCluster } from '../../../testing/running-cluster.ts'

const at = (name: string, seconds?: number) => ({
  key: name,
  operator: 'Exists',
  effect: 'NoExecute',
  ...(seconds === undefined ? {} : { tolerationSeconds: seconds }),
})
const NOT_READY = 'node.kubernetes.io/not-ready'
const UNREACHABLE = 'node.kubernetes.io/unreachable'
const patient = (seconds: number) => ({ tolerations: [at(NOT_READY, seconds), at(UNREACHABLE, seconds)] })
const readyOf = async (running: RunningCluster, node: string): Promise<string | undefined> =>
  findCondition((await running.client.of(nodes).get(node)).status?.conditions, 'Ready')?.status
const taintsOf = async (running: RunningCluster, node: string): Promise<string[]> =>
  ((await running.client.of(nodes).get(node)).spec?.taints ?? []).map(({ key, effect }) => `${key}:${effect}`)
const placed = async (running: RunningCluster): Promise<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const pod of await running.pods()) {
    const where = pod.metadata.deletionTimestamp ? 'ending' : (pod.spec?.nodeName ?? 'nowhere')
    counts[where] = (counts[where] ?? 0) + 1
  }
  return counts
}

test('a node is NotReady 40 s after its last heartbeat, its pods get no traffic, and leave after their toleration', async () => {
  await using running = await startRunningCluster({ nodes: ['n1', 'n2'] })
  const { client } = running
  await client.of(services).create(webService())
  await client.of(deployments).create(webDeployment({ replicas: 4, template: template('v1', patient(60)) }))
  await running.advance(3_000)
  expect(await placed(running)).toEqual({ n1: 2, n2: 2 })
  running.kubelet.kill('n2')
  await running.advance(29_000)
  expect(await readyOf(running, 'n2')).toBe('True')
  await running.advance(27_000)
  expect(await readyOf(running, 'n2')).toBe('Unknown')
  expect(await taintsOf(running, 'n2')).toEqual([`${UNREACHABLE}:NoSchedule`, `${UNREACHABLE}:NoExecute`])
  const subsets = (await client.of(endpoints).get('web', { namespace: 'default' })).subsets
  expect([subsets?.[0]?.addresses?.length, subsets?.[0]?.notReadyAddresses?.length]).toEqual([2, 2])
  expect(await placed(running)).toEqual({ n1: 2, n2: 2 })
  await running.advance(65_000)
  // nobody confirms their end on a dead node; they are replaced elsewhere
  expect(await placed(running)).toEqual({ n1: 4, ending: 2 })
  const ending = (await running.pods()).find((pod) => pod.metadata.deletionTimestamp)
  expect(findCondition(ending?.status?.conditions, 'DisruptionTarget')).toMatchObject({ status: 'True', reason: 'DeletionByTaintManager' })
  await running.kubelet.revive('n2')
  await running.advance(10_000)
  expect(await readyOf(running, 'n2')).toBe('True')
  expect(await taintsOf(running, 'n2')).toEqual([])
  expect(await placed(running)).toEqual({ n1: 4 })
})

test('a node that comes back in time loses no pod', async () => {
  await using running = await startRunningCluster({ nodes: ['n1', 'n2'] })
  await running.client.of(deployments).create(webDeployment({ replicas: 2, template: template('v1', patient(60)) }))
  await running.advance(3_000)
  const before = (await running.pods()).map((pod) => pod.metadata.uid ?? '').sort()
  running.kubelet.kill('n2')
  await running.advance(70_000)
  await running.kubelet.revive('n2')
  await running.advance(90_000)
  expect((await running.pods()).map((pod) => pod.metadata.uid ?? '').sort()).toEqual(before)
  expect((await running.deployment('web')).status).toMatchObject({ readyReplicas: 2 })
})

test('when most nodes vanish at once nothing is evicted; when all do, neither', async () => {
  const names = ['n1', 'n2', 'n3', 'n4', 'n5']
  await using running = await startRunningCluster({ nodes: names })
  await running.client.of(deployments).create(webDeployment({ replicas: 10, template: template('v1', patient(0)) }))
  await running.advance(3_000)
  const before = (await running.pods()).map((pod) => pod.metadata.uid ?? '').sort()
  for (const name of names.slice(1)) running.kubelet.kill(name)
  await running.advance(300_000)
  expect((await running.pods()).map((pod) => pod.metadata.uid ?? '').sort()).toEqual(before)
  expect(await taintsOf(running, 'n2')).toEqual([`${UNREACHABLE}:NoSchedule`])
  running.kubelet.kill('n1')
  await running.advance(300_000)
  expect((await running.pods()).map((pod) => pod.metadata.uid ?? '').sort()).toEqual(before)
  // enough come back: the one that stays away is given up
  for (const name of names.slice(0, 4)) await running.kubelet.revive(name)
  await running.advance(60_000)
  expect(await taintsOf(running, 'n5')).toContain(`${UNREACHABLE}:NoExecute`)
  expect(Object.keys(await placed(running)).sort()).toEqual(['ending', 'n1', 'n2', 'n3', 'n4'])
})

test('nodes that fail are evicted one after the other', async () => {
  const names = Array.from({ length: 8 }, (_, i) => `n${i}`)
  await using running = await startRunningCluster({ nodes: names })
  running.kubelet.kill('n0')
  running.kubelet.kill('n1')
  running.kubelet.kill('n2')
  await running.advance(52_000)
  const evicting = async (): Promise<number> => {
    const all = await Promise.all(['n0', 'n1', 'n2'].map((name) => taintsOf(running, name)))
    return all.filter((taints) => taints.includes(`${UNREACHABLE}:NoExecute`)).length
  }
  expect(await evicting()).toBeLessThan(3)
  await running.advance(30_000)
  expect(await evicting()).toBe(3)
})

test('a taint of the user evicts at once who does not tolerate it; cordon shows as a taint', async () => {
  await using running = await startRunningCluster({ nodes: ['n1', 'n2'] })
  const { client } = running
  await client.of(deployments).create(webDeployment({ replicas: 2 }))
  await client.of(pods).create({
    metadata: { name: 'tolerant', namespace: 'default' },
    spec: { nodeName: 'n1', containers: [{ name: 'c', image: 'x' }], tolerations: [at('maintenance')] },
  })
  await running.advance(3_000)
  await client
    .of(nodes)
    .patch('n1', { spec: { unschedulable: true, taints: [{ key: 'maintenance', effect: 'NoExecute' }] } }, { type: 'merge' })
  await running.advance(3_000)
  expect(await placed(running)).toEqual({ n1: 1, n2: 2 })
  expect((await client.of(pods).get('tolerant', { namespace: 'default' })).metadata.deletionTimestamp).toBeUndefined()
  expect(await taintsOf(running, 'n1')).toEqual(['maintenance:NoExecute', 'node.kubernetes.io/unschedulable:NoSchedule'])
  await client.of(nodes).patch('n1', { spec: { unschedulable: null } }, { type: 'merge' })
  await running.advance(2_000)
  expect(await taintsOf(running, 'n1')).toEqual(['maintenance:NoExecute'])
})

test('pods of a node that was deleted fail and go, and are replaced', async () => {
  await using running = await startRunningCluster({ nodes: ['n1', 'n2'] })
  await running.client.of(deployments).create(webDeployment({ replicas: 2 }))
  await running.advance(3_000)
  running.kubelet.kill('n2')
  await running.client.of(nodes).delete('n2')
  await running.advance(30_000)
  expect(await placed(running)).toEqual({ n1: 1, n2: 1 })
  await running.advance(60_000)
  expect(await placed(running)).toEqual({ n1: 2 })
})
