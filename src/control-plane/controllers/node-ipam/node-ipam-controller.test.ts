import fc from 'fast-check'
import { expect, test } from 'vitest'
import { events } from '../../../api/core/v1/event.ts'
import { nodes } from '../../../api/core/v1/node.ts'
import type { Node } from '../../../api/generated/types.ts'
import { silentLogger } from '../../../base/log.ts'
import { createMetrics } from '../../../base/metrics.ts'
import type { Client } from '../../../client/client.ts'
import { createInformerFactory } from '../../../client/informer-factory.ts'
import { createManager } from '../../../controller/create-manager.ts'
import { Gate, heldWatch } from '../../../testing/held-watch.ts'
import { FakeClock, startTestCluster } from '../../../testing/index.ts'
import { parseClusterCidrs } from './cluster-cidrs.ts'
import { addNodeIpamController } from './node-ipam-controller.ts'

/** A running controller; `stop` ends it as a crash would: without saying anything to anybody. */
function runIpam(client: Client, clock: FakeClock, ranges: string, ipv4 = 24): { stop(): Promise<void>; readonly metrics: () => string } {
  const informers = createInformerFactory({ client, clock, random: () => 0, log: silentLogger })
  const metrics = createMetrics()
  const manager = createManager({ client, informers, clock, random: () => 0, log: silentLogger, metrics })
  addNodeIpamController(manager, parseClusterCidrs(ranges, { ipv4 }))
  const stop = new AbortController()
  const done = manager.run(stop.signal)
  return {
    metrics: () => metrics.render(),
    async stop() {
      stop.abort()
      await done
    },
  }
}

const cidrsOf = (node: Node): readonly string[] => node.spec?.podCIDRs ?? []
const read = async (client: Client): Promise<Record<string, readonly string[]>> =>
  Object.fromEntries((await client.of(nodes).list()).items.map((node) => [node.metadata.name, cidrsOf(node)]))

test('every node gets a part of each range, for good', async () => {
  const clock = new FakeClock()
  await using cluster = await startTestCluster({ clock })
  const { client } = cluster
  await client.of(nodes).create({ metadata: { name: 'old' }, spec: { podCIDR: '10.244.0.0/24' } })
  const first = runIpam(client, clock, '10.244.0.0/16,fd00:10:244::/48')
  await clock.advance(1_000)
  for (const name of ['n1', 'n2']) await client.of(nodes).create({ metadata: { name } })
  await clock.advance(1_000)
  const given = { old: ['10.244.0.0/24'], n1: ['10.244.1.0/24', 'fd00:10:244::/64'], n2: ['10.244.2.0/24', 'fd00:10:244:1::/64'] }
  expect(await read(client)).toEqual(given)
  expect((await client.of(nodes).get('n1')).spec?.podCIDR).toBe('10.244.1.0/24')
  expect(first.metrics()).toContain(`node_ipam_controller_cidrset_usage_cidrs{clusterCIDR="10.244.0.0/16"} ${3 / 256}`)
  await first.stop()
  const second = runIpam(client, clock, '10.244.0.0/16,fd00:10:244::/48')
  await clock.advance(1_000)
  await client.of(nodes).create({ metadata: { name: 'n3' } })
  await clock.advance(1_000)
  expect(await read(client)).toEqual({ ...given, n3: ['10.244.3.0/24', 'fd00:10:244:2::/64'] })
  await second.stop()
})

test.each([
  ['by its list', { spec: { podCIDRs: ['10.244.9.0/24'] } }],
  ['by both of its names', { spec: { podCIDR: '10.244.9.0/24', podCIDRs: ['10.244.9.0/24'] } }],
  ['by its older name', { spec: { podCIDR: '10.244.9.0/24' } }],
  ['by taking it away', { spec: { podCIDR: null, podCIDRs: null } }],
])('what a node has cannot be changed %s', async (_how, patch) => {
  await using cluster = await startTestCluster()
  const api = cluster.client.of(nodes)
  await api.create({ metadata: { name: 'n1' }, spec: { podCIDRs: ['10.244.1.0/24'] } })
  await expect(api.patch('n1', patch, { type: 'merge' })).rejects.toMatchObject({
    reason: 'Invalid',
    message: expect.stringContaining('node updates may not change podCIDR except from "" to valid'),
  })
})

