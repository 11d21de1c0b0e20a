import fc from 'fast-check'
import { expect, test } from 'vitest'
import { appliedAnnotations, parseApplied, refusalsOf, type AppliedReport } from './applied.ts'

test('what is read is what was reported', () => {
  const revision = fc.bigInt({ min: 0n, max: 10n ** 18n }).map(String)
  const report: fc.Arbitrary<AppliedReport> = fc.record(
    {
      component: fc.constantFrom('services', 'policies', 'routes'),
      revision,
      refused: fc.record({ revision, reason: fc.string({ maxLength: 100 }) }),
    },
    { requiredKeys: ['component'] },
  )
  fc.assert(
    fc.property(fc.uniqueArray(report, { selector: ({ component }) => component }), (reports) => {
      expect(parseApplied({ other: 'x', ...appliedAnnotations(reports) })).toEqual(reports)
    }),
  )
  fc.assert(fc.property(fc.string(), (text) => void parseApplied({ 'biplane.dev/applied-x': text })))
})

test('long reasons are cut, refusals are told together', () => {
  const reports: AppliedReport[] = [
    { component: 'services', revision: '5' },
    { component: 'policies', revision: '5', refused: { revision: '7', reason: 'x'.repeat(10_000) } },
    { component: 'routes', refused: { revision: '8', reason: 'no' } },
  ]
  expect(appliedAnnotations(reports)['biplane.dev/applied-policies']?.length).toBeLessThan(600)
  expect(appliedAnnotations(reports)['biplane.dev/applied-routes']).toBe('none; refused 8: no')
  expect(refusalsOf(reports)).toMatch(/^policies: revision 7 was refused: x+\.\.\.; routes: revision 8 was refused: no$/)
  expect(refusalsOf(reports.slice(0, 1))).toBeUndefined()
})
