import { describe, expect, test } from 'vitest'
import { findCondition, isConditionTrue, removeCondition, setCondition, type ConditionLike } from './conditions.ts'
import type { Pod } from './generated/types.ts'
import { containersOf, containersWithPath, isPodActive, isPodAvailable, isPodReady, podPhaseIsTerminal, qosClassOf } from './pod-status.ts'

const resources = (requests: object = {}, limits: object = {}): object => ({ name: 'c', resources: { requests, limits } })
const pod = (containers: object[], more: object = {}): Pod => ({ metadata: { name: 'p' }, spec: { containers }, ...more }) as Pod

describe('the QoS class', () => {
  const full = { cpu: '1', memory: '1Gi' }
  test.each([
    ['BestEffort', [resources()]],
    ['BestEffort', [resources({ 'nvidia.com/gpu': '1' })]],
    ['BestEffort', [resources({ cpu: '0' })]],
    ['Guaranteed', [resources(full, full)]],
    ['Guaranteed', [resources({ cpu: '1000m', memory: '1024Mi' }, full)]],
    ['Burstable', [resources(full, full), resources()]],
    ['Burstable', [resources({ cpu: '500m', memory: '1Gi' }, full)]],
    ['Burstable', [resources({}, { cpu: '1' })]],
    ['Burstable', [resources({ memory: '1' })]],
    ['BestEffort', [resources({ cpu: 'nonsense' })]],
  ])('is %s for %j', (qos, containers) => {
    expect(qosClassOf(pod(containers as object[]))).toBe(qos)
  })

  test('counts init containers, and the resources of the pod before all', () => {
    const spec = { containers: [resources(full, full)], initContainers: [resources()] }
    expect(qosClassOf({ spec } as never)).toBe('Burstable')
    expect(qosClassOf({ spec: { ...spec, resources: { requests: full, limits: full } } } as never)).toBe('Guaranteed')
  })
})

test('containers come in the order they start', () => {
  const spec = { initContainers: [{ name: 'i' }], containers: [{ name: 'a' }, { name: 'b' }], ephemeralContainers: [{ name: 'e' }] }
  expect(containersOf({ spec } as never).map((one) => one.name)).toEqual(['i', 'a', 'b'])
  expect([...containersWithPath(spec as never, 'spec')].map((one) => one.path)).toEqual([
    'spec.initContainers[0]',
    'spec.containers[0]',
    'spec.containers[1]',
    'spec.ephemeralContainers[0]',
  ])
})

test('ready, available, active, ended', () => {
  const since = '2026-01-01T00:00:00Z'
  const ready = pod([], { status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: since }] } })
  expect(isPodReady(ready)).toBe(true)
  expect(isPodReady(pod([]))).toBe(false)
  expect(isPodAvailable(ready, 0, 0)).toBe(true)
  expect(isPodAvailable(ready, 10, Date.parse(since) + 9_999)).toBe(false)
  expect(isPodAvailable(ready, 10, Date.parse(since) + 10_000)).toBe(true)
  expect(isPodActive(ready)).toBe(true)
  expect(isPodActive({ ...ready, metadata: { name: 'p', deletionTimestamp: since } })).toBe(false)
  expect(['Pending', 'Running', 'Succeeded', 'Failed', undefined].map(podPhaseIsTerminal)).toEqual([false, false, true, true, false])
})

describe('setCondition', () => {
  const old: ConditionLike[] = [{ type: 'A', status: 'True', reason: 'r', lastTransitionTime: 't1' }]

  test('appends with the time of now', () => {
    expect(setCondition(old, { type: 'B', status: 'False' }, 't2')).toEqual([
      ...old,
      { type: 'B', status: 'False', lastTransitionTime: 't2' },
    ])
  })

  test('moves the time only with the status', () => {
    expect(setCondition(old, { type: 'A', status: 'True', reason: 's' }, 't2')).toEqual([
      { type: 'A', status: 'True', reason: 's', lastTransitionTime: 't1' },
    ])
    expect(setCondition(old, { type: 'A', status: 'False', reason: 'r' }, 't2')).toEqual([
      { type: 'A', status: 'False', reason: 'r', lastTransitionTime: 't2' },
    ])
  })

  test('gives the same list when nothing changes, and never changes the one given', () => {
    expect(setCondition(old, { type: 'A', status: 'True', reason: 'r' }, 't2')).toBe(old)
    expect(old).toHaveLength(1)
    expect(removeCondition(old, 'B')).toBe(old)
    expect(removeCondition(old, 'A')).toEqual([])
    expect(isConditionTrue(old, 'A')).toBe(true)
    expect(findCondition(old, 'B')).toBeUndefined()
  })
})
