import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open as openLmdb } from 'lmdb'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../../base/fake-clock.ts'
import type { StoredRecord } from './backend.ts'
import { expectCode, nextBatch, put, remove } from './conformance/support.ts'
import { runIntegrityChild } from './integrity-child.ts'
import { openLmdbStore } from './lmdb-store.ts'
import { encodeRecordKey } from './record-codec.ts'
import { checkRecords, verifyInChild, verifyStore } from './verify-store.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'verify-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const open = (verifyArgv?: readonly string[]) =>
  openLmdbStore({ dir, clock: new FakeClock(), compaction: false, ...(verifyArgv ? { verifyArgv } : {}) })

/** Changes the record of a revision behind the store's back. */
async function damage(revision: number, how: (bytes: Buffer) => Buffer | undefined): Promise<void> {
  const db = openLmdb<Uint8Array, Uint8Array>(join(dir, 'store.mdb'), { encoding: 'binary', keyEncoding: 'binary', overlappingSync: false })
  const key = encodeRecordKey({ modRevision: revision, index: 0 })
  const changed = how(Buffer.from(db.getBinary(key) as Uint8Array))
  await (changed ? db.put(key, changed) : db.remove(key))
  await db.close()
}

const flip = (bytes: Buffer): Buffer => {
  bytes[bytes.length - 1]! ^= 1
  return bytes
}

async function fill(): Promise<void> {
  const store = await open()
  await put(store, '/a', 'one')
  await put(store, '/a', 'two')
  await put(store, '/b', 'three')
  await remove(store, '/b')
  await store.close()
}

describe('verifyStore', () => {
  it('reports a sound store', async () => {
    await fill()
    expect(await verifyStore(dir)).toMatchObject({ records: 4, keys: 1, revision: '5', compactRevision: '0' })
    const printed: string[] = []
    expect(await runIntegrityChild(dir, { out: (text) => printed.push(text), err: () => {} })).toBe(0)
    expect(JSON.parse(printed.join(''))).toMatchObject({ keys: 1 })
  })

  it('finds a flipped bit, and so does opening the store', async () => {
    await fill()
    await damage(3, flip)
    await expectCode(verifyStore(dir), 'Corrupt')
    await expectCode(open(), 'Corrupt')
    expect(await runIntegrityChild(dir, { out: () => {}, err: () => {} })).toBe(1)
  })

  it('finds a missing store', async () => {
    await expectCode(verifyStore(dir), 'Corrupt')
  })

  it('finds a file that is no database', async () => {
    writeFileSync(join(dir, 'store.mdb'), Buffer.alloc(65_536, 7))
    await expectCode(verifyStore(dir), 'Corrupt')
    await expectCode(open(), 'Corrupt')
  })
})

describe('a record that goes bad while the store is open', () => {
  it('fails the read and the watch that need it, not the others', async () => {
    await fill()
    const store = await open()
    await damage(3, flip)
    await expectCode(store.get('/a'), 'Corrupt')
    expect(await store.get('/b', 4n)).toMatchObject({ key: '/b' })
    const [needs, other] = [store.watch('/a'), store.watch('/c')]
    const failing = expectCode(nextBatch(needs), 'Corrupt')
    await store.txn([], [{ type: 'put', key: '/c', value: new Uint8Array(1) }], [])
    expect((await nextBatch(other)).events).toHaveLength(1)
    await expectCode(put(store, '/a', 'four'), 'Corrupt')
    await failing
    await store.close()
  })
})

describe('checkRecords', () => {
  const meta = { clusterId: 'x', lastRevision: 9, compactRevision: 0 }
  const record = (fields: Partial<StoredRecord>): StoredRecord => ({
    modRevision: 2,
    index: 0,
    key: '/a',
    createRevision: 2,
    version: 1,
    leaseId: 0,
    ...fields,
  })
  it.each<[string, StoredRecord[]]>([
    ['is out of order', [record({ modRevision: 3, createRevision: 3 }), record({ key: '/b' })]],
    ['newer than the last', [record({ modRevision: 10, createRevision: 10 })]],
    ['no plausible revision', [record({ modRevision: 1, createRevision: 1 })]],
    ['changed before', [record({ createRevision: 3, version: 2 })]],
    ['not a creation', [record({ modRevision: 3 })]],
    ['does not follow version 1', [record({}), record({ modRevision: 3, version: 3 })]],
    ['deletes a key twice', [record({ version: 0 }), record({ modRevision: 3, version: 0 })]],
    ['goes on after a deletion', [record({ version: 0 }), record({ modRevision: 3, version: 2 })]],
  ])('finds what %s', (why, records) => {
    expect(() => checkRecords(records, meta)).toThrow(why)
  })
})

describe('verifyInChild', () => {
  const print = (what: string): string[] => [process.execPath, '-e', what]

  it('takes the report that the child prints', async () => {
    const report = { records: 1, keys: 1, revision: '2', compactRevision: '0', clusterId: 'x' }
    expect(await verifyInChild(print(`console.log('${JSON.stringify(report)}')`), dir)).toEqual(report)
  })

  it.each([
    ['prints a reason and exits 1', `console.error('bad checksum'); process.exit(1)`, 'bad checksum'],
    ['is killed, as LMDB does to it', `process.kill(process.pid, 'SIGSEGV'); setTimeout(() => {}, 9000)`, 'SIGSEGV'],
  ])('calls the store damaged when the child %s', async (_, program, why) => {
    const checking = verifyInChild(print(program), dir)
    await expect(checking).rejects.toThrow(why)
    await expectCode(checking, 'Corrupt')
  })

  it('runs when a store is opened after an unclean stop, until it has found the store sound', async () => {
    await fill()
    const failing = print('process.exit(1)')
    await (await open(failing)).close()
    writeFileSync(join(dir, 'lock.99'), '')
    await expectCode(open(failing), 'Corrupt')
    await expectCode(open(failing), 'Corrupt')
    await (await open(print(`console.log('{}')`))).close()
    await (await open(failing)).close()
  })
})
