import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isStatus, messageOf, type StatusReason } from '../../base/errors.ts'
import { applyJsonPatch } from './json-patch.ts'

function refusal(document: unknown, patch: unknown): { reason: StatusReason; message: string } {
  try {
    applyJsonPatch(document, patch)
  } catch (error) {
    if (isStatus(error)) return { reason: error.reason, message: messageOf(error) }
    throw error
  }
  throw new Error('was accepted')
}

describe('json patch', () => {
  // from RFC 6902, appendix A, and what kubectl users send
  test.each([
    ['add a member', { foo: 'bar' }, [{ op: 'add', path: '/baz', value: 'qux' }], { baz: 'qux', foo: 'bar' }],
    ['add an element', { foo: ['bar', 'baz'] }, [{ op: 'add', path: '/foo/1', value: 'qux' }], { foo: ['bar', 'qux', 'baz'] }],
    ['append', { foo: ['bar'] }, [{ op: 'add', path: '/foo/-', value: ['abc'] }], { foo: ['bar', ['abc']] }],
    ['add at the end by index', { foo: ['bar'] }, [{ op: 'add', path: '/foo/1', value: 1 }], { foo: ['bar', 1] }],
    ['remove a member', { baz: 'qux', foo: 'bar' }, [{ op: 'remove', path: '/baz' }], { foo: 'bar' }],
    ['remove an element', { foo: ['bar', 'qux', 'baz'] }, [{ op: 'remove', path: '/foo/1' }], { foo: ['bar', 'baz'] }],
    ['replace', { baz: 'qux' }, [{ op: 'replace', path: '/baz', value: null }], { baz: null }],
    ['replace an element', { a: [1, 2] }, [{ op: 'replace', path: '/a/1', value: 3 }], { a: [1, 3] }],
    [
      'move a member',
      { foo: { bar: 1 }, qux: { corge: 2 } },
      [{ op: 'move', from: '/foo/bar', path: '/qux/thud' }],
      { foo: {}, qux: { corge: 2, thud: 1 } },
    ],
    ['move an element', { foo: [1, 2, 3, 4] }, [{ op: 'move', from: '/foo/1', path: '/foo/3' }], { foo: [1, 3, 4, 2] }],
    ['move onto itself', { a: 1 }, [{ op: 'move', from: '/a', path: '/a' }], { a: 1 }],
    ['copy', { a: { b: 1 } }, [{ op: 'copy', from: '/a', path: '/c' }], { a: { b: 1 }, c: { b: 1 } }],
    [
      'test',
      { baz: 'qux', foo: ['a', 2] },
      [
        { op: 'test', path: '/baz', value: 'qux' },
        { op: 'test', path: '/foo/1', value: 2 },
      ],
      { baz: 'qux', foo: ['a', 2] },
    ],
    ['test a missing member against null', {}, [{ op: 'test', path: '/a', value: null }], {}],
    [
      'escapes',
      { 'a/b': 1, 'm~n': 2 },
      [
        { op: 'remove', path: '/a~1b' },
        { op: 'replace', path: '/m~0n', value: 3 },
      ],
      { 'm~n': 3 },
    ],
    ['~01 is ~1', { '~1': 9 }, [{ op: 'test', path: '/~01', value: 9 }], { '~1': 9 }],
    ['an empty key', { '': 1 }, [{ op: 'replace', path: '/', value: 2 }], { '': 2 }],
    ['the whole document', { a: 1 }, [{ op: 'replace', path: '', value: { b: 2 } }], { b: 2 }],
    ['nothing', { a: 1 }, [], { a: 1 }],
  ])('%s', (_, document, patch, expected) => {
    const before = structuredClone({ document, patch })
    expect(applyJsonPatch<unknown>(document, patch)).toEqual(expected)
    expect({ document, patch }).toEqual(before)
  })

  test.each([
    ['not a list', {}, { op: 'add' }, 'BadRequest', /a JSON patch is a list/],
    ['unknown operation', {}, [{ op: 'spam', path: '/a' }], 'BadRequest', /operation 0: unexpected kind "spam"/],
    ['no path', {}, [{ op: 'remove' }], 'BadRequest', /path is missing/],
    ['no value', {}, [{ op: 'add', path: '/a' }], 'BadRequest', /add needs a value/],
    ['no from', {}, [{ op: 'move', path: '/a' }], 'BadRequest', /move needs from/],
    ['not an object', {}, [null], 'BadRequest', /not an object/],
    ['failed test', { a: 1 }, [{ op: 'test', path: '/a', value: '1' }], 'Invalid', /testing value \/a failed/],
    ['missing parent', {}, [{ op: 'add', path: '/a/b', value: 1 }], 'Invalid', /add operation does not apply: doc is missing path: \/a\/b/],
    ['remove a missing member', {}, [{ op: 'remove', path: '/a' }], 'Invalid', /remove operation does not apply: doc is missing path: \/a/],
    ['replace a missing member', {}, [{ op: 'replace', path: '/a', value: 1 }], 'Invalid', /doc is missing key: \/a/],
    ['index beyond the end', { a: [] }, [{ op: 'add', path: '/a/1', value: 1 }], 'Invalid', /invalid index: 1/],
    ['leading zero', { a: [1, 2] }, [{ op: 'remove', path: '/a/01' }], 'Invalid', /invalid index/],
    ['negative index', { a: [1] }, [{ op: 'remove', path: '/a/-1' }], 'Invalid', /invalid index/],
    ['replace behind the end', { a: [1] }, [{ op: 'replace', path: '/a/-', value: 1 }], 'Invalid', /invalid index/],
    ['path without slash', { a: 1 }, [{ op: 'remove', path: 'a' }], 'Invalid', /missing path/],
    ['into itself', { a: {} }, [{ op: 'move', from: '/a', path: '/a/b' }], 'Invalid', /into itself/],
    ['remove the document', {}, [{ op: 'remove', path: '' }], 'Invalid', /whole document/],
    ['inherited member', {}, [{ op: 'replace', path: '/constructor', value: 1 }], 'Invalid', /missing key/],
    ['through a string', { a: 'x' }, [{ op: 'add', path: '/a/length', value: 1 }], 'Invalid', /missing path/],
  ])('%s is refused', (_, document, patch, reason, message) => {
    const found = refusal(document, patch)
    expect(found.reason).toBe(reason)
    expect(found.message).toMatch(message)
  })

  test('the answer shares nothing with the document or the patch', () => {
    const value = { deep: [1] }
    const document = { a: { b: [1] }, v: undefined as unknown }
    const result = applyJsonPatch(document, [
      { op: 'add', path: '/v', value },
      { op: 'copy', from: '/v', path: '/w' },
    ]) as never as { a: { b: number[] }; v: typeof value; w: typeof value }
    result.a.b.push(2)
    result.v.deep.push(2)
    expect(document.a.b).toEqual([1])
    expect(value.deep).toEqual([1])
    expect(result.w.deep).toEqual([1])
  })

  test('adding and then removing is no change', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string(), fc.jsonValue(), (document, key, value) => {
        fc.pre(!Object.hasOwn(document, key))
        const path = `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
        const result = applyJsonPatch(document, [
          { op: 'add', path, value },
          { op: 'test', path, value },
          { op: 'remove', path },
        ])
        expect(result).toEqual(document)
      }),
    )
  })
})

describe('bad input case 4: json patch and prototypes', () => {
  test('a path to __proto__ touches an own property only', () => {
    const result = applyJsonPatch<Record<string, unknown>>({}, [{ op: 'add', path: '/__proto__', value: { x: 1 } }])
    expect(Object.hasOwn(result, '__proto__')).toBe(true)
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype)
    expect(refusal({}, [{ op: 'add', path: '/__proto__/x', value: 1 }]).reason).toBe('Invalid')
    expect(refusal({}, [{ op: 'add', path: '/constructor/prototype/x', value: 1 }]).reason).toBe('Invalid')
    expect(({} as { x?: unknown }).x).toBeUndefined()
  })
})

describe('bad input case 6: large json patches', () => {
  test('10,001 operations are refused, 10,000 take less than a second', () => {
    const add = Array.from({ length: 10_001 }, () => ({ op: 'add', path: '/a/0', value: 1 }))
    expect(refusal({ a: [] }, add).reason).toBe('RequestEntityTooLarge')
    const start = performance.now()
    applyJsonPatch({ a: [] }, add.slice(1))
    expect(performance.now() - start).toBeLessThan(1000)
  })

  test('copies that double are stopped by their size', () => {
    const start = performance.now()
    const double = Array.from({ length: 1000 }, () => ({ op: 'copy', from: '/a', path: '/a/-' }))
    const found = refusal({ a: ['x'.repeat(100)] }, double)
    expect(found.reason).toBe('Invalid')
    expect(found.message).toMatch(/accumulated size increase of copy/)
    expect(performance.now() - start).toBeLessThan(1000)
  })

  test('moves that nest ever deeper are refused', () => {
    const patch = Array.from({ length: 4900 }, (_, i) => [
      { op: 'add', path: `/k${i + 1}`, value: {} },
      { op: 'move', from: `/k${i}`, path: `/k${i + 1}/k` },
    ]).flat()
    expect(refusal({ k0: {} }, patch)).toMatchObject({ reason: 'Invalid' })
  })
})
