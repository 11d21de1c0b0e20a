import { describe, expect, it } from 'vitest'
import type { Subject } from '../conformance.ts'
import { eventsThrough, expectCode, keysOf, nextBatch, put, remove, revisionOf } from './support.ts'

export function describeLeases(subject: Subject): void {
  describe('leases', () => {
    it('delete their keys in one revision when their time is over', async () => {
      const { store, clock } = subject()
      const lease = await store.leases.grant(10)
      await put(store, '/a', 'x', lease)
      await put(store, '/b', 'x', lease)
      await put(store, '/c', 'x')
      expect((await store.get('/a'))?.leaseId).toBe(lease)
      const watch = store.watch('/')
      await clock.advance(9_900)
      expect(await keysOf(store, '/')).toEqual(['/a', '/b', '/c'])
      await clock.advance(200)
      const { events, revision } = await nextBatch(watch)
      expect(revision).toBe(5n)
      expect(events.map((event) => `${event.type} ${event.key}@${event.kv.modRevision}`)).toEqual(['delete /a@5', 'delete /b@5'])
      await expectCode(put(store, '/d', 'x', lease), 'LeaseNotFound')
      await expectCode(store.leases.keepAlive(lease), 'LeaseNotFound')
      watch.close()
    })

    it('live on with keepAlive', async () => {
      const { store, clock } = subject()
      const lease = await store.leases.grant(10)
      await put(store, '/a', 'x', lease)
      for (let i = 0; i < 5; i++) {
        await clock.advance(8_000)
        await store.leases.keepAlive(lease)
      }
      expect(await keysOf(store, '/')).toEqual(['/a'])
    })

    it('let go of a key that is written without them or with another, or deleted', async () => {
      const { store } = subject()
      const [first, second] = [await store.leases.grant(10), await store.leases.grant(60)]
      for (const key of ['/a', '/b', '/c', '/d']) await put(store, key, 'x', first)
      await put(store, '/a', 'x')
      await put(store, '/b', 'x', second)
      await remove(store, '/c')
      await store.leases.revoke(first)
      expect(await keysOf(store, '/')).toEqual(['/a', '/b'])
      await store.leases.revoke(second)
      expect(await keysOf(store, '/')).toEqual(['/a'])
    })

    it('are revoked with the writes that wait', async () => {
      const { store } = subject()
      const lease = await store.leases.grant(10)
      const writing = put(store, '/a', 'x', lease)
      const revoking = store.leases.revoke(lease)
      await expectCode(put(store, '/b', 'x', lease), 'LeaseNotFound')
      await Promise.all([writing, revoking])
      expect(await keysOf(store, '/')).toEqual([])
    })

    it('raise the revision only when they held a key', async () => {
      const { store } = subject()
      const lease = await store.leases.grant(10)
      await store.leases.revoke(lease)
      expect(await revisionOf(store)).toBe(1n)
      await expectCode(store.leases.revoke(lease), 'LeaseNotFound')
      await expectCode(store.leases.revoke(77n), 'LeaseNotFound')
      await expectCode(put(store, '/a', 'x', 1n << 62n), 'LeaseNotFound')
    })

    it.each([0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 1e12])('refuse a time to live of %s seconds', async (ttl) => {
      await expectCode(subject().store.leases.grant(ttl), 'InvalidArgument')
    })

    it('get their whole time again after a restart', async () => {
      const harness = subject()
      const { clock } = harness
      const lease = await harness.store.leases.grant(10)
      await put(harness.store, '/a', 'x', lease)
      await clock.advance(9_000)
      await harness.reopen()
      await clock.advance(9_000)
      expect(await keysOf(harness.store, '/')).toEqual(['/a'])
      await harness.store.leases.keepAlive(lease)
      await clock.advance(9_000)
      const watch = harness.store.watch('/')
      await clock.advance(2_000)
      expect((await eventsThrough(watch, 3n)).map((event) => event.type)).toEqual(['delete'])
      watch.close()
    })
  })
}
