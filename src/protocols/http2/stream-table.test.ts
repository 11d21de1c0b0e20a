import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Http2Stream } from './stream.ts'
import { StreamTable } from './stream-table.ts'

const stream = (id: number): Http2Stream => ({ id }) as Http2Stream

describe('StreamTable', () => {
  it('agrees with a Map under any order of opening and closing', () => {
    // few identifiers, near each other and a table's size apart: many collisions
    const id = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(33, 65, 97, 129, 2 ** 31 - 1))
    fc.assert(
      fc.property(fc.array(fc.record({ id, opens: fc.boolean() }), { maxLength: 200 }), (steps) => {
        const table = new StreamTable()
        const map = new Map<number, Http2Stream>()
        for (const { id, opens } of steps) {
          if (opens) {
            const one = stream(id)
            table.set(id, one)
            map.set(id, one)
          } else {
            table.delete(id)
            map.delete(id)
          }
          expect(table.size).toBe(map.size)
          for (let key = 1; key <= 130; key++) expect(table.get(key)).toBe(map.get(key))
        }
        expect(new Set(table.values())).toEqual(new Set(map.values()))
      }),
      { numRuns: 100 },
    )
  })
})
