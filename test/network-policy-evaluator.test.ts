import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compilePolicies, evaluatePacket, PolicyCompiler } from '../src/policy/packet/policies/index.ts'
import { allProbes } from './network-policy-support/cluster.ts'
import { cluster } from './network-policy-support/random-policies.ts'
import { referenceVerdict } from './network-policy-support/reference.ts'

describe('the evaluator of packet policies', () => {
  test('gives, for every packet of random clusters, the verdict of the plain reference', () => {
    let denied = 0
    let asked = 0
    fc.assert(
      fc.property(cluster, fc.constantFrom(0 as const, 1 as const), (random, family) => {
        const policy = compilePolicies(random)
        for (const probe of allProbes(random.pods, family)) {
          const { verdict } = evaluatePacket(policy, probe)
          if (verdict !== (referenceVerdict(random, probe) ? 'accept' : 'deny'))
            expect({ probe, verdict }).toBe('the verdict of the reference')
          asked++
          if (verdict === 'deny') denied++
        }
      }),
      { numRuns: 150 },
    )
    // a generator that never denies, or always does, would prove nothing
    expect(denied / asked).toBeGreaterThan(0.1)
    expect(denied / asked).toBeLessThan(0.9)
  })

  test('compiles change by change what it compiles at once', () => {
    fc.assert(
      fc.property(fc.array(cluster, { minLength: 2, maxLength: 4 }), (steps) => {
        const compiler = new PolicyCompiler()
        for (const step of steps) {
          const { revision, ...grown } = compiler.update(step)
          const { revision: _, ...fresh } = compilePolicies(step)
          expect(revision).toBe('0')
          expect(sorted(grown)).toEqual(sorted(fresh))
        }
      }),
      { numRuns: 100 },
    )
  })
})

// maps and sets by content, whatever order they grew in
function sorted(value: unknown): unknown {
  if (value instanceof Map)
    return [...value].map(([key, one]) => [key, sorted(one)] as const).sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1))
  if (value instanceof Set) return [...value].map(String).sort((a, b) => (a < b ? -1 : 1))
  if (Array.isArray(value)) return value.map(sorted)
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, sorted(one)]))
}
