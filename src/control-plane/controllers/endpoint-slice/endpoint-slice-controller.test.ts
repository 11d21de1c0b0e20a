import { expect, test } from 'vitest'
import { silentLogger } from '../../../base/log.ts'
import { createMetrics } from '../../../base/metrics.ts'
import { createInformerFactory } from '../../../client/informer-factory.ts'
import { createManager } from '../../../controller/create-manager.ts'
import { Gate, heldWatch } from '../../../testing/held-watch.ts'
import { FakeClock, startTestCluster } from '../../../testing/index.ts'
import { addEndpointControllers } from './endpoint-slice-controller.ts'
import { deployments } from '../../../api/apps/v1/deployment.ts'
import { endpoints } from '../../../api/core/v1/endpoints.ts'
import { events } from '../../../api/core/v1/event.ts'
import { nodes } from '../../../api/core/v1/node.ts'
import { services } from '../../../api/core/v1/service.ts'
import { endpointSlices } from '../../../api/discovery/v1/endpoint-slice.ts'
import type { EndpointSlice } from '../../../api/generated/types.ts'
import { startRunningCluster, webDeployment, webService, type RunningCluster } from '../../../testing/running-cluster.ts'

const inDefault = { namespace: 'default' }
const slicesOf = async (running: RunningCluster): Promise<EndpointSlice[]> =>
  (await running.client.of(endpointSlices).list(inDefault)).items

test('endpoints follow the readiness of pods', async () => {
  let sick: string | undefined
  await using running = await startRunningCluster({ isReady: (pod) => pod.metadata.name !== sick, terminationMs: 3_000 })
  const { client } = running
  await client.of(services).create(webService())
  await client.of(deployments).create(webDeployment())
  await running.advance(3_000)
  const [slice, ...more] = await slicesOf(running)
  expect(more).toEqual([])
  expect(slice).toMatchObject({
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    metadata: {
      generateName: 'web-',
      labels: { 'kubernetes.io/service-name': 'web', 'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io' },
    },
  })
  expect(slice?.endpoints?.map((endpoint) => endpoint.conditions)).toEqual(
    Array.from({ length: 3 }, () => ({ ready: true, serving: true, terminating: false })),
  )
  const readyAt = (await running.pods()).map((pod) => pod.status?.conditions?.[0]?.lastTransitionTime)
  expect(readyAt).toContain(slice?.metadata.annotations?.['endpoints.kubernetes.io/last-change-trigger-time'])
  sick = (await running.pods())[0]!.metadata.name
  running.kubelet.recheck()
  await running.advance(1_000)
  const find = async () => (await slicesOf(running))[0]?.endpoints?.find((endpoint) => endpoint.targetRef?.name === sick)
  expect((await find())?.conditions).toEqual({ ready: false, serving: false, terminating: false })
  const [subset] = (await client.of(endpoints).get('web', inDefault)).subsets ?? []
  expect([subset?.addresses?.length, subset?.notReadyAddresses?.length]).toEqual([2, 1])
  const healthy = (await running.pods()).find((pod) => pod.metadata.name !== sick)!
  await client.of(deployments).patch('web', { spec: { replicas: 0 } }, { type: 'merge', ...inDefault })
  await running.advance(1_000)
  const ending = (await slicesOf(running))[0]?.endpoints?.find((endpoint) => endpoint.targetRef?.uid === healthy.metadata.uid)
  expect(ending?.conditions).toEqual({ ready: false, serving: true, terminating: true })
  await running.advance(5_000)
  expect((await slicesOf(running)).map((one) => one.endpoints ?? [])).toEqual([[]])
})

test('many pods at once make as few slices as they need', { timeout: 30_000 }, async () => {
  await using running = await startRunningCluster({ nodes: ['n1', 'n2', 'n3'] })
  const { client } = running
  await client.of(services).create(webService())
  await client.of(deployments).create(webDeployment({ replicas: 130 }))
  await running.advance(6_000)
  const slices = await slicesOf(running)
  expect(slices.map((slice) => slice.endpoints?.length ?? 0).toSorted((a, b) => b - a)).toEqual([100, 30])
  expect(new Set(slices.flatMap((slice) => slice.endpoints?.map((endpoint) => endpoint.addresses[0]))).size).toBe(130)
})

