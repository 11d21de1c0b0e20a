import { describe, expect, it } from 'vitest'
import type { Subject } from '../conformance.ts'
import type { KeyValue, Store } from '../contract.ts'
import { expectCode, keysOf, put, remove, revisionOf, text } from './support.ts'

async function pages(store: Store, prefix: string, options: { limit: number; between?: () => Promise<unknown> }): Promise<KeyValue[][]> {
  const found: KeyValue[][] = []
  let next: string | undefined
  let revision: bigint | undefined
  do {
    const page = await store.list(prefix, {
      limit: options.limit,
      ...(next === undefined ? {} : { from: next }),
      ...(revision === undefined ? {} : { revision }),
    })
    found.push([...page.items])
    next = page.next
    revision = page.revision
    await options.between?.()
  } while (next !== undefined)
  return found
}

export function describeReads(subject: Subject): void {
  describe('reads', () => {
    it('show each key as it was at a revision', async () => {
      const { store } = subject()
      await put(store, '/a', 'one')
      await put(store, '/a', 'two')
      await remove(store, '/a')
      await put(store, '/a', 'three')
      const history = await Promise.all([1n, 2n, 3n, 4n, 5n].map(async (revision) => text((await store.get('/a', revision))?.value)))
      expect(history).toEqual([undefined, 'one', 'two', undefined, 'three'])
      expect(await keysOf(store, '/', 3n)).toEqual(['/a'])
      expect(await keysOf(store, '/', 4n)).toEqual([])
    })

    it('refuse revisions that have not happened or never will', async () => {
      const { store } = subject()
      await put(store, '/a')
      await expectCode(store.get('/a', 3n), 'FutureRevision')
      await expectCode(store.list('/', { revision: 3n }), 'FutureRevision')
      await expectCode(store.get('/a', 1n << 70n), 'FutureRevision')
      await expectCode(store.get('/a', 0n), 'InvalidArgument')
      await expectCode(store.list('/', { revision: -1n }), 'InvalidArgument')
    })

    it('list exactly the keys inside the prefix, in order', async () => {
      const { store } = subject()
      for (const key of ['/b/2', '/a/2', '/a', '/a/1', '/a0', '/a/', '/a/1/x', '/ä', '/a/ü']) await put(store, key)
      expect(await keysOf(store, '/a/')).toEqual(['/a/', '/a/1', '/a/1/x', '/a/2', '/a/ü'])
      expect(await keysOf(store, '/a')).toEqual(['/a', '/a/', '/a/1', '/a/1/x', '/a/2', '/a/ü', '/a0'])
      expect(await keysOf(store, '')).toHaveLength(9)
      expect(await keysOf(store, '/c')).toEqual([])
      expect(await store.count('/a/')).toBe(5)
      expect(await store.count('')).toBe(9)
      expect(await store.count('/\uffff')).toBe(0)
      expect((await store.status()).keys).toBe(9)
    })

    it('page through one revision while keys come and go', async () => {
      const { store } = subject()
      const keys = Array.from({ length: 25 }, (_, i) => `/p/${String(i).padStart(3, '0')}`)
      for (const key of keys) await put(store, key, key)
      const revision = await revisionOf(store)
      let round = 0
      const between = async (): Promise<void> => {
        await remove(store, keys[24 - round] as string)
        await put(store, `/p/${String(round).padStart(3, '0')}-new`)
        round++
      }
      const found = await pages(store, '/p/', { limit: 7, between })
      expect(found.map((page) => page.length)).toEqual([7, 7, 7, 4])
      expect(found.flat().map((item) => item.key)).toEqual(keys)
      expect(found.flat().every((item) => item.modRevision <= revision)).toBe(true)
    })

    it('say how many keys remain after a page, now and at an older revision', async () => {
      const { store } = subject()
      for (let i = 0; i < 1200; i += 100) {
        await store.txn(
          [],
          Array.from({ length: 100 }, (_, j) => ({ type: 'put', key: `/n/${String(i + j).padStart(4, '0')}`, value: new Uint8Array(1) })),
          [],
        )
      }
      await put(store, '/o')
      const revision = await revisionOf(store)
      for (let i = 1100; i < 1110; i++) await remove(store, `/n/${i}`)
      for (let i = 600; i < 605; i++) await remove(store, `/n/0${i}`)
      expect(await store.list('/n/', { limit: 500 })).toMatchObject({ remaining: 685, next: '/n/0500' })
      expect(await store.list('/n/', { limit: 100, revision })).toMatchObject({ remaining: 1100, next: '/n/0100' })
      expect(await store.list('/n/', { limit: 500, revision })).toMatchObject({ remaining: 700, next: '/n/0500', revision })
      expect(await store.list('/n/', { limit: 500, from: '/n/1000', revision })).toMatchObject({ remaining: 0 })
      expect((await store.list('/n/', { limit: 500, from: '/n/1000' })).items).toHaveLength(190)
      expect(await store.count('/n/')).toBe(1185)
    })

    it('have no next page when the limit is met exactly', async () => {
      const { store } = subject()
      await put(store, '/a/1')
      await put(store, '/a/2')
      expect(await store.list('/a/', { limit: 2 })).not.toHaveProperty('next')
    })

    it('refuse a page that starts outside the prefix', async () => {
      await expectCode(subject().store.list('/a/', { from: '/b/1' }), 'InvalidArgument')
    })

    it('do not show a write before its transaction has been answered', async () => {
      const { store } = subject()
      const writing = put(store, '/a')
      expect(await store.get('/a')).toBeUndefined()
      expect(await store.count('/')).toBe(0)
      await writing
      expect(await store.count('/')).toBe(1)
    })

    it('are refused once the store is closed', async () => {
      const { store } = subject()
      await store.close()
      await store.close()
      await expectCode(store.get('/a'), 'Closed')
      await expectCode(store.list('/'), 'Closed')
      await expectCode(put(store, '/a'), 'Closed')
      await expectCode(store.status(), 'Closed')
      expect(() => store.watch('/')).toThrow(expect.objectContaining({ code: 'Closed' }))
    })
  })
}
