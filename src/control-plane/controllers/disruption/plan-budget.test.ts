import { describe, expect, test } from 'vitest'
import type { Pod, PodDisruptionBudget } from '../../../api/generated/types.ts'
import { budgetStatus, recheckInMs } from './plan-budget.ts'

const NOW = Date.UTC(2026, 0, 1)
const at = (agoMs: number): string => new Date(NOW - agoMs).toISOString()
const pod = (name: string, options: { readonly ready?: boolean; readonly deleting?: boolean; readonly phase?: string } = {}): Pod => ({
  metadata: { name, ...(options.deleting ? { deletionTimestamp: at(0) } : {}) },
  status: { phase: options.phase ?? 'Running', conditions: [{ type: 'Ready', status: options.ready === false ? 'False' : 'True' }] },
})
const budget = (spec: PodDisruptionBudget['spec'], status?: PodDisruptionBudget['status']): PodDisruptionBudget => ({
  metadata: { name: 'b', generation: 1 },
  spec,
  status,
})

describe('budget status', () => {
  test.each([
    {
      it: 'minAvailable as a number counts the pods that are there',
      spec: { minAvailable: 2 },
      pods: [pod('a'), pod('b'), pod('c')],
      allowed: 1,
      desired: 2,
    },
    {
      it: 'minAvailable in percent counts the scale and rounds up',
      spec: { minAvailable: '50%' },
      pods: [pod('a'), pod('b'), pod('c')],
      scale: 3,
      allowed: 1,
      desired: 2,
    },
    { it: 'maxUnavailable counts the scale', spec: { maxUnavailable: 1 }, pods: [pod('a'), pod('b')], scale: 3, allowed: 0, desired: 2 },
    {
      it: 'pods that are not ready, going or over are not healthy',
      spec: { minAvailable: 1 },
      pods: [pod('a'), pod('b', { ready: false }), pod('c', { deleting: true }), pod('d', { phase: 'Succeeded' })],
      allowed: 0,
      desired: 1,
    },
    { it: 'without pods nothing may be evicted', spec: { maxUnavailable: 1 }, pods: [], scale: 0, allowed: 0, desired: 0 },
    {
      it: 'a percentage without a scale fails',
      spec: { minAvailable: '50%' },
      pods: [pod('a')],
      allowed: 0,
      desired: 0,
      reason: 'SyncFailed',
    },
  ])('$it', ({ spec, pods, allowed, desired, ...rest }) => {
    const status = budgetStatus(budget(spec), { pods, nowMs: NOW, ...('scale' in rest ? { scale: rest.scale } : {}) })
    expect([status.disruptionsAllowed, status.desiredHealthy]).toEqual([allowed, desired])
    const reason = 'reason' in rest ? rest.reason : allowed > 0 ? 'SufficientPods' : 'InsufficientPods'
    expect(status.conditions?.[0]?.reason).toBe(reason)
  })

  test('an eviction under way counts until its pod is gone, or for two minutes', () => {
    const disruptedPods = { a: at(10_000), gone: at(10_000), b: at(130_000) }
    const before = budget(
      { minAvailable: 1 },
      { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0, disruptedPods },
    )
    const status = budgetStatus(before, { pods: [pod('a'), pod('b'), pod('c')], nowMs: NOW })
    expect(status.disruptedPods).toEqual({ a: disruptedPods.a })
    expect([status.currentHealthy, status.disruptionsAllowed]).toEqual([2, 1])
    expect(recheckInMs(status, NOW)).toBe(110_000)
  })
})
