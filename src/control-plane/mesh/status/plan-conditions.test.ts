import { describe, expect, it } from 'vitest'
import type { Condition } from '../../../api/generated/types.ts'
import type { Finding } from '../../../policy/traffic/input/index.ts'
import { planConditions, type PolicyObject, type PolicyObjectFacts } from './plan-conditions.ts'
import { wasProgrammed } from './programmed.ts'

const NOW = '2030-01-01T00:00:00Z'
const LATER = '2030-01-01T00:01:00Z'
const ORIGIN = { kind: 'MeshTimeout', group: 'kuma.io', namespace: 'shop', name: 'a' }
const object = (conditions: readonly Condition[] = [], generation = 2): PolicyObject => ({
  metadata: { name: 'a', namespace: 'shop', generation },
  status: { conditions },
})
const facts = (
  total: number,
  acked: number,
  more: Partial<PolicyObjectFacts> & { refused?: { proxy: string; reason: string }[] } = {},
): PolicyObjectFacts => ({
  acks: () => ({ total, acked, refused: more.refused ?? [] }),
  mayBeRefused: true,
  quarantined: [],
  findings: [],
  ...more,
})
const finding = (type: Finding['type'], reason: string, message: string): Finding => ({ origin: ORIGIN, type, reason, message })
const told = (conditions: readonly Condition[]): string[] =>
  conditions.map(
    ({ type, status, reason, message, observedGeneration }) => `${type}=${status} ${reason} g${observedGeneration}: ${message}`,
  )
const planned = (given: PolicyObjectFacts, conditions?: readonly Condition[]): string[] =>
  told(planConditions(object(conditions), given, NOW))

const ACCEPTED = 'Accepted=True Accepted g2: It can be carried out'
const PROGRAMMED = 'Programmed=True Programmed g2: All proxies that are connected and concerned have it in force'

describe('conditions of a policy', () => {
  it.each<[string, PolicyObjectFacts, string[]]>([
    ['all have confirmed', facts(3, 3), [ACCEPTED, PROGRAMMED]],
    ['nobody is concerned', facts(0, 0), [ACCEPTED, PROGRAMMED]],
    ['some have not confirmed', facts(3, 2), [ACCEPTED, 'Programmed=False Pending g2: Not all proxies concerned have confirmed it yet']],
    ['it is not compiled yet', facts(3, 3, { pending: 'Not yet' }), ['Programmed=False Pending g2: Not yet']],
    [
      'some have refused it',
      facts(9, 5, { refused: ['a', 'b', 'c', 'd'].map((proxy) => ({ proxy, reason: 'bad' })) }),
      [ACCEPTED, 'Programmed=False Refused g2: Refused by a: bad; b: bad; c: bad; and 1 more'],
    ],
    [
      'it is left out',
      facts(9, 9, { quarantined: [{ kind: 'envoy', reason: 'bad' }] }),
      [ACCEPTED, 'Programmed=False Refused g2: It is left out until it changes, because proxies of kind envoy have refused it: bad'],
    ],
    [
      'it cannot be carried out',
      facts(9, 9, { findings: [finding('Invalid', 'NotCompiled', 'no such backend'), finding('Deprecated', 'Old', 'old')] }),
      ['Accepted=False NotCompiled g2: no such backend', 'Programmed=False Invalid g2: It cannot be carried out as it is written'],
    ],
    [
      'something of it has no effect',
      facts(1, 1, {
        findings: [
          finding('Shadowed', 'NoSuchCallers', 'b'),
          finding('Shadowed', 'NoSuchCallers', 'a'),
          finding('Conflicted', 'Lost', 'c'),
        ],
      }),
      [ACCEPTED, PROGRAMMED, 'Conflicted=True Lost g2: c', 'Shadowed=True NoSuchCallers g2: a; b'],
    ],
  ])('%s', (_, given, expected) => {
    expect(planned(given)).toEqual(expected)
  })

  it('are nothing to write where they are what they were', () => {
    const before = planConditions(object(), facts(1, 1), NOW)
    expect(planConditions(object(before), facts(1, 1), LATER)).toBe(before)
    expect(wasProgrammed(object(before))).toBe(true)
  })

  it('stay those of a generation that is in force while proxies come and are told, but not when one refuses', () => {
    const before = planConditions(object(), facts(1, 1), NOW)
    expect(planConditions(object(before), facts(2, 1), LATER)).toBe(before)
    // nothing was refused anywhere: nobody is asked
    const unasked = { ...facts(2, 1), mayBeRefused: false, acks: () => expect.unreachable() as never }
    expect(planConditions(object(before), unasked, LATER)).toBe(before)
    expect(planned(facts(2, 1, { refused: [{ proxy: 'p', reason: 'no' }] }), before)[1]).toContain('Programmed=False Refused')
    const next = planConditions(object(before, 3), facts(2, 1), LATER)
    expect(told(next)).toEqual([
      'Accepted=True Accepted g3: It can be carried out',
      'Programmed=False Pending g3: Not all proxies concerned have confirmed it yet',
    ])
    expect(next.map(({ lastTransitionTime }) => lastTransitionTime)).toEqual([NOW, LATER])
  })

  it('leave those of others alone, and go with what they are about', () => {
    const other: Condition = { type: 'Audited', status: 'True', reason: 'Yes', message: '', lastTransitionTime: NOW }
    const shadowed = planConditions(object([other]), facts(1, 1, { findings: [finding('Shadowed', 'X', 'x')] }), NOW)
    expect(shadowed.map(({ type }) => type)).toEqual(['Audited', 'Accepted', 'Programmed', 'Shadowed'])
    expect(planConditions(object(shadowed), facts(1, 1), NOW).map(({ type }) => type)).toEqual(['Audited', 'Accepted', 'Programmed'])
  })

  it('are bounded, whatever proxies say', () => {
    const refused = Array.from({ length: 1_000 }, (_, i) => ({ proxy: `p${i}`, reason: 'x'.repeat(100_000) }))
    const findings = Array.from({ length: 1_000 }, (_, i) => finding('Invalid', 'X', `${i}`.repeat(100)))
    for (const given of [facts(1_000, 0, { refused }), facts(1, 1, { findings })]) {
      expect(JSON.stringify(planConditions(object(), given, NOW)).length).toBeLessThan(10_000)
    }
  })
})