test('slices and endpoints go with their service; those others made stay', async () => {
  await using running = await startRunningCluster()
  const { client } = running
  await client.of(services).create(webService())
  await client
    .of(endpoints)
    .create({ metadata: { name: 'outside', namespace: 'default' }, subsets: [{ addresses: [{ ip: '192.0.2.1' }], ports: [{ port: 1 }] }] })
  await client.of(services).create({ metadata: { name: 'outside', namespace: 'default' }, spec: { ports: [{ port: 1 }] } })
  await running.advance(2_000)
  const mirrored = (await slicesOf(running)).find((slice) => slice.metadata.labels?.['kubernetes.io/service-name'] === 'outside')
  expect(mirrored).toMatchObject({ endpoints: [{ addresses: ['192.0.2.1'], conditions: { ready: true } }], ports: [{ port: 1 }] })
  expect((await slicesOf(running)).length).toBe(2)
  expect(await running.writes(60_000)).toEqual([])
  await client.of(services).delete('web', inDefault)
  await client.of(services).delete('outside', inDefault)
  await running.advance(3_000)
  expect(await slicesOf(running)).toEqual([])
  expect((await client.of(endpoints).list(inDefault)).items.map(({ metadata }) => metadata.name)).toEqual(['outside'])
})

test('a cache that does not show a new slice yet does not make a controller create another', async () => {
  const clock = new FakeClock()
  await using cluster = await startTestCluster({ clock })
  const { client } = cluster
  const gate = new Gate()
  const late = heldWatch(client, 'endpointslices', gate)
  const informers = createInformerFactory({ client: late, clock, random: () => 0, log: silentLogger })
  const manager = createManager({ client: late, informers, clock, random: () => 0, log: silentLogger, metrics: createMetrics() })
  addEndpointControllers(manager)
  const stop = new AbortController()
  const done = manager.run(stop.signal)
  await clock.advance(1_000)
  gate.close()
  await client.of(services).create(webService())
  for (let i = 0; i < 3; i++) {
    await clock.advance(1_000)
    await client.of(services).patch('web', { metadata: { labels: { round: String(i) } } }, { type: 'merge', ...inDefault })
  }
  await clock.advance(1_000)
  const labels = async (): Promise<(string | undefined)[]> =>
    (await client.of(endpointSlices).list(inDefault)).items.map((slice) => slice.metadata.labels?.['round'])
  expect(await labels()).toEqual([undefined])
  gate.open()
  await clock.advance(1_000)
  expect(await labels()).toEqual(['2'])
  stop.abort()
  await done
})

test('zones of nodes are shown, followed, and shared out, with a word when that begins and ends', async () => {
  await using running = await startRunningCluster({ nodes: [] })
  const { client, kubelet } = running
  const zone = (name: string): Record<string, string> => ({ 'topology.kubernetes.io/zone': name })
  await kubelet.addNode('n1', { labels: zone('a') })
  await kubelet.addNode('n2', { labels: zone('b') })
  const web = webService()
  await client
    .of(services)
    .create({ ...web, metadata: { ...web.metadata, annotations: { 'service.kubernetes.io/topology-mode': 'Auto' } } })
  await client.of(deployments).create(webDeployment({ replicas: 6 }))
  await running.advance(6_000)
  const read = async (): Promise<string[]> =>
    (await slicesOf(running)).flatMap((slice) => (slice.endpoints ?? []).map(({ zone, hints }) => `${zone}>${hints?.forZones?.[0]?.name}`))
  expect((await read()).toSorted()).toEqual(['a>a', 'a>a', 'a>a', 'b>b', 'b>b', 'b>b'])
  await client.of(nodes).patch('n2', { metadata: { labels: zone('a') } }, { type: 'merge' })
  await running.advance(2_000)
  expect(new Set(await read())).toEqual(new Set(['a>undefined']))
  const told = (await client.of(events).list(inDefault)).items.filter(({ reason }) => reason?.startsWith('TopologyAwareHints'))
  expect(told.map(({ type, reason, message }) => `${type} ${reason}: ${message}`)).toEqual(
    expect.arrayContaining([
      'Normal TopologyAwareHintsEnabled: topology aware hints are enabled for IPv4: endpoints are shared out',
      'Warning TopologyAwareHintsDisabled: topology aware hints are disabled for IPv4: all ready nodes are in one zone',
    ]),
  )
})
