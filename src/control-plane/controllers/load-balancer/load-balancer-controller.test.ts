import fc from 'fast-check'
import { expect, test } from 'vitest'
import { events } from '../../../api/core/v1/event.ts'
import { namespaces } from '../../../api/core/v1/namespace.ts'
import { services } from '../../../api/core/v1/service.ts'
import type { Service } from '../../../api/generated/types.ts'
import type { Draft } from '../../../api/meta/object.ts'
import { addressPools, type AddressPool } from '../../../api/routing.biplane.dev/v1alpha1/address-pool.ts'
import type { Client } from '../../../client/client.ts'
import { silentLogger } from '../../../base/log.ts'
import { createMetrics } from '../../../base/metrics.ts'
import { createInformerFactory } from '../../../client/informer-factory.ts'
import { createManager } from '../../../controller/create-manager.ts'
import { Gate, heldWatch } from '../../../testing/held-watch.ts'
import { FakeClock, startTestCluster } from '../../../testing/index.ts'
import { SHARING_ANNOTATION, sharerOf, shownAddresses } from './balancer-request.ts'
import { addLoadBalancerController } from './load-balancer-controller.ts'
import { canShare } from './sharing.ts'

const inDefault = { namespace: 'default' }
const merge = { type: 'merge', ...inDefault } as const

function runBalancer(client: Client, clock: FakeClock): { stop(): Promise<void> } {
  const informers = createInformerFactory({ client, clock, random: () => 0, log: silentLogger })
  const manager = createManager({ client, informers, clock, random: () => 0, log: silentLogger, metrics: createMetrics() })
  addLoadBalancerController(manager)
  const stop = new AbortController()
  const done = manager.run(stop.signal)
  return {
    async stop() {
      stop.abort()
      await done
    },
  }
}

const balancer = (name: string, spec: Partial<NonNullable<Service['spec']>> = {}, sharing?: string): Draft<Service> => ({
  metadata: { name, namespace: 'default', ...(sharing ? { annotations: { [SHARING_ANNOTATION]: sharing } } : {}) },
  spec: { type: 'LoadBalancer', selector: { app: name }, ports: [{ port: 80 }], ...spec },
})
const poolOf = (name: string, ...addresses: string[]): Draft<AddressPool> => ({ metadata: { name }, spec: { addresses } })
const read = async (client: Client): Promise<Record<string, string>> =>
  Object.fromEntries((await client.of(services).list(inDefault)).items.map((one) => [one.metadata.name, shownAddresses(one).join()]))

test('addresses come from pools, stay over a restart, and go with what they were for', async () => {
  const clock = new FakeClock()
  await using cluster = await startTestCluster({ clock })
  const { client } = cluster
  await client.of(addressPools).create(poolOf('p', '192.0.2.0/30'))
  const first = runBalancer(client, clock)
  for (const name of ['a', 'b', 'c']) {
    await client.of(services).create(balancer(name))
    await clock.advance(1_000)
  }
  const web = { a: '192.0.2.0', b: '192.0.2.1', c: '192.0.2.2' }
  expect(await read(client)).toEqual(web)
  expect((await client.of(services).get('a', inDefault)).status?.loadBalancer?.ingress).toEqual([{ ip: '192.0.2.0', ipMode: 'VIP' }])
  const [told] = (await client.of(events).list(inDefault)).items.filter(({ reason }) => reason === 'IPAllocated')
  expect(told).toMatchObject({ type: 'Normal', involvedObject: { name: 'a' }, message: 'assigned 192.0.2.0' })
  await first.stop()
  await client.of(services).delete('a', inDefault)
  await client.of(services).create(balancer('d'))
  const second = runBalancer(client, clock)
  await clock.advance(1_000)
  // what others show is known before the first decision
  expect(await read(client)).toEqual({ b: '192.0.2.1', c: '192.0.2.2', d: '192.0.2.0' })
  await client.of(services).patch('b', { spec: { type: 'ClusterIP' } }, merge)
  await clock.advance(1_000)
  await client.of(services).create(balancer('e'))
  await clock.advance(3_000)
  expect(await read(client)).toEqual({ b: '', c: '192.0.2.2', d: '192.0.2.0', e: '192.0.2.1' })
  expect((await client.of(addressPools).get('p')).status).toMatchObject({
    assignedIPv4: 3,
    availableIPv4: 1,
    conditions: [{ type: 'Conflicting', status: 'False' }],
  })
  await second.stop()
})

