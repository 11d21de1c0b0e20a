import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { KubeObject } from '../api/meta/object.ts'
import { IndexedCache } from './indexed-cache.ts'

type Tagged = KubeObject & { tags: string[] }

const objects = fc.record({
  name: fc.constantFrom('a', 'b', 'c', 'd'),
  namespace: fc.constantFrom('', 'x', 'y'),
  tags: fc.uniqueArray(fc.constantFrom('red', 'green', 'blue')),
})
const operations = fc.array(fc.record({ object: objects, remove: fc.boolean() }), { maxLength: 40 })

test('agrees with a plain map under any changes', () => {
  fc.assert(
    fc.property(operations, (list) => {
      const cache = new IndexedCache<Tagged>()
      cache.addIndex('tag', (object) => object.tags)
      const model = new Map<string, Tagged>()
      for (const { object, remove } of list) {
        const { name, namespace, tags } = object
        const key = namespace ? `${namespace}/${name}` : name
        const value: Tagged = { metadata: { name, ...(namespace ? { namespace } : {}) }, tags }
        if (remove) {
          expect(cache.delete(key)).toBe(model.get(key))
          model.delete(key)
        } else {
          expect(cache.set(value)).toBe(model.get(key))
          model.set(key, value)
        }
      }
      const names = (found: Iterable<Tagged>): string[] => [...found].map((one) => `${one.metadata.namespace}/${one.metadata.name}`).sort()
      const all = [...model.values()]
      expect(cache.size).toBe(model.size)
      expect(names(cache.list())).toEqual(names(all))
      for (const namespace of ['x', 'y', 'z']) {
        expect(names(cache.list(namespace))).toEqual(names(all.filter((one) => one.metadata.namespace === namespace)))
      }
      for (const tag of ['red', 'green', 'blue', 'none']) {
        expect(names(cache.byIndex('tag', tag))).toEqual(names(all.filter((one) => one.tags.includes(tag))))
      }
    }),
  )
})

test('what list returned stays as it was', () => {
  const cache = new IndexedCache<KubeObject>()
  cache.set({ metadata: { name: 'a' } })
  const before = cache.list()
  expect(cache.list()).toBe(before)
  cache.set({ metadata: { name: 'b' } })
  expect(before.length).toBe(1)
  expect(cache.list().length).toBe(2)
})

test('an index cannot change its function, and one that is not there says so', () => {
  const cache = new IndexedCache<KubeObject>()
  const fn = (): string[] => []
  cache.addIndex('i', fn)
  cache.addIndex('i', fn)
  expect(() => cache.addIndex('i', () => [])).toThrow(expect.objectContaining({ code: 'IndexExists' }))
  expect(() => cache.byIndex('j', '')).toThrow(expect.objectContaining({ code: 'UnknownIndex' }))
})
