import { describe, expect, test } from 'vitest'
import type { KubeObject, NamedMeta } from '../../../api/meta/object.ts'
import { isReadyToGo, planDelete, type DeleteOptions } from './plan-delete.ts'

const NOW = Date.UTC(2026, 0, 1, 12)
const object = (metadata: Partial<NamedMeta> = {}): KubeObject => ({ metadata: { name: 'a', ...metadata } })

/** The action, and of a mark what it changes: seconds of grace, timestamp, finalizers. */
function plan(metadata: Partial<NamedMeta>, options: DeleteOptions, graceSeconds?: number, held = false): unknown[] {
  const made = planDelete(object(metadata), options, { nowMs: NOW, graceSeconds, held })
  if (made.action !== 'mark') return [made.action]
  const { deletionGracePeriodSeconds, deletionTimestamp, finalizers } = made.object.metadata
  return ['mark', deletionGracePeriodSeconds, deletionTimestamp?.slice(11, 19), finalizers]
}

const going = (seconds: number, timestamp = '2026-01-01T12:00:20Z'): Partial<NamedMeta> => ({
  deletionTimestamp: timestamp,
  deletionGracePeriodSeconds: seconds,
})

describe('planDelete', () => {
  test.each([
    ['nothing keeps it', {}, {}, undefined, ['remove']],
    ['a kind with grace', {}, {}, 30, ['mark', 30, '12:00:30', undefined]],
    ['grace 0', {}, { gracePeriodSeconds: 0 }, 0, ['remove']],
    ['a finalizer', { finalizers: ['x/y'] }, {}, undefined, ['mark', 0, '12:00:00', ['x/y']]],
    ['grace and a finalizer', { finalizers: ['x/y'] }, {}, 30, ['mark', 30, '12:00:30', ['x/y']]],
    ['grace runs', going(30), {}, 30, ['wait']],
    ['grace runs, longer asked', going(30), { gracePeriodSeconds: 60 }, 60, ['wait']],
    ['grace runs, shorter asked', going(30), { gracePeriodSeconds: 5 }, 5, ['mark', 5, '11:59:55', undefined]],
    ['grace runs, none asked for', going(30), { gracePeriodSeconds: 0 }, 0, ['remove']],
    ['grace is over', going(0), {}, 30, ['remove']],
    ['forced with a finalizer', { ...going(30), finalizers: ['x/y'] }, { gracePeriodSeconds: 0 }, 0, ['mark', 0, '12:00:00', ['x/y']]],
    ['deleted again with a finalizer', { ...going(0, '2026-01-01T11:00:00Z'), finalizers: ['x/y'] }, {}, undefined, ['wait']],
    ['Foreground', {}, { propagationPolicy: 'Foreground' }, undefined, ['mark', 0, '12:00:00', ['foregroundDeletion']]],
    ['Orphan', { finalizers: ['x/y'] }, { propagationPolicy: 'Orphan' }, undefined, ['mark', 0, '12:00:00', ['x/y', 'orphan']]],
    [
      'Orphan after Foreground',
      { ...going(0, '2026-01-01T11:00:00Z'), finalizers: ['foregroundDeletion'] },
      { propagationPolicy: 'Orphan' },
      undefined,
      ['mark', 0, '11:00:00', ['orphan']],
    ],
    ['Background after Orphan', { ...going(0), finalizers: ['orphan'] }, { propagationPolicy: 'Background' }, undefined, ['remove']],
    ['Foreground while grace runs', going(30), { propagationPolicy: 'Foreground' }, 30, ['mark', 30, '12:00:20', ['foregroundDeletion']]],
  ] as [string, Partial<NamedMeta>, DeleteOptions, number | undefined, unknown[]][])('%s', (_, metadata, options, grace, expected) => {
    expect(plan(metadata, options, grace)).toEqual(expected)
  })

  test('what is held otherwise is only marked', () => {
    expect(plan({}, {}, undefined, true)).toEqual(['mark', 0, '12:00:00', undefined])
  })

  test('the first mark counts a generation, later ones do not', () => {
    const marked = planDelete(object({ generation: 3 }), {}, { nowMs: NOW, graceSeconds: 30 })
    const shorter = planDelete(object({ ...going(30), generation: 4 }), { gracePeriodSeconds: 1 }, { nowMs: NOW, graceSeconds: 1 })
    expect([marked, shorter].map((one) => one.action === 'mark' && one.object.metadata.generation)).toEqual([4, 4])
  })

  test('changes nothing it was given', () => {
    const given = Object.freeze({ metadata: Object.freeze({ name: 'a', finalizers: Object.freeze(['x/y']) as unknown as string[] }) })
    expect(() => planDelete(given, { propagationPolicy: 'Foreground' }, { nowMs: NOW, graceSeconds: 1 })).not.toThrow()
  })
})

test.each([
  [going(0), true],
  [going(30), false],
  [{ ...going(0), finalizers: ['x/y'] }, false],
  [{ ...going(0), finalizers: [] }, true],
  [{}, false],
])('isReadyToGo(%j) is %s', (metadata, expected) => {
  expect(isReadyToGo(object(metadata))).toBe(expected)
})
