import { describe, expect, it } from 'vitest'
import type { Subject } from '../conformance.ts'
import { eventsThrough, expectCode, nextBatch, put, remove, revisionOf, summary } from './support.ts'

export function describeWatches(subject: Subject): void {
  describe('watches', () => {
    it('tell what happens after they began, with the value before', async () => {
      const { store } = subject()
      await put(store, '/w/a', 'zero')
      const watch = store.watch('/w/')
      await put(store, '/w/a', 'one')
      await put(store, '/other')
      await put(store, '/w/b', 'two')
      await remove(store, '/w/a')
      const events = await eventsThrough(watch, 6n)
      expect(events.map(summary)).toEqual(['put /w/a=one@3 was zero@2', 'put /w/b=two@5', 'delete /w/a=one@6 was one@3'])
      watch.close()
    })

    it('replay from any revision, then go on', async () => {
      const { store } = subject()
      for (let i = 0; i < 5; i++) await put(store, `/w/${i}`, String(i))
      const watch = store.watch('/w/', { fromRevision: 4n })
      expect((await eventsThrough(watch, 6n)).map(summary)).toEqual(['put /w/2=2@4', 'put /w/3=3@5', 'put /w/4=4@6'])
      await put(store, '/w/5', '5')
      expect((await eventsThrough(watch, 7n)).map(summary)).toEqual(['put /w/5=5@7'])
      watch.close()
    })

    it('wait for a revision that has not happened', async () => {
      const { store } = subject()
      const watch = store.watch('/w/', { fromRevision: 4n })
      await put(store, '/w/a')
      await put(store, '/w/b')
      await put(store, '/w/c')
      expect((await eventsThrough(watch, 4n)).map((event) => event.key)).toEqual(['/w/c'])
      watch.close()
    })

    it('never split a revision over two batches, live or replayed', async () => {
      const { store } = subject()
      const live = store.watch('/w/')
      // a page of a replay has 1000 events: 70 does not divide it
      for (let round = 0; round < 43; round++) {
        const ops = Array.from({ length: 70 }, (_, i) => ({ type: 'put' as const, key: `/w/${i}`, value: new Uint8Array(1) }))
        await store.txn([], ops, [])
      }
      for (const watch of [live, store.watch('/w/', { fromRevision: 1n })]) {
        let last = 0n
        let seen = 0
        while (last < 44n) {
          const batch = await nextBatch(watch)
          const first = batch.events[0]?.kv.modRevision ?? 0n
          expect(first).toBeGreaterThan(last)
          expect(batch.events.length % 70).toBe(0)
          last = batch.revision
          seen += batch.events.length
        }
        expect(seen).toBe(3010)
        watch.close()
      }
    })

    it.each(['', '/', '/w', '/w/', '/w/pod', '/w/pod-1', '/w/pod-1/'])('match by prefix: %j', async (prefix) => {
      const { store } = subject()
      const watch = store.watch(prefix)
      const keys = ['/w', '/w/pod', '/w/pod-1', '/w/pod-1/x', '/w/pod-1/', '/w/pod-2', '/x', 'w']
      for (const key of keys) await put(store, key)
      await put(store, `${prefix}last`)
      const events = await eventsThrough(watch, 10n)
      expect(events.map((event) => event.key)).toEqual([...keys, `${prefix}last`].filter((key) => key.startsWith(prefix)))
      watch.close()
    })

    it('reach 200 watchers of one prefix with the same events', async () => {
      const { store } = subject()
      const watches = Array.from({ length: 200 }, () => store.watch('/w/'))
      for (let i = 0; i < 10; i++) await put(store, `/w/${i}`)
      for (const watch of watches) {
        expect(await eventsThrough(watch, 11n)).toHaveLength(10)
        watch.close()
      }
    })

    it('tell the revision on request though nothing happened', async () => {
      const { store } = subject()
      const watch = store.watch('/w/')
      await put(store, '/other')
      watch.requestProgress()
      expect(await nextBatch(watch)).toEqual({ revision: 2n, events: [] })
      watch.close()
    })

    // etcd #15220: a progress notice overtook events that were still on their way
    it('tell progress only after every event up to it', async () => {
      const { store } = subject()
      for (let i = 0; i < 3000; i++) void put(store, `/w/${i}`)
      await put(store, '/other')
      const watch = store.watch('/w/', { fromRevision: 1n })
      watch.requestProgress()
      let seen = 0
      for (;;) {
        const batch = await nextBatch(watch)
        seen += batch.events.length
        watch.requestProgress()
        if (batch.revision === 3002n) break
        expect(batch.revision).toBe(BigInt(seen + 1))
      }
      expect(seen).toBe(3000)
      watch.close()
    })

    it('hold at most one progress notice for a reader who asks and does not read', async () => {
      const { store } = subject()
      const watch = store.watch('/w/')
      for (let i = 0; i < 1000; i++) watch.requestProgress()
      await put(store, '/w/a')
      expect((await nextBatch(watch)).events).toHaveLength(1)
      for (let i = 0; i < 1000; i++) watch.requestProgress()
      expect(await nextBatch(watch)).toEqual({ revision: 2n, events: [] })
      const waiting = nextBatch(watch)
      await put(store, '/w/b')
      expect((await waiting).events).toHaveLength(1)
      watch.close()
    })

    it('fail with SlowWatcher when the reader falls too far behind, and leave no gap before that', async () => {
      const { store } = subject()
      const watch = store.watch('/w/', { maxQueued: 10 })
      for (let i = 0; i < 10; i++) await put(store, `/w/${i}`)
      expect((await nextBatch(watch)).events[0]?.key).toBe('/w/0')
      await put(store, '/w/10')
      await put(store, '/w/11')
      await expectCode(nextBatch(watch), 'SlowWatcher')
      await expect(nextBatch(watch)).rejects.toThrow('ended')
    })

    it('deliver a replay of any length to a slow reader', async () => {
      const { store } = subject()
      for (let i = 0; i < 2500; i++) void put(store, `/w/${i}`)
      await put(store, '/w/last')
      const watch = store.watch('/w/', { fromRevision: 1n, maxQueued: 1 })
      expect((await nextBatch(watch)).events.length).toBeGreaterThan(1)
      expect(await eventsThrough(watch, 2502n)).not.toHaveLength(0)
      watch.close()
    })

    it('end when closed, when aborted, and at once when aborted before', async () => {
      const { store } = subject()
      const controller = new AbortController()
      const closed = store.watch('/')
      const aborted = store.watch('/', { signal: controller.signal })
      const waiting = [closed, aborted].map((watch) => watch[Symbol.asyncIterator]().next())
      closed.close()
      controller.abort()
      expect(await Promise.all(waiting)).toEqual([
        { done: true, value: undefined },
        { done: true, value: undefined },
      ])
      const late = store.watch('/', { fromRevision: 1n, signal: AbortSignal.abort() })
      for await (const _ of late) throw new Error('an aborted watch gave a batch')
      await put(store, '/a')
    })

    it('stop when the reader breaks out of its loop', async () => {
      const { store } = subject()
      const watch = store.watch('/')
      await put(store, '/a')
      for await (const batch of watch) if (batch.events.length > 0) break
      await put(store, '/b')
      expect((await watch[Symbol.asyncIterator]().next()).done).toBe(true)
    })

    it('fail with Closed when the store closes', async () => {
      const { store } = subject()
      const waiting = nextBatch(store.watch('/'))
      const outcome = expectCode(waiting, 'Closed')
      await store.close()
      await outcome
    })

    it('refuse a revision below 1', async () => {
      expect(() => subject().store.watch('/', { fromRevision: 0n })).toThrow(expect.objectContaining({ code: 'InvalidArgument' }))
    })

    // etcd #17529: a starved watcher lost events
    it('lose nothing to readers that start and stop under load', async () => {
      const { store } = subject()
      const writers = Array.from({ length: 8 }, async (_, w) => {
        for (let i = 0; i < 50; i++) await put(store, `/w/${w}`, String(i))
      })
      const readers = Array.from({ length: 8 }, async () => {
        const revisions: bigint[] = []
        let from = 1n
        while (from <= 401n) {
          const watch = store.watch('/w/', { fromRevision: from })
          for (let i = 0; i < 3 && from <= 401n; i++) {
            const batch = await nextBatch(watch)
            revisions.push(...batch.events.map((event) => event.kv.modRevision))
            from = batch.revision + 1n
          }
          watch.close()
        }
        return revisions
      })
      await Promise.all(writers)
      expect(await revisionOf(store)).toBe(401n)
      const expected = Array.from({ length: 400 }, (_, i) => BigInt(i + 2))
      for (const revisions of await Promise.all(readers)) expect(revisions).toEqual(expected)
    })
  })
}
