import { afterEach, beforeEach, expect, test } from 'vitest'
import { services } from '../../api/core/v1/service.ts'
import { serviceCIDRs } from '../../api/networking/v1/service-cidr.ts'
import type { Service } from '../../api/generated/types.ts'
import { systemClock } from '../../base/clock.ts'
import { createServiceAllocator } from '../../control-plane/apiserver/admission/index.ts'
import { createMemoryStore } from '../../control-plane/store/index.ts'
import { startTestCluster, type TestCluster } from '../../testing/index.ts'
import { ensureBootstrapObjects } from './bootstrap-objects.ts'

const RANGE = '10.96.0.0/16'
const system = { namespace: 'kube-system' }
let cluster: TestCluster
beforeEach(async () => {
  const store = createMemoryStore({ clock: systemClock })
  const allocator = await createServiceAllocator({ store, serviceCidr: RANGE, random: () => 0.5 })
  cluster = await startTestCluster({ admission: [allocator], namespaces: ['default', 'kube-system'] })
})
afterEach(() => cluster.stop())

const ensure = (more: Partial<Parameters<typeof ensureBootstrapObjects>[1]> = {}): Promise<void> =>
  ensureBootstrapObjects(cluster.client, {
    apiServiceIp: '10.96.0.1',
    address: '192.0.2.1',
    port: 6443,
    serviceRanges: [RANGE],
    hasPodNetwork: true,
    ...more,
  })
const kubeDns = (): Promise<Service> => cluster.client.of(services).get('kube-dns', system)

test('every start finds the same objects', async () => {
  await ensure()
  const { metadata, spec } = await kubeDns()
  expect(spec?.clusterIPs).toEqual(['10.96.0.10'])
  await ensure({ port: 7443 })
  expect((await kubeDns()).metadata.uid).toBe(metadata.uid)
  expect((await cluster.client.of(services).get('kubernetes', { namespace: 'default' })).spec).toMatchObject({
    clusterIP: '10.96.0.1',
    ports: [{ targetPort: 7443 }],
  })
  expect((await cluster.client.of(serviceCIDRs).get('kubernetes')).spec?.cidrs).toEqual([RANGE])
})

test('a control plane starts although the address of kube-dns is taken, and again', async () => {
  await cluster.client
    .of(services)
    .create({ metadata: { name: 'mine', namespace: 'default' }, spec: { clusterIP: '10.96.0.10', ports: [{ port: 80 }] } })
  await ensure()
  const [address] = (await kubeDns()).spec?.clusterIPs ?? []
  expect(address).toMatch(/^10\.96\./)
  expect(address).not.toBe('10.96.0.10')
  await ensure()
  expect((await kubeDns()).spec?.clusterIPs).toEqual([address])
})