test('who gets nothing is told why, and gets an address when one is free', async () => {
  const clock = new FakeClock()
  await using cluster = await startTestCluster({ clock })
  const { client } = cluster
  const running = runBalancer(client, clock)
  await client.of(addressPools).create(poolOf('p', '192.0.2.7'))
  await client.of(services).create(balancer('a'))
  await clock.advance(1_000)
  await client.of(services).create(balancer('b'))
  await clock.advance(1_000)
  expect(await read(client)).toEqual({ a: '192.0.2.7', b: '' })
  const failed = (await client.of(events).list(inDefault)).items.filter(({ reason }) => reason === 'AllocationFailed')
  expect(failed[0]).toMatchObject({ type: 'Warning', involvedObject: { name: 'b' }, message: 'no free IPv4 address is left' })
  await client.of(services).delete('a', inDefault)
  await clock.advance(11_000)
  expect(await read(client)).toEqual({ b: '192.0.2.7' })
  // a pool that goes takes its addresses along
  await client.of(addressPools).patch('p', { spec: { addresses: ['198.51.100.0/24'] } }, { type: 'merge' })
  await clock.advance(1_000)
  expect(await read(client)).toEqual({ b: '198.51.100.0' })
  await client.of(addressPools).delete('p')
  await clock.advance(1_000)
  expect(await read(client)).toEqual({ b: '' })
  await running.stop()
})

test('a pool for some namespaces follows their labels', async () => {
  const clock = new FakeClock()
  await using cluster = await startTestCluster({ clock })
  const { client } = cluster
  const running = runBalancer(client, clock)
  const pool = poolOf('p', '192.0.2.0/24')
  await client.of(addressPools).create({ ...pool, spec: { ...pool.spec, namespaceSelector: { matchLabels: { team: 'a' } } } })
  await client.of(services).create(balancer('a'))
  await clock.advance(1_000)
  expect(await read(client)).toEqual({ a: '' })
  await client.of(namespaces).patch('default', { metadata: { labels: { team: 'a' } } }, { type: 'merge' })
  await clock.advance(1_000)
  expect(await read(client)).toEqual({ a: '192.0.2.0' })
  await running.stop()
})

test('without pools the work of others is left alone, and so are services of another class', async () => {
  const clock = new FakeClock()
  await using cluster = await startTestCluster({ clock })
  const { client } = cluster
  const running = runBalancer(client, clock)
  for (const made of [balancer('plain'), balancer('other', { loadBalancerClass: 'example.com/lb' })]) {
    const { metadata } = await client.of(services).create(made)
    const patch = { status: { loadBalancer: { ingress: [{ ip: '203.0.113.9' }] } } }
    await client.of(services).patch(metadata.name, patch, { ...merge, subresource: 'status' })
  }
  await clock.advance(1_000)
  expect(await read(client)).toEqual({ plain: '203.0.113.9', other: '203.0.113.9' })
  await client.of(addressPools).create(poolOf('p', '192.0.2.0/24'))
  await clock.advance(1_000)
  expect(await read(client)).toEqual({ plain: '192.0.2.0', other: '203.0.113.9' })
  await running.stop()
})

test('a cache that lags behind does not make two services share', async () => {
  const clock = new FakeClock()
  await using cluster = await startTestCluster({ clock })
  const { client } = cluster
  await client.of(addressPools).create(poolOf('p', '192.0.2.0/30'))
  const gate = new Gate()
  const running = runBalancer(heldWatch(client, 'services', gate), clock)
  await client.of(services).create(balancer('a'))
  await clock.advance(1_000)
  gate.close()
  // gives its address back and wants one again, and nobody has seen it yet
  await client.of(services).patch('a', { spec: { type: 'ClusterIP' } }, merge)
  await client.of(services).patch('a', { spec: { type: 'LoadBalancer' } }, merge)
  await client.of(services).create(balancer('b'))
  await clock.advance(1_000)
  gate.open()
  await clock.advance(12_000)
  const all = await read(client)
  expect(new Set(Object.values(all)).size).toBe(2)
  expect(Object.values(all)).not.toContain('')
  await running.stop()
})

