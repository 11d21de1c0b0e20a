import { describe, expect, it } from 'vitest'
import type { Subject } from '../conformance.ts'
import { bytes, eventsThrough, expectCode, keysOf, nextBatch, put, remove, revisionOf, summary, text } from './support.ts'

export function describeRestart(subject: Subject): void {
  describe('restart', () => {
    it('finds keys, versions, history and the cluster id again', async () => {
      const harness = subject()
      const { clusterId } = await harness.store.status()
      await put(harness.store, '/a', 'one')
      await put(harness.store, '/a', 'two')
      await harness.store.txn(
        [],
        [
          { type: 'put', key: '/ü/𝄞', value: bytes('three') },
          { type: 'delete', key: '/a' },
        ],
        [],
      )
      await harness.reopen()
      const { store } = harness
      expect(await store.status()).toMatchObject({ revision: 4n, compactRevision: 0n, keys: 1, clusterId })
      expect(text((await store.get('/a', 3n))?.value)).toBe('two')
      expect(await store.get('/ü/𝄞')).toMatchObject({ modRevision: 4n, version: 1 })
      const watch = store.watch('', { fromRevision: 1n })
      const expected = ['put /a=one@2', 'put /a=two@3 was one@2', 'put /ü/𝄞=three@4', 'delete /a=two@4 was two@3']
      expect((await eventsThrough(watch, 4n)).map(summary)).toEqual(expected)
      watch.close()
    })

    it('keeps the cluster id of a store that was never written to', async () => {
      const harness = subject()
      const { clusterId } = await harness.store.status()
      await harness.reopen()
      expect((await harness.store.status()).clusterId).toBe(clusterId)
      expect(clusterId).toMatch(/^[0-9a-f]{16}$/)
    })

    // etcd #17780: after compacting a trailing deletion, the revision of a restarted server was lower than before
    it('never goes back in revisions, also when the newest record was compacted', async () => {
      const harness = subject()
      await put(harness.store, '/a')
      await remove(harness.store, '/a')
      await harness.store.compact(3n)
      await harness.reopen()
      await harness.reopen()
      expect(await revisionOf(harness.store)).toBe(3n)
      expect((await put(harness.store, '/b')).revision).toBe(4n)
    })

    it('keeps what was compacted compacted, and finishes an interrupted compaction', async () => {
      const harness = subject()
      for (let i = 0; i < 2000; i++) void put(harness.store, `/k/${i % 10}`, String(i))
      await remove(harness.store, '/k/0')
      await put(harness.store, '/k/1', 'newest')
      // answered once it is certain to happen; the records go later
      await harness.store.compact(2002n)
      await harness.reopen()
      const { store } = harness
      expect(await store.status()).toMatchObject({ revision: 2003n, compactRevision: 2002n, keys: 9 })
      await expectCode(store.get('/k/1', 2001n), 'Compacted')
      await expectCode(nextBatch(store.watch('/', { fromRevision: 2002n })), 'Compacted')
      expect(text((await store.get('/k/1', 2002n))?.value)).toBe('1991')
      expect(text((await store.get('/k/1'))?.value)).toBe('newest')
      expect(await keysOf(store, '/', 2002n)).toHaveLength(9)
      const watch = store.watch('/', { fromRevision: 2003n })
      expect((await eventsThrough(watch, 2003n)).map(summary)).toEqual(['put /k/1=newest@2003 was 1991@1993'])
      watch.close()
      await store.compact(2003n)
      await harness.reopen()
      expect(text((await harness.store.get('/k/1'))?.value)).toBe('newest')
      expect(await keysOf(harness.store, '/')).toHaveLength(9)
    })

    it('commits what was called before close', async () => {
      const harness = subject()
      const writing = Array.from({ length: 100 }, (_, i) => put(harness.store, `/k/${i}`))
      const reopened = harness.reopen()
      await Promise.all(writing)
      await reopened
      expect(await harness.store.count('/k/')).toBe(100)
    })
  })
}
