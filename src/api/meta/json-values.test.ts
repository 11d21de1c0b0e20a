import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cloneJson } from './clone.ts'
import { deepEqual } from './equality.ts'
import { canonicalJson, fnv1a, podTemplateHash } from './hash.ts'
import { getPath, parsePath, PathError, setPath } from './path.ts'

const json = fc.letrec((tie) => ({
  node: fc.oneof(
    { maxDepth: 3 },
    fc.string({ maxLength: 3 }),
    fc.integer(),
    fc.bigInt(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('node'), { maxLength: 3 }),
    fc.dictionary(fc.oneof(fc.constant('__proto__'), fc.string({ maxLength: 2 })), tie('node'), { maxKeys: 3 }),
  ),
})).node

/** The same value with the keys of every object the other way round. */
function reversed(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(reversed)
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, item]) => [key, reversed(item)]),
  )
}

describe('cloneJson', () => {
  test('is equal and shares nothing', () => {
    const containers = (value: unknown): object[] =>
      typeof value === 'object' && value !== null ? [value, ...Object.values(value).flatMap(containers)] : []
    fc.assert(
      fc.property(json, (value) => {
        const copy = cloneJson(value)
        expect(deepEqual(copy, value)).toBe(true)
        const theirs = new Set(containers(value))
        expect(containers(copy).some((part) => theirs.has(part))).toBe(false)
      }),
    )
  })

  test('keeps an own __proto__ as a property', () => {
    const copy = cloneJson(JSON.parse('{"__proto__":{"polluted":1}}') as object)
    expect(JSON.stringify(copy)).toBe('{"__proto__":{"polluted":1}}')
    expect(Object.getPrototypeOf(copy)).toBe(Object.prototype)
  })
})

describe('deepEqual', () => {
  test('agrees with the canonical text', () => {
    fc.assert(
      fc.property(json, json, (a, b) => {
        expect(deepEqual(a, reversed(cloneJson(a)))).toBe(true)
        // 1 and 1n have the same text but are not the same value
        if (canonicalJson(a) !== canonicalJson(b)) expect(deepEqual(a, b)).toBe(false)
      }),
    )
  })

  test.each<[unknown, unknown, boolean]>([
    [{ a: undefined }, {}, true],
    [{}, { a: undefined }, true],
    [{ a: undefined, b: 1 }, { b: 1, c: undefined }, true],
    [{ a: undefined }, { a: null }, false],
    [{ a: 1 }, { b: 1 }, false],
    [{ a: 1 }, { a: 1, b: 2 }, false],
    [{ a: 1, b: 2 }, { a: 1 }, false],
    [{}, [], false],
    [[], {}, false],
    [[1], [1, 2], false],
    [null, {}, false],
    [{ toString: 1 }, {}, false],
    [{}, { toString: 1 }, false],
    [{ n: 1 }, { n: '1' }, false],
    ['1', 1, false],
    [0, -0, true],
  ])('%j and %j', (a, b, expected) => {
    expect(deepEqual(a, b)).toBe(expected)
  })
})

describe('pod template hash', () => {
  test('does not depend on the order of keys or on undefined fields', () => {
    const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'a', image: 'b', command: undefined }] } }
    expect(podTemplateHash(reversed(template))).toBe(podTemplateHash(template))
    expect(podTemplateHash({ spec: { containers: [{ image: 'b', name: 'a' }] }, metadata: { labels: { app: 'web' } } })).toBe(
      podTemplateHash(template),
    )
    expect(podTemplateHash(template)).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]{1,10}$/)
  })

  test('changes with the template and with the collision count', () => {
    const hashes = [podTemplateHash({ a: 1 }), podTemplateHash({ a: 2 }), podTemplateHash({ a: 1 }, 0), podTemplateHash({ a: 1 }, 1)]
    expect(new Set(hashes).size).toBe(4)
  })

  test('FNV-1a gives the published values', () => {
    expect([fnv1a(''), fnv1a('a'), fnv1a('foobar')]).toEqual([0x811c9dc5, 0xe40c292c, 0xbf9cf968])
  })
})

describe('paths', () => {
  test.each<[string, readonly (string | number)[]]>([
    ['.spec.replicas', ['spec', 'replicas']],
    ['spec.replicas', ['spec', 'replicas']],
    ['.spec.containers[0].name', ['spec', 'containers', 0, 'name']],
    [".metadata.annotations['a.b/c']", ['metadata', 'annotations', 'a.b/c']],
    ['.metadata.labels["x"]', ['metadata', 'labels', 'x']],
  ])('%s', (path, steps) => {
    expect(parsePath(path)).toEqual(steps)
  })

  test.each(['', '.', '.a..b', '.a[*]', '.a[?(@.b)]', '$.a[', ".a['b", '.a b'])('%j is refused', (path) => {
    expect(() => parsePath(path)).toThrow(PathError)
  })

  test('what is set is got, and missing objects are made', () => {
    const object = { spec: { list: [{ a: 1 }] } }
    setPath(object, '.status.replicas', 3)
    setPath(object, '.spec.list[0].a', 2)
    expect(object).toEqual({ spec: { list: [{ a: 2 }] }, status: { replicas: 3 } })
    expect(getPath(object, '.status.replicas')).toBe(3)
    setPath(object, '.status.replicas', undefined)
    expect(object).toEqual({ spec: { list: [{ a: 2 }] }, status: {} })
    expect(() => setPath(object, '.spec.list[0].a.b', 1)).toThrow('a is not an object')
  })

  test('prototypes are neither read nor written', () => {
    expect(getPath({}, '.constructor.name')).toBeUndefined()
    expect(getPath({ a: null }, '.a.b')).toBeUndefined()
    const object = {}
    setPath(object, '.__proto__.polluted', 1)
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
    expect(getPath(object, '.__proto__.polluted')).toBe(1)
  })
})
