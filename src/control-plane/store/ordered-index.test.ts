import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OrderedIndex, prefixEnd } from './ordered-index.ts'
import { KeyEntry, Version } from './version.ts'

function makeLive(entry: KeyEntry): KeyEntry {
  entry.newest = new Version(entry, { modRevision: 2, index: 0, createRevision: 2, version: 1, leaseId: 0 })
  return entry
}

const makeEntry = (key: string): KeyEntry => makeLive(new KeyEntry(key))

function keysFrom(index: OrderedIndex, from: string): string[] {
  const keys: string[] = []
  index.scan(from, (entry) => keys.push(entry.key) > 0)
  return keys
}

// few letters, so that thousands of keys fill and empty chunks
const key = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '/'), minLength: 1, maxLength: 7 })
const change = fc.record({ key, add: fc.boolean() })

describe('OrderedIndex', () => {
  it('agrees with a sorted array whatever is put in and taken out', () => {
    const property = fc.property(fc.array(change, { minLength: 1000, maxLength: 4000, size: 'max' }), key, key, (changes, from, end) => {
      const index = new OrderedIndex()
      const entries = new Map<string, KeyEntry>()
      for (const { key, add } of changes) {
        const entry = entries.get(key)
        if (add && !entry) {
          const added = new KeyEntry(key)
          index.insert(added)
          makeLive(added)
          index.noteLive(key, 1, 2)
          entries.set(key, added)
        } else if (!add && entry) {
          index.noteLive(key, -1, 3)
          index.remove(entry)
          entries.delete(key)
        }
      }
      const sorted = [...entries.keys()].sort()
      expect(keysFrom(index, '')).toEqual(sorted)
      expect(keysFrom(index, from)).toEqual(sorted.filter((key) => key >= from))
      expect(index.count(from, end, 4)).toBe(sorted.filter((key) => key >= from && key < end).length)
      expect(index.count(from, undefined, 4)).toBe(sorted.filter((key) => key >= from).length)
      expect(index.liveKeys).toBe(sorted.length)
    })
    // shrinking thousands of changes takes minutes and helps nobody
    fc.assert(property, { numRuns: 30, endOnFailure: true })
  })

  it('is the same loaded at once or key by key', () => {
    const keys = Array.from({ length: 5000 }, (_, i) => `/k/${String(i).padStart(5, '0')}`)
    const index = new OrderedIndex()
    index.bulkLoad(keys.map(makeEntry), 2)
    expect(keysFrom(index, '')).toEqual(keys)
    expect(index.count('/k/00100', '/k/04900', 2)).toBe(4800)
    expect(index.liveKeys).toBe(5000)
  })

  it('shrinks back to nothing', () => {
    const index = new OrderedIndex()
    const entries = Array.from({ length: 3000 }, (_, i) => makeEntry(`/k/${i}`))
    for (const entry of entries) index.insert(entry)
    for (const entry of entries) index.remove(entry)
    for (const entry of entries) index.remove(entry)
    expect(keysFrom(index, '')).toEqual([])
    index.insert(entries[7] as KeyEntry)
    expect(keysFrom(index, '')).toEqual(['/k/7'])
  })
})

describe('prefixEnd', () => {
  it.each([
    ['/a/', '/a0'],
    ['a\uffff', 'b'],
    ['\uffff', undefined],
    ['', undefined],
  ])('of %j is %j', (prefix, end) => {
    expect(prefixEnd(prefix)).toBe(end)
  })
})
