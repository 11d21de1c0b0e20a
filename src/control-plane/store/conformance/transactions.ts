import { describe, expect, it } from 'vitest'
import type { Subject } from '../conformance.ts'
import type { Compare, Op } from '../contract.ts'
import { bytes, expectCode, put, remove, revisionOf, text } from './support.ts'

const putOp = (key: string, value = 'v'): Op => ({ type: 'put', key, value: bytes(value) })
const many = (count: number): Op[] => Array.from({ length: count }, (_, i) => putOp(`/many/${i}`))

export function describeTransactions(subject: Subject): void {
  describe('transactions', () => {
    it('start at revision 1 and raise it by one per writing transaction', async () => {
      const { store } = subject()
      expect(await revisionOf(store)).toBe(1n)
      expect((await put(store, '/a')).revision).toBe(2n)
      expect((await put(store, '/b')).revision).toBe(3n)
      expect((await store.txn([], [{ type: 'get', key: '/a' }], [])).revision).toBe(3n)
      expect((await remove(store, '/absent')).revision).toBe(3n)
      expect(await revisionOf(store)).toBe(3n)
    })

    it('keep create revision, version and value of a key', async () => {
      const { store } = subject()
      await put(store, '/a', 'one')
      await put(store, '/a', 'two')
      expect(await store.get('/a')).toMatchObject({ key: '/a', createRevision: 2n, modRevision: 3n, version: 2, leaseId: 0n })
      expect(text((await store.get('/a'))?.value)).toBe('two')
      await remove(store, '/a')
      await put(store, '/a', 'three')
      expect(await store.get('/a')).toMatchObject({ createRevision: 5n, modRevision: 5n, version: 1 })
    })

    it('answer with the value before each write', async () => {
      const { store } = subject()
      expect((await put(store, '/a', 'one')).results).toEqual([{}])
      const second = await put(store, '/a', 'two')
      expect(text(second.results[0]?.kv?.value)).toBe('one')
      const deleted = await remove(store, '/a')
      expect(text(deleted.results[0]?.kv?.value)).toBe('two')
      expect((await remove(store, '/a')).results).toEqual([{}])
    })

    it('run the failure branch, which can read what made them fail', async () => {
      const { store } = subject()
      await put(store, '/a', 'one')
      const absent: Compare = { key: '/a', op: '=', revision: 0n }
      const result = await store.txn([absent], [putOp('/a', 'two')], [{ type: 'get', key: '/a' }])
      expect(result).toMatchObject({ succeeded: false, revision: 2n })
      expect(text(result.results[0]?.kv?.value)).toBe('one')
      expect(text((await store.get('/a'))?.value)).toBe('one')
    })

    it.each<[Compare['op'], bigint, boolean]>([
      ['=', 2n, true],
      ['=', 3n, false],
      ['!=', 3n, true],
      ['!=', 2n, false],
      ['>', 1n, true],
      ['>', 2n, false],
      ['<', 3n, true],
      ['<', 2n, false],
      ['=', 1n << 80n, false],
      ['<', 1n << 80n, true],
    ])('compare a key at revision 2: %s %s is %s', async (op, revision, expected) => {
      const { store } = subject()
      await put(store, '/a')
      expect((await store.txn([{ key: '/a', op, revision }], [], [])).succeeded).toBe(expected)
    })

    it('write all their keys at one revision and read their own writes', async () => {
      const { store } = subject()
      await put(store, '/old', 'x')
      const result = await store.txn(
        [],
        [putOp('/a', '1'), putOp('/b', '2'), { type: 'get', key: '/a' }, { type: 'delete', key: '/old' }, { type: 'get', key: '/old' }],
        [],
      )
      expect(result.revision).toBe(3n)
      expect(result.results.map((one) => text(one.kv?.value))).toEqual([undefined, undefined, '1', 'x', undefined])
      expect((await store.get('/a'))?.modRevision).toBe(3n)
      expect((await store.get('/b'))?.modRevision).toBe(3n)
      expect(await store.get('/old')).toBeUndefined()
    })

    it.each<[string, Op[]]>([
      ['an empty key', [putOp('')]],
      ['a key above 4 KiB', [putOp('k'.repeat(4097))]],
      ['a key above 4 KiB in UTF-8', [putOp('ü'.repeat(2049))]],
      ['a key that is not well-formed', [putOp('/a\ud800')]],
      ['a value above 1.5 MiB', [{ type: 'put', key: '/a', value: new Uint8Array(1.5 * 1024 * 1024 + 1) }]],
      ['129 operations', many(129)],
      ['a key put twice', [putOp('/a'), putOp('/a')]],
      ['a key put and deleted', [putOp('/a'), { type: 'delete', key: '/a' }]],
    ])('refuse %s and write nothing', async (_, ops) => {
      const { store } = subject()
      await expectCode(store.txn([], ops, []), 'InvalidArgument')
      await expectCode(store.txn([], [], ops), 'InvalidArgument')
      expect(await revisionOf(store)).toBe(1n)
    })

    it('take what is just inside the limits', async () => {
      const { store } = subject()
      const largest = new Uint8Array(1.5 * 1024 * 1024).fill(7)
      await store.txn([], [{ type: 'put', key: 'ü'.repeat(2048), value: largest }], [])
      const read = await store.get('ü'.repeat(2048))
      expect(Buffer.compare(largest, read?.value ?? new Uint8Array())).toBe(0)
      expect((await store.txn([], many(128), [])).revision).toBe(3n)
      expect((await put(store, '/empty', '')).revision).toBe(4n)
      expect((await store.get('/empty'))?.value.length).toBe(0)
    })

    it('count exactly when 32 writers increment one counter by compare and swap', async () => {
      const { store } = subject()
      const increment = async (): Promise<void> => {
        for (;;) {
          const current = await store.get('/counter')
          const value = String(Number(text(current?.value) ?? '0') + 1)
          const unchanged: Compare = { key: '/counter', op: '=', revision: current?.modRevision ?? 0n }
          if ((await store.txn([unchanged], [putOp('/counter', value)], [])).succeeded) return
        }
      }
      await Promise.all(
        Array.from({ length: 32 }, async () => {
          for (let i = 0; i < 5; i++) await increment()
        }),
      )
      expect(text((await store.get('/counter'))?.value)).toBe('160')
      expect(await store.get('/counter')).toMatchObject({ version: 160, modRevision: 161n })
    })

    it('see the writes that were called before them, durable or not', async () => {
      const { store } = subject()
      const first = put(store, '/a', 'one')
      const second = store.txn([{ key: '/a', op: '=', revision: 2n }], [putOp('/a', 'two')], [])
      const failing = store.txn([{ key: '/a', op: '=', revision: 2n }], [], [{ type: 'get', key: '/a' }])
      expect((await first).revision).toBe(2n)
      expect(await second).toMatchObject({ succeeded: true, revision: 3n })
      expect(await failing).toMatchObject({ succeeded: false, revision: 3n })
      expect(text((await failing).results[0]?.kv?.value)).toBe('two')
    })
  })
}
