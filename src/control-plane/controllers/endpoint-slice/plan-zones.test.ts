import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Node } from '../../../api/generated/types.ts'
import { readTopology } from './cluster-topology.ts'
import { planZones, type ZonedEndpoint } from './plan-zones.ts'

const node = (name: string, zone: string | undefined, cpu: string, more: Partial<Node['metadata']> = {}): Node => ({
  metadata: { name, labels: { ...(zone ? { 'topology.kubernetes.io/zone': zone } : {}), ...more.labels } },
  status: { allocatable: { cpu }, conditions: [{ type: 'Ready', status: 'True' }] },
})
const endpointsIn = (counts: Readonly<Record<string, number>>): ZonedEndpoint[] =>
  Object.entries(counts).flatMap(([zone, count]) =>
    Array.from({ length: count }, (_, i) => ({ key: `${zone}${String(i).padStart(2, '0')}`, zone, hint: undefined })),
  )
const shares = (cpus: Readonly<Record<string, number>>): { readonly shares: Map<string, number> } => {
  const total = Object.values(cpus).reduce((a, b) => a + b, 0)
  return { shares: new Map(Object.entries(cpus).map(([zone, cpu]) => [zone, cpu / total])) }
}

/** `a:2 b:3`, endpoints that serve each zone; or why not. */
function told(cpus: Readonly<Record<string, number>>, counts: Readonly<Record<string, number>>): string {
  const { zones, why } = planZones(endpointsIn(counts), shares(cpus))
  if (!zones) return why
  const names = [...new Set(zones.values())].toSorted()
  return names.map((name) => `${name}:${[...zones.values()].filter((zone) => zone === name).length}`).join(' ')
}

test.each<[string, Record<string, number>, Record<string, number>, string]>([
  ['an even spread stays', { a: 1, b: 1 }, { a: 2, b: 2 }, 'a:2 b:2'],
  ['little too many is left as it is', { a: 1, b: 1, c: 1 }, { a: 3, b: 2, c: 2 }, 'a:3 b:2 c:2'],
  ['one more than needed is lent', { a: 1, b: 1 }, { a: 4, b: 2 }, 'a:3 b:3'],
  ['a zone without endpoints is lent some', { a: 1, b: 1, c: 1 }, { a: 5, b: 4 }, 'a:3 b:3 c:3'],
  ['in proportion to processors', { a: 3, b: 1 }, { a: 4, b: 4 }, 'a:6 b:2'],
  ['a zone without processors keeps none', { a: 1, b: 1 }, { a: 2, b: 2, z: 2 }, 'a:3 b:3'],
  ['a small zone gets one, however small', { a: 40, b: 40, c: 1 }, { a: 6, b: 5, c: 0 }, 'a:5 b:5 c:1'],
  ['too few for the zones', { a: 1, b: 1, c: 1 }, { a: 2 }, '2 ready endpoints are too few for 3 zones'],
  ['no safe share', { a: 7, b: 2, c: 2 }, { a: 2, b: 1, c: 1 }, '4 ready endpoints cannot be shared out without overloading some'],
])('%s', (_what, cpus, counts, expected) => {
  expect(told(cpus, counts)).toBe(expected)
})

test('an endpoint of the zone itself is given first, and one that is lent already before others', () => {
  const endpoints = endpointsIn({ a: 6, b: 2 })
  const { zones } = planZones(endpoints, shares({ a: 1, b: 1 }))
  const lent = [...zones!].filter(([key, zone]) => !key.startsWith(zone)).map(([key]) => key)
  expect(lent).toEqual(['a00', 'a01'])
  const kept = endpoints.map((one) => (one.key === 'a04' ? { ...one, hint: 'b' } : one))
  const again = [...planZones(kept, shares({ a: 1, b: 1 })).zones!].filter(([key, zone]) => !key.startsWith(zone)).map(([key]) => key)
  expect(again.toSorted()).toEqual(['a00', 'a04'])
})

test('no zone has more than its share of load, every endpoint serves a zone, and doing it again changes nothing', () => {
  const cpus = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.integer({ min: 1, max: 64 }), { minKeys: 2, noNullPrototype: true })
  const counts = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'z'), fc.nat(30), { minKeys: 1, noNullPrototype: true })
  fc.assert(
    fc.property(cpus, counts, (cpus, counts) => {
      const endpoints = endpointsIn(counts)
      const topology = shares(cpus)
      const { zones } = planZones(endpoints, topology)
      if (!zones) return
      expect([...zones.keys()].toSorted()).toEqual(endpoints.map(({ key }) => key).toSorted())
      for (const [zone, share] of topology.shares) {
        const serving = [...zones.values()].filter((one) => one === zone).length
        // load of one endpoint against an even spread
        expect((share * endpoints.length) / serving).toBeLessThanOrEqual(1.2 + 1e-6)
      }
      expect([...zones.values()].every((zone) => topology.shares.has(zone))).toBe(true)
      const hinted = endpoints.map((one) => ({ ...one, hint: zones.get(one.key) }))
      expect(new Map(planZones(hinted, topology).zones)).toEqual(new Map(zones))
    }),
  )
})

test.each<[string, Node[], Record<string, number> | string]>([
  ['by processors', [node('1', 'a', '1500m'), node('2', 'b', '500m'), node('3', 'b', '2')], { a: 0.375, b: 0.625 }],
  [
    'of workers',
    [node('1', 'a', '1'), node('2', 'b', '1'), node('3', undefined, '8', { labels: { 'node-role.kubernetes.io/control-plane': '' } })],
    { a: 0.5, b: 0.5 },
  ],
  ['of one zone', [node('1', 'a', '1'), node('2', 'a', '1')], 'all ready nodes are in one zone'],
  ['of nowhere', [node('1', 'a', '1'), node('2', undefined, '1')], 'node 2 has no label topology.kubernetes.io/zone'],
  ['without processors', [node('1', 'a', '1'), node('2', 'b', '0')], 'node 2 has no processors'],
  ['without nodes', [], 'insufficient node information'],
])('shares %s', (_what, nodes, expected) => {
  const { shares: read, why } = readTopology(nodes)
  expect(read ? Object.fromEntries(read) : why).toEqual(expected)
})