test('a full range is reported on the node, which gets a part when another node goes', async () => {
  const clock = new FakeClock()
  await using cluster = await startTestCluster({ clock })
  const { client } = cluster
  const ipam = runIpam(client, clock, '10.244.0.0/23')
  for (const name of ['n1', 'n2', 'n3']) {
    await client.of(nodes).create({ metadata: { name } })
    await clock.advance(1_000)
  }
  expect(await read(client)).toEqual({ n1: ['10.244.0.0/24'], n2: ['10.244.1.0/24'], n3: [] })
  const [event] = (await client.of(events).list()).items.filter(({ reason }) => reason === 'CIDRNotAvailable')
  expect(event).toMatchObject({
    type: 'Warning',
    involvedObject: { kind: 'Node', name: 'n3' },
    message: 'no part of 10.244.0.0/23 is left for this node (each node takes a /24)',
  })
  await client.of(nodes).delete('n1')
  await clock.advance(11_000)
  expect(await read(client)).toEqual({ n2: ['10.244.1.0/24'], n3: ['10.244.0.0/24'] })
  await ipam.stop()
})

test('a cache that lags behind does not make two nodes share', async () => {
  const clock = new FakeClock()
  await using cluster = await startTestCluster({ clock })
  const { client } = cluster
  const gate = new Gate()
  const ipam = runIpam(heldWatch(client, 'nodes', gate), clock, '10.244.0.0/16')
  await clock.advance(1_000)
  await client.of(nodes).create({ metadata: { name: 'n1' } })
  await client.of(nodes).create({ metadata: { name: 'n2' } })
  await clock.advance(100)
  gate.close()
  // the node is another one of the same name, and somebody else was faster
  await client.of(nodes).delete('n1')
  await client.of(nodes).create({ metadata: { name: 'n1' }, spec: { podCIDRs: ['10.244.2.0/24'] } })
  await client.of(nodes).create({ metadata: { name: 'n3' } })
  await clock.advance(1_000)
  gate.open()
  await clock.advance(30_000)
  const all = await read(client)
  expect(all['n1']).toEqual(['10.244.2.0/24'])
  expect(new Set(Object.values(all).flat()).size).toBe(3)
  await ipam.stop()
})

test('however nodes come and go and whenever the controller dies, no two nodes share addresses', { timeout: 60_000 }, async () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ what: fc.constant('create' as const), name: fc.nat(9) }) },
    { weight: 2, arbitrary: fc.record({ what: fc.constant('delete' as const), name: fc.nat(9) }) },
    fc.record({ what: fc.constant('set' as const), name: fc.nat(9), part: fc.nat(7) }),
    fc.record({ what: fc.constant('crash' as const) }),
    fc.record({ what: fc.constant('wait' as const), ms: fc.constantFrom(0, 1, 50, 12_000) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 30 }), async (steps) => {
      const clock = new FakeClock()
      await using cluster = await startTestCluster({ clock })
      const { client } = cluster
      const api = client.of(nodes)
      let ipam = runIpam(client, clock, '10.0.0.0/29', 32)
      const byHand = new Set<string>()
      for (const one of steps) {
        if (one.what === 'create') await api.create({ metadata: { name: `n${one.name}` } }).catch(() => {})
        else if (one.what === 'delete') await api.delete(`n${one.name}`).catch(() => {})
        else if (one.what === 'set') {
          // an administrator's mistakes are his own: only one that was free is looked at
          const cidr = `10.0.0.${one.part}/32`
          const before = await read(client)
          if (Object.values(before).flat().includes(cidr)) continue
          byHand.add(cidr)
          await api.create({ metadata: { name: `n${one.name}` }, spec: { podCIDRs: [cidr] } }).catch(() => {})
        } else if (one.what === 'crash') {
          await ipam.stop()
          ipam = runIpam(client, clock, '10.0.0.0/29', 32)
        } else await clock.advance(one.ms)
        const given = Object.values(await read(client)).flat()
        const ours = given.filter((cidr) => !byHand.has(cidr))
        expect(new Set(ours).size).toBe(ours.length)
      }
      await clock.advance(30_000)
      const final = await read(client)
      const count = Object.keys(final).length
      const distinct = new Set(Object.values(final).flat()).size
      expect(Object.values(final).filter((cidrs) => cidrs.length > 0).length).toBeGreaterThanOrEqual(Math.min(count, distinct))
      if (count <= 8 && byHand.size === 0) expect(distinct).toBe(count)
      await ipam.stop()
    }),
    { numRuns: 40 },
  )
})
