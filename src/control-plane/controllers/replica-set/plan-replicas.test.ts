import { expect, test } from 'vitest'
import type { Pod } from '../../../api/generated/types.ts'
import { BURST, planReplicas } from './plan-replicas.ts'

interface Traits {
  readonly node?: string
  readonly phase?: string
  readonly readySince?: string
  readonly cost?: string
  readonly restarts?: number
  readonly created?: string
}

const pod = (
  name: string,
  { node = 'n1', phase = 'Running', readySince, cost, restarts = 0, created = '2026-01-01T00:00:00Z' }: Traits = {},
): Pod => ({
  metadata: { name, creationTimestamp: created, ...(cost ? { annotations: { 'controller.kubernetes.io/pod-deletion-cost': cost } } : {}) },
  spec: { containers: [], ...(node ? { nodeName: node } : {}) },
  status: {
    phase,
    conditions: readySince ? [{ type: 'Ready', status: 'True', lastTransitionTime: readySince }] : [],
    containerStatuses: [{ name: 'c', image: '', imageID: '', ready: true, restartCount: restarts }],
  },
})
const OLD = '2026-01-01T00:00:00Z'
const NEW = '2026-01-02T00:00:00Z'

test('makes what is missing, in bursts', () => {
  expect(planReplicas(3, [pod('a')])).toEqual({ create: 2, remove: [] })
  expect(planReplicas(1, [pod('a')])).toEqual({ create: 0, remove: [] })
  expect(planReplicas(2000, []).create).toBe(BURST)
  expect(
    planReplicas(
      0,
      Array.from({ length: 700 }, (_, i) => pod(`p${i}`)),
    ).remove.length,
  ).toBe(BURST)
})

// in each pair the first goes before the second, everything before it being equal
test.each<[string, Traits, Traits]>([
  ['without a node', { node: '' }, { node: 'n1', phase: 'Pending' }],
  ['pending before unknown', { phase: 'Pending' }, { phase: 'Unknown' }],
  ['unknown before running', { phase: 'Unknown' }, { phase: 'Running' }],
  ['not ready', {}, { readySince: OLD }],
  ['cheaper', { readySince: OLD, cost: '-5' }, { readySince: NEW, cost: '3' }],
  ['on the more crowded node', { readySince: OLD, node: 'crowded' }, { readySince: NEW, node: 'n1' }],
  ['ready for a shorter time', { readySince: NEW }, { readySince: OLD, restarts: 9 }],
  ['restarted more often', { readySince: OLD, restarts: 2 }, { readySince: OLD, restarts: 1, created: NEW }],
  ['younger', { readySince: OLD, created: NEW }, { readySince: OLD, created: OLD }],
])('removes first what is missed least: %s', (_name, first, second) => {
  const crowding = new Map([
    ['crowded', 4],
    ['n1', 2],
  ])
  const [a, b] = [pod('a', first), pod('b', second)]
  for (const pods of [
    [a, b],
    [b, a],
  ])
    expect(planReplicas(1, pods, crowding).remove.map(({ metadata }) => metadata.name)).toEqual(['a'])
})
