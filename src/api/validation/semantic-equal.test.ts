import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { semanticEqual } from './semantic-equal.ts'

test.each([
  [undefined, [], true],
  [undefined, {}, true],
  [{ a: undefined }, {}, true],
  [{ a: { b: [] } }, undefined, true],
  [{ a: [], b: 1 }, { b: 1 }, true],
  [null, undefined, true],
  [[{}], undefined, false],
  [0, undefined, false],
  ['', undefined, false],
  [false, undefined, false],
  [{ a: 1, b: 2 }, { b: 2, a: 1 }, true],
  [[1, 2], [2, 1], false],
  [[1], [1, 2], false],
  [{ a: 1 }, { a: '1' }, false],
  [[1], { 0: 1 }, false],
])('%j and %j: %s, both ways', (a, b, equal) => {
  expect(semanticEqual(a, b)).toBe(equal)
  expect(semanticEqual(b, a)).toBe(equal)
})

test('a value equals its copy, and not one with another leaf', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(semanticEqual(value, structuredClone(value))).toBe(true)
      expect(semanticEqual({ value, leaf: 1 }, { value, leaf: 2 })).toBe(false)
    }),
    { numRuns: 200 },
  )
})
