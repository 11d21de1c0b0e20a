import { expect, test } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import type { Node, NodeCondition, Pod, Taint, Toleration } from '../../../api/generated/types.ts'
import { Heartbeats } from './heartbeats.ts'
import { awaitsEviction, disruptionOf, evictionTimeMs, plannedTaints, silentConditions } from './plan-node.ts'

const NOW = '2026-01-01T00:00:00Z'
const node = (conditions: Record<string, string>, taints: Taint[] = [], unschedulable = false): Node => ({
  metadata: { name: 'n1' },
  spec: { taints, unschedulable },
  status: {
    conditions: Object.entries(conditions).map(([type, status]): NodeCondition => ({
      type,
      status,
      lastTransitionTime: '2025-01-01T00:00:00Z',
    })),
  },
})
const short = (taints: readonly Taint[] | undefined): string[] | undefined =>
  taints?.map(({ key, effect }) => `${key.replace('node.kubernetes.io/', '')}:${effect}`)

test.each([
  [1, 0, 'none'],
  [0, 0, 'none'],
  [0, 1, 'full'],
  [0, 5, 'full'],
  [2, 2, 'none'],
  [1, 2, 'none'],
  [2, 3, 'partial'],
  [3, 3, 'none'],
  [9, 11, 'partial'],
  [10, 10, 'none'],
])('%i ready and %i not ready nodes are disrupted: %s', (ready, notReady, disruption) => {
  expect(disruptionOf(ready, notReady)).toBe(disruption)
})

test('a silent node is unknown in everything its kubelet used to say', () => {
  const found = silentConditions(node({ Ready: 'True', MemoryPressure: 'False', Other: 'True' }), NOW)
  expect(found?.map(({ type, status, reason, lastTransitionTime }) => [type, status, reason, lastTransitionTime])).toEqual([
    ['Ready', 'Unknown', 'NodeStatusUnknown', NOW],
    ['MemoryPressure', 'Unknown', 'NodeStatusUnknown', NOW],
    ['DiskPressure', 'Unknown', 'NodeStatusNeverUpdated', NOW],
    ['PIDPressure', 'Unknown', 'NodeStatusNeverUpdated', NOW],
    ['Other', 'True', undefined, '2025-01-01T00:00:00Z'],
  ])
  expect(
    silentConditions(node({ Ready: 'Unknown', MemoryPressure: 'Unknown', DiskPressure: 'Unknown', PIDPressure: 'Unknown' }), NOW),
  ).toBeUndefined()
})

const mine: Taint = { key: 'mine', effect: 'NoExecute' }
const gone: Taint = { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute', timeAdded: NOW }
test.each<[string, Node, boolean, string[] | undefined]>([
  ['ready', node({ Ready: 'True' }), true, undefined],
  ['not ready', node({ Ready: 'False' }), true, ['not-ready:NoSchedule', 'not-ready:NoExecute']],
  ['silent', node({ Ready: 'Unknown' }), true, ['unreachable:NoSchedule', 'unreachable:NoExecute']],
  ['silent with many others', node({ Ready: 'Unknown' }), false, ['unreachable:NoSchedule']],
  [
    'silent, others fell silent too',
    node({ Ready: 'Unknown' }, [{ ...gone, effect: 'NoSchedule' }, gone]),
    false,
    ['unreachable:NoSchedule'],
  ],
  ['new', node({}), true, ['not-ready:NoSchedule']],
  ['back', node({ Ready: 'True' }, [mine, gone]), true, ['mine:NoExecute']],
  ['tainted by others alone', node({ Ready: 'True' }, [mine]), true, undefined],
  ['cordoned', node({ Ready: 'True' }, [], true), true, ['unschedulable:NoSchedule']],
  ['uncordoned', node({ Ready: 'True' }, [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }]), true, []],
  ['under pressure', node({ Ready: 'True', DiskPressure: 'True', PIDPressure: 'False' }), true, ['disk-pressure:NoSchedule']],
  [
    'from not ready to silent',
    node({ Ready: 'Unknown' }, [{ key: 'node.kubernetes.io/not-ready', effect: 'NoExecute' }]),
    true,
    ['unreachable:NoSchedule', 'unreachable:NoExecute'],
  ],
])('taints of a node that is %s', (_name, found, mayEvict, taints) => {
  expect(short(plannedTaints(found, { mayEvict, now: NOW }))).toEqual(taints)
})

test('a taint keeps the time it was added', () => {
  const taints = plannedTaints(node({ Ready: 'Unknown' }, [{ ...gone, timeAdded: '2025-06-01T00:00:00Z' }]), { mayEvict: true, now: NOW })
  expect(taints?.find((taint) => taint.effect === 'NoExecute')?.timeAdded).toBe('2025-06-01T00:00:00Z')
  expect([
    awaitsEviction(node({ Ready: 'Unknown' })),
    awaitsEviction(node({ Ready: 'Unknown' }, [gone])),
    awaitsEviction(node({})),
  ]).toEqual([true, false, false])
})

const at = Date.parse(NOW)
const tolerate = (key: string, seconds?: number): Toleration => ({
  key,
  operator: 'Exists',
  effect: 'NoExecute',
  ...(seconds === undefined ? {} : { tolerationSeconds: seconds }),
})
test.each<[string, Toleration[], Taint[], number | undefined]>([
  ['no taint', [], [], undefined],
  ['a taint that does not evict', [], [{ key: 'a', effect: 'NoSchedule' }], undefined],
  ['not tolerated', [], [gone], 0],
  ['tolerated for ever', [tolerate(gone.key)], [gone], undefined],
  ['tolerated for a while', [tolerate(gone.key, 300)], [gone], at + 300_000],
  ['tolerated for less than nothing', [tolerate(gone.key, -5)], [gone], at],
  ['the shorter of two', [tolerate(gone.key, 300), tolerate('mine', 60)], [gone, mine], 1000 + 60_000],
  ['the first toleration of a taint counts', [{ operator: 'Exists' }, tolerate(gone.key, 10)], [gone], undefined],
  ['one of two is not tolerated', [tolerate(gone.key, 300)], [gone, mine], 0],
])('eviction: %s', (_name, tolerations, taints, when) => {
  const pod: Pod = { metadata: { name: 'p' }, spec: { containers: [], tolerations } }
  expect(evictionTimeMs(pod, taints, 1000)).toBe(when)
})

test('a sign of life is one that differs from the last of its source', async () => {
  const clock = new FakeClock()
  const heartbeats = new Heartbeats(clock)
  heartbeats.hear('n1', 'lease', 't1')
  heartbeats.hear('n1', 'status', 's1')
  await clock.advance(10_000)
  heartbeats.hear('n1', 'lease', 't1')
  heartbeats.hear('n1', 'status', 's1')
  heartbeats.hear('n1', 'status', undefined)
  expect([heartbeats.silentForMs('n1'), heartbeats.silentForMs('new')]).toEqual([10_000, 0])
  heartbeats.hear('n1', 'status', 's2')
  await clock.advance(5_000)
  expect([heartbeats.silentForMs('n1'), heartbeats.silentForMs('new')]).toEqual([5_000, 5_000])
  heartbeats.startAnew()
  expect(heartbeats.silentForMs('n1')).toBe(0)
})
