import { describe, expect, it } from 'vitest'
import type { Subject } from '../conformance.ts'
import { eventsThrough, expectCode, keysOf, nextBatch, put, remove, summary, text } from './support.ts'

export function describeCompaction(subject: Subject): void {
  describe('compaction', () => {
    it('forgets what is older, keeps what is live and the state at the revision itself', async () => {
      const { store } = subject()
      await put(store, '/a', 'one')
      await put(store, '/a', 'two')
      await put(store, '/b', 'bee')
      await put(store, '/a', 'three')
      await store.compact(4n)
      expect((await store.status()).compactRevision).toBe(4n)
      await expectCode(store.get('/a', 3n), 'Compacted')
      await expectCode(store.list('/', { revision: 3n }), 'Compacted')
      expect(text((await store.get('/a', 4n))?.value)).toBe('two')
      expect(text((await store.get('/a'))?.value)).toBe('three')
      expect(await keysOf(store, '/', 4n)).toEqual(['/a', '/b'])
    })

    it('refuses the future, and what has been compacted already', async () => {
      const { store } = subject()
      await put(store, '/a')
      await put(store, '/a')
      await expectCode(store.compact(4n), 'FutureRevision')
      await expectCode(store.compact(0n), 'InvalidArgument')
      await store.compact(2n)
      await expectCode(store.compact(2n), 'Compacted')
      await expectCode(store.compact(1n), 'Compacted')
      await store.compact(3n)
    })

    it('fails watches from what is gone, and only those', async () => {
      const { store } = subject()
      for (let i = 0; i < 5; i++) await put(store, '/a', String(i))
      const early = store.watch('/', { fromRevision: 3n })
      await store.compact(4n)
      await expectCode(nextBatch(early), 'Compacted')
      await expectCode(nextBatch(store.watch('/', { fromRevision: 4n })), 'Compacted')
      const watch = store.watch('/', { fromRevision: 5n })
      expect((await eventsThrough(watch, 6n)).map(summary)).toEqual(['put /a=3@5 was 2@4', 'put /a=4@6 was 3@5'])
      watch.close()
    })

    it('fails a replay that it overtakes, without a gap before', async () => {
      const { store } = subject()
      for (let i = 0; i < 2500; i++) void put(store, `/w/${i}`)
      await put(store, '/w/last')
      const watch = store.watch('/w/', { fromRevision: 1n })
      const first = await nextBatch(watch)
      expect(first.events).toHaveLength(Number(first.revision) - 1)
      await store.compact(2400n)
      await expectCode(nextBatch(watch), 'Compacted')
    })

    // etcd #18089, #19179: the delete event next to the compaction was dropped
    it('keeps every event above it, deletions with their last value included', async () => {
      const { store } = subject()
      await put(store, '/a', 'one')
      await put(store, '/b', 'bee')
      await remove(store, '/a')
      await remove(store, '/b')
      await put(store, '/c', 'see')
      await store.compact(3n)
      const watch = store.watch('/', { fromRevision: 4n })
      const expected = ['delete /a=one@4 was one@2', 'delete /b=bee@5 was bee@3', 'put /c=see@6']
      expect((await eventsThrough(watch, 6n)).map(summary)).toEqual(expected)
      watch.close()
    })

    it('takes out deleted keys, which may come back', async () => {
      const { store } = subject()
      await put(store, '/a', 'one')
      await remove(store, '/a')
      await put(store, '/b')
      await store.compact(4n)
      expect(await keysOf(store, '/')).toEqual(['/b'])
      expect(await put(store, '/a', 'two')).toMatchObject({ revision: 5n })
      expect(await store.get('/a')).toMatchObject({ createRevision: 5n, version: 1 })
      const watch = store.watch('/a', { fromRevision: 5n })
      expect((await eventsThrough(watch, 5n)).map(summary)).toEqual(['put /a=two@5'])
      watch.close()
    })

    it('runs between writes that go on', async () => {
      const { store } = subject()
      for (let i = 0; i < 3000; i++) void put(store, `/k/${i % 100}`, String(i))
      await put(store, '/k/last')
      const compacting = store.compact(3000n)
      const writing = Array.from({ length: 300 }, (_, i) => put(store, `/k/${i % 100}`, `again ${i}`))
      await Promise.all([compacting, ...writing])
      expect(text((await store.get('/k/0', 3002n))?.value)).toBe('2900')
      expect(text((await store.get('/k/99'))?.value)).toBe('again 299')
      expect(await store.count('/k/')).toBe(101)
    })
  })
}
