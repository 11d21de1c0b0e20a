import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Deployment, ReplicaSet } from '../../../api/generated/types.ts'
import { fenceposts, planRecreate, planRollingUpdate, planScale } from './plan-rollout.ts'

type Bound = string | number | undefined
const deployment = (replicas: number, maxSurge?: Bound, maxUnavailable?: Bound, type = 'RollingUpdate'): Deployment => ({
  metadata: { name: 'web' },
  spec: { replicas, selector: {}, template: {}, strategy: { type, rollingUpdate: { maxSurge, maxUnavailable } } },
})
interface SetTraits {
  readonly available?: number
  readonly max?: number
  readonly desired?: number
  readonly created?: string
}
const set = (
  name: string,
  replicas: number,
  { available = replicas, max, desired, created = `2026-01-01T00:00:0${name.length}Z` }: SetTraits = {},
): ReplicaSet => ({
  metadata: {
    name,
    creationTimestamp: created,
    annotations: {
      ...(max === undefined ? {} : { 'deployment.kubernetes.io/max-replicas': String(max) }),
      ...(desired === undefined ? {} : { 'deployment.kubernetes.io/desired-replicas': String(desired) }),
    },
  },
  spec: { replicas, selector: {} },
  status: { replicas, availableReplicas: available },
})
const plain = (sizes: ReadonlyMap<string, number>): Record<string, number> => Object.fromEntries(sizes)

test.each<[number, Bound, Bound, number, number]>([
  [10, '25%', '25%', 3, 2],
  [4, undefined, undefined, 1, 1],
  [1, '25%', '25%', 1, 0],
  [10, 0, 0, 0, 1],
  [2, 0, '25%', 0, 1],
  [3, 1, 10, 1, 3],
  [0, '25%', '25%', 0, 0],
])('of %i replicas, surge %s and unavailable %s are %i and %i', (replicas, surge, unavailable, maxSurge, maxUnavailable) => {
  expect(fenceposts(deployment(replicas, surge, unavailable))).toEqual({ maxSurge, maxUnavailable })
})

test.each<[string, Deployment, ReplicaSet, ReplicaSet[], Record<string, number>]>([
  ['a first rollout is made whole', deployment(3), set('new', 0), [], { new: 3 }],
  ['the new set grows into the surge', deployment(10, 3, 2), set('new', 0), [set('old', 10)], { new: 3 }],
  ['without surge the old one shrinks first', deployment(10, 0, 2), set('new', 0), [set('old', 10)], { old: 8 }],
  ['old pods go as new ones become available', deployment(10, 3, 2), set('new', 3), [set('old', 10)], { old: 5 }],
  ['new pods that are not available count as missing', deployment(10, 3, 2), set('new', 5, { available: 0 }), [set('old', 8)], {}],
  [
    'broken old pods go first, oldest set first',
    deployment(10, 0, 2),
    set('new', 2),
    [set('old', 6, { available: 4 }), set('older', 2, { available: 0, created: '2025-01-01T00:00:00Z' })],
    { older: 0 },
  ],
  ['nothing to do', deployment(3, 1, 0), set('new', 3), [set('old', 0)], {}],
  ['a new set that is too large shrinks', deployment(2, 1, 0), set('new', 5), [], { new: 2 }],
])('rolling update: %s', (_name, wanted, newSet, old, sizes) => {
  expect(plain(planRollingUpdate(wanted, newSet, old))).toEqual(sizes)
})

test('any rolling update ends with all pods new, and stays between its bounds on the way', () => {
  const bound = fc.oneof(fc.integer({ min: 0, max: 6 }), fc.constantFrom('0%', '25%', '50%', '100%'))
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), bound, bound, fc.integer({ min: 0, max: 20 }), (replicas, surge, unavailable, olds) => {
      const wanted = deployment(replicas, surge, unavailable)
      const { maxSurge, maxUnavailable } = fenceposts(wanted)
      const sizes = new Map([
        ['new', 0],
        ['old', Math.min(olds, replicas)],
        ['older', replicas - Math.min(olds, replicas)],
      ])
      const sets = (): ReplicaSet[] => [...sizes].map(([name, size]) => set(name, size))
      for (let step = 0; step < 100; step++) {
        const [newSet, ...old] = sets() as [ReplicaSet, ...ReplicaSet[]]
        const plan = planRollingUpdate(wanted, newSet, old)
        if (plan.size === 0) break
        for (const [name, size] of plan) sizes.set(name, size)
        const total = [...sizes.values()].reduce((sum, size) => sum + size, 0)
        expect(total).toBeLessThanOrEqual(replicas + maxSurge)
        expect(total).toBeGreaterThanOrEqual(replicas - maxUnavailable)
      }
      expect(Object.fromEntries(sizes)).toEqual({ new: replicas, old: 0, older: 0 })
    }),
  )
})

