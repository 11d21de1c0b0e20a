import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { applyMergePatch, createMergePatch } from './merge-patch.ts'

describe('merge patch', () => {
  // RFC 7386, appendix A
  test.each([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('%j with %j', (target, patch, expected) => {
    const before = structuredClone({ target, patch })
    expect(applyMergePatch(target, patch)).toEqual(expected)
    expect({ target, patch }).toEqual(before)
  })

  test('the answer shares nothing with its arguments', () => {
    const target = { keep: { list: [1] } }
    const patch = { add: { list: [1] } }
    const result = applyMergePatch(target, patch) as typeof target & typeof patch
    result.keep.list.push(2)
    result.add.list.push(2)
    expect([target, patch]).toEqual([{ keep: { list: [1] } }, { add: { list: [1] } }])
  })

  test('bad input case 4: __proto__ in a patch is an ordinary property', () => {
    const patch = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}') as unknown
    const result = applyMergePatch({}, patch) as Record<string, unknown>
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype)
    expect(JSON.stringify(result)).toBe(JSON.stringify(patch))
  })

  test('what is created turns the one into the other', () => {
    // a merge patch cannot say null
    const tree = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 3 },
        fc.integer({ min: 0, max: 3 }),
        fc.array(fc.integer(), { maxLength: 2 }),
        fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__'), tie('node')),
      ),
    })).node
    fc.assert(
      fc.property(tree, tree, (from, to) => {
        const patch = createMergePatch(from, to)
        if (patch === undefined) expect(JSON.stringify(from, sorted)).toBe(JSON.stringify(to, sorted))
        else expect(JSON.stringify(applyMergePatch(from, patch), sorted)).toBe(JSON.stringify(to, sorted))
      }),
    )
  })
})

function sorted(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
}
