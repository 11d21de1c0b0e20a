import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Interner } from './interner.ts'

test('a shared value is equal to what was given, whatever came before', () => {
  const json = fc.dictionary(fc.string(), fc.jsonValue())
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom('a', 'b'), json)), (values) => {
      const share = new Interner()
      for (const [family, value] of values) {
        const copy = structuredClone(value)
        expect(share.value(structuredClone(value))).toEqual(copy)
        expect(share.like(family, 'part', value)).toEqual(copy)
      }
    }),
  )
})

test('equal values become one, in the family and beyond it', () => {
  const share = new Interner()
  const first = share.like('a', 'spec', { x: [1] })
  expect(share.like('a', 'spec', { x: [1] })).toBe(first)
  expect(share.like('b', 'spec', { x: [1] })).toBe(first)
  expect(share.value({ x: [1] })).toBe(first)
  expect(share.like('a', 'spec', { x: [2] })).toEqual({ x: [2] })
  expect(share.like('a', 'spec', { x: [1] })).toBe(first)
})

test('more values than are kept are still right', () => {
  const share = new Interner()
  for (let i = 0; i < 40_000; i++) expect(share.like(`family ${i}`, 'part', { i }).i).toBe(i)
  for (let i = 0; i < 70_000; i++) if (share.text(`text ${i}`) !== `text ${i}`) throw new Error(`text ${i}`)
})
