import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type BestPathCandidate,
  type BestPathOptions,
  DEFAULT_BEST_PATH,
  describeStep,
  emptyCandidate,
  isEqualCost,
  selectBestPath,
  stepName,
} from './index.ts'

type Changes = Partial<BestPathCandidate>

const candidate = (changes: Changes): BestPathCandidate => ({
  ...emptyCandidate(),
  external: true,
  neighbourAs: 1,
  asPathLength: 3,
  ...changes,
})

describe('the step that decides', () => {
  const cases: readonly (readonly [step: string, winner: Changes, loser: Changes, options?: Partial<BestPathOptions>])[] = [
    ['local-preference', { localPreference: 200, asPathLength: 9 }, { localPreference: 100 }],
    ['locally-originated', { local: true, asPathLength: 9 }, {}],
    ['as-path-length', { asPathLength: 2, origin: 2 }, { asPathLength: 3 }],
    ['origin', { origin: 0, med: 9 }, { origin: 2 }],
    ['med', { med: 1, hasMed: true, external: false }, { med: 2, hasMed: true }],
    ['med', { external: false }, { med: 2, hasMed: true }],
    ['med', { med: 2, hasMed: true, external: false }, {}, { missingMedIsWorst: true }],
    ['med', { med: 1, hasMed: true, neighbourAs: 7, external: false }, { med: 2, hasMed: true }, { alwaysCompareMed: true }],
    ['external-over-internal', { med: 9, hasMed: true, neighbourAs: 7, igpMetric: 9 }, { external: false }],
    ['igp-metric', { igpMetric: 1, routerId: 9 }, { igpMetric: 2 }],
    ['oldest', { age: 1, routerId: 9 }, { age: 2 }, { preferOldest: true }],
    ['router-id', { routerId: 1, age: 9, clusterListLength: 4 }, { routerId: 0xffffffff }],
    ['cluster-list-length', { clusterListLength: 1, peerRank: 9 }, { clusterListLength: 2 }],
    ['peer-address', { peerRank: 1, pathId: 9 }, { peerRank: 2 }],
    ['path-id', { pathId: 1 }, { pathId: 2 }],
  ]
  test.each(cases.map((one): [string, Changes, Changes, Partial<BestPathOptions>] => [one[0], one[1], one[2], one[3] ?? {}]))(
    '%s',
    (step, better, worse, options) => {
      const [a, b] = [candidate(better), candidate(worse)]
      const all = { ...DEFAULT_BEST_PATH, ...options }
      expect(selectBestPath([a, b], 2, all)).toBe(0)
      expect(stepName(b.lostAt)).toBe(step)
      expect(describeStep(stepName(b.lostAt), b, a)).not.toBe('')
      expect(selectBestPath([b, a], 2, all)).toBe(1)
      expect(a.lostAt).toBe(-1)
    },
  )
})

test('MED counts inside a neighbour AS only, and before later steps: the classic example has one answer in every order', () => {
  const paths = [
    candidate({ neighbourAs: 1, med: 0, hasMed: true, igpMetric: 30, routerId: 1 }),
    candidate({ neighbourAs: 2, med: 0, hasMed: true, igpMetric: 20, routerId: 2 }),
    candidate({ neighbourAs: 1, med: 10, hasMed: true, igpMetric: 10, routerId: 3 }),
  ]
  fc.assert(
    fc.property(fc.shuffledSubarray([0, 1, 2], { minLength: 3 }), (order) => {
      const shuffled = order.map((i) => paths[i] as BestPathCandidate)
      expect(shuffled[selectBestPath(shuffled, 3, DEFAULT_BEST_PATH)]?.routerId).toBe(2)
      expect(stepName((paths[2] as BestPathCandidate).lostAt)).toBe('med')
    }),
  )
})

test('the order of candidates does not matter, and every loser knows its step', { timeout: 60_000 }, () => {
  const small = fc.nat(2)
  const any = fc
    .record({
      localPreference: small,
      local: fc.boolean(),
      asPathLength: small,
      origin: small,
      med: small,
      hasMed: fc.boolean(),
      neighbourAs: small,
      external: fc.boolean(),
      igpMetric: small,
      routerId: small,
      clusterListLength: small,
      peerRank: small,
    })
    .map((one) => candidate(one))
  const list = fc.array(any, { minLength: 1, maxLength: 6 }).map((all) => all.map((one, i) => ({ ...one, pathId: i })))
  fc.assert(
    fc.property(list, (all) => {
      const best = all[selectBestPath(all, all.length, DEFAULT_BEST_PATH)] as BestPathCandidate
      const again = [...all].reverse()
      expect(again[selectBestPath(again, again.length, DEFAULT_BEST_PATH)]).toBe(best)
      expect(all.filter(({ lostAt }) => lostAt < 0)).toEqual([best])
    }),
  )
})

test('equal cost: behind only in ties, and of the same kind', () => {
  const [best, tie, far] = [candidate({ routerId: 1 }), candidate({ routerId: 2 }), candidate({ routerId: 3, igpMetric: 1 })]
  selectBestPath([best, tie, far], 3, DEFAULT_BEST_PATH)
  expect([isEqualCost(tie, best), isEqualCost(far, best)]).toEqual([true, false])
})