test('whatever services and pools do and whenever the controller dies, no address has two owners', { timeout: 60_000 }, async () => {
  const name = fc.nat(5).map((i) => `s${i}`)
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        what: fc.constant('create' as const),
        name,
        key: fc.constantFrom(undefined, 'k'),
        port: fc.constantFrom(80, 81),
      }),
    },
    fc.record({ what: fc.constant('delete' as const), name }),
    fc.record({ what: fc.constant('type' as const), name, type: fc.constantFrom('ClusterIP', 'LoadBalancer') }),
    fc.record({ what: fc.constant('port' as const), name, port: fc.constantFrom(80, 81, 82) }),
    fc.record({ what: fc.constant('ask' as const), name, address: fc.constantFrom('192.0.2.0', '192.0.2.1', null) }),
    fc.record({
      what: fc.constant('pool' as const),
      addresses: fc.constantFrom(['192.0.2.0/30'], ['192.0.2.0-192.0.2.1'], ['192.0.2.2/31', '198.51.100.1']),
    }),
    fc.record({ what: fc.constant('crash' as const) }),
    fc.record({ what: fc.constant('wait' as const), ms: fc.constantFrom(0, 1, 1_000, 12_000) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 30 }), async (steps) => {
      const clock = new FakeClock()
      await using cluster = await startTestCluster({ clock })
      const { client } = cluster
      await client.of(addressPools).create(poolOf('p', '192.0.2.0/30'))
      let running = runBalancer(client, clock)
      const api = client.of(services)
      const conflicts = async (settled: boolean): Promise<string[]> => {
        const all = (await api.list(inDefault)).items
        return all.flatMap((a, i) =>
          all.slice(i + 1).flatMap((b) => {
            const common = shownAddresses(a).filter((address) => shownAddresses(b).includes(address))
            // whose ports have just changed may clash until that is seen
            const shareable = settled
              ? canShare(sharerOf(a), sharerOf(b))
              : sharerOf(a).key !== undefined && sharerOf(a).key === sharerOf(b).key
            return shareable ? [] : common.map((address) => `${address}: ${a.metadata.name}, ${b.metadata.name}`)
          }),
        )
      }
      const ignore = (): void => {}
      for (const one of steps) {
        if (one.what === 'create') await api.create(balancer(one.name, { ports: [{ port: one.port }] }, one.key)).catch(ignore)
        else if (one.what === 'delete') await api.delete(one.name, inDefault).catch(ignore)
        else if (one.what === 'type') await api.patch(one.name, { spec: { type: one.type } }, merge).catch(ignore)
        else if (one.what === 'port') await api.patch(one.name, { spec: { ports: [{ port: one.port }] } }, merge).catch(ignore)
        else if (one.what === 'ask') await api.patch(one.name, { spec: { loadBalancerIP: one.address } }, merge).catch(ignore)
        else if (one.what === 'pool') await client.of(addressPools).patch('p', { spec: { addresses: one.addresses } }, { type: 'merge' })
        else if (one.what === 'crash') {
          await running.stop()
          running = runBalancer(client, clock)
        } else await clock.advance(one.ms)
        expect(await conflicts(false)).toEqual([])
      }
      await clock.advance(30_000)
      expect(await conflicts(true)).toEqual([])
      const { spec } = await client.of(addressPools).get('p')
      const all = (await api.list(inDefault)).items.filter((one) => one.spec?.type === 'LoadBalancer')
      const without = all.filter((one) => shownAddresses(one).length === 0 && !one.spec?.loadBalancerIP)
      // nobody goes without while there is an address
      const size = spec.addresses.length === 2 ? 3 : spec.addresses[0]?.includes('-') ? 2 : 4
      if (without.length > 0) expect(new Set(all.flatMap(shownAddresses)).size).toBe(size)
      await running.stop()
    }),
    { numRuns: 40 },
  )
})