test.each<[string, ReplicaSet | undefined, ReplicaSet[], boolean, Record<string, number>]>([
  ['all old sets go first', undefined, [set('old', 3), set('older', 1)], false, { old: 0, older: 0 }],
  ['then their pods are waited for', set('new', 0), [set('old', 0)], false, {}],
  ['then the new one comes', set('new', 0), [set('old', 0)], true, { new: 3 }],
  ['and stays', set('new', 3), [set('old', 0)], true, {}],
])('recreate: %s', (_name, newSet, old, gone, sizes) => {
  expect(plain(planRecreate(deployment(3, 0, 0, 'Recreate'), newSet, old, gone))).toEqual(sizes)
})

test.each<[string, Deployment, ReplicaSet | undefined, ReplicaSet[], Record<string, number>]>([
  // https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#proportional-scaling
  [
    'the documented example: 10 to 15 in mid-rollout',
    deployment(15, 3, 2),
    set('new', 5, { max: 13 }),
    [set('old', 8, { max: 13 })],
    { old: 11, new: 7 },
  ],
  ['down in mid-rollout', deployment(5, 3, 2), set('new', 5, { max: 13 }), [set('old', 8, { max: 13 })], { old: 5, new: 3 }],
  ['to zero', deployment(0, 3, 2), set('new', 5, { max: 13 }), [set('old', 8, { max: 13 })], { old: 0, new: 0 }],
  [
    'equal sets: the newer grows first',
    deployment(5, 0, 1),
    set('new', 2, { max: 4, created: '2026-02-01T00:00:00Z' }),
    [set('old', 2, { max: 4 })],
    { new: 3 },
  ],
  [
    'equal sets: the older shrinks first',
    deployment(3, 0, 1),
    set('new', 2, { max: 4, created: '2026-02-01T00:00:00Z' }),
    [set('old', 2, { max: 4 })],
    { old: 1 },
  ],
  ['one active set takes it all', deployment(7), set('new', 0), [set('old', 3)], { old: 7 }],
  ['none active: the new one', deployment(4), set('new', 0), [set('old', 0)], { new: 4 }],
  [
    'none active and none new: the latest',
    deployment(4),
    undefined,
    [set('old', 0), set('older', 0, { created: '2025-01-01T00:00:00Z' })],
    { old: 4 },
  ],
  ['a saturated new set ends the old ones', deployment(3), set('new', 3, { desired: 3 }), [set('old', 2)], { old: 0 }],
  ['recreate shares nothing', deployment(6, 0, 0, 'Recreate'), set('new', 2), [set('old', 2)], {}],
])('scaling: %s', (_name, wanted, newSet, old, sizes) => {
  expect(plain(planScale(wanted, newSet, old))).toEqual(sizes)
})

test('scaling in proportion hands out exactly what there is to hand out', () => {
  const size = fc.integer({ min: 1, max: 50 })
  fc.assert(
    fc.property(size, fc.integer({ min: 0, max: 10 }), fc.array(size, { minLength: 2, maxLength: 5 }), (replicas, surge, have) => {
      const before = have.reduce((sum, one) => sum + one, 0)
      const sets = have.map((one, i) => set(`s${'x'.repeat(i)}`, one, { max: before }))
      const plan = planScale(deployment(replicas, surge, 0), sets[0], sets.slice(1))
      if (plan.size > 0 && [...plan.values()].every((one) => one === 0)) return
      const after = sets.map((one) => plan.get(one.metadata.name) ?? one.spec?.replicas ?? 0)
      expect(after.every((one) => one >= 0)).toBe(true)
      const allowed = replicas + fenceposts(deployment(replicas, surge, 0)).maxSurge
      expect(after.reduce((sum, one) => sum + one, 0)).toBe(allowed)
    }),
  )
})
