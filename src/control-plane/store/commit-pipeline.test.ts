import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../base/fake-clock.ts'
import type { Commit, RecordId } from './backend.ts'
import { bytes, eventsThrough, expectCode, keysOf, put, summary, text } from './conformance/support.ts'
import type { Store } from './contract.ts'
import { MemoryBackend } from './memory-backend.ts'
import { createMemoryStore } from './memory-store.ts'

/** A disk that answers only when told to, and can be told to fail. */
class GateBackend extends MemoryBackend {
  readonly commits: Commit[] = []
  #held: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = []
  isOpen = false

  override async commit(commit: Commit): Promise<void> {
    this.commits.push(commit)
    if (!this.isOpen) await new Promise<void>((resolve, reject) => this.#held.push({ resolve, reject }))
    await super.commit(commit)
  }

  release(): void {
    this.#held.shift()?.resolve()
  }

  fail(message: string): void {
    this.#held.shift()?.reject(new Error(message))
  }
}

async function gated(): Promise<{ backend: GateBackend; store: Store; clock: FakeClock }> {
  const backend = new GateBackend()
  const clock = new FakeClock()
  backend.isOpen = true
  const store = createMemoryStore({ backend, clock, compaction: false })
  await store.settled()
  await put(store, '/old', 'old')
  backend.isOpen = false
  backend.commits.length = 0
  return { backend, store, clock }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Whether a promise has been answered; asked after the event loop has had nothing left to do. */
function watchOutcome(promise: Promise<unknown>): { readonly state: string } {
  const outcome = { state: 'waiting' }
  promise.then(
    () => (outcome.state = 'answered'),
    (error: { code?: string }) => (outcome.state = error.code ?? 'error'),
  )
  return outcome
}

describe('durability', () => {
  // etcd #14370: a write was acknowledged before it was flushed
  it('shows a write to nobody before it is durable', async () => {
    const { backend, store } = await gated()
    const watch = store.watch('/')
    const event = watchOutcome(watch[Symbol.asyncIterator]().next())
    const write = watchOutcome(put(store, '/a'))
    await turn()
    expect([write.state, event.state]).toEqual(['waiting', 'waiting'])
    expect(await keysOf(store, '/')).toEqual(['/old'])
    expect((await store.status()).revision).toBe(2n)
    await expectCode(store.get('/a', 3n), 'FutureRevision')
    backend.release()
    await turn()
    expect([write.state, event.state]).toEqual(['answered', 'answered'])
    expect(await keysOf(store, '/')).toEqual(['/a', '/old'])
  })

  it('answers a failed compare that saw a waiting value only when that value is durable', async () => {
    const { backend, store } = await gated()
    void put(store, '/a', 'first')
    await turn()
    const inFlight = store.txn([{ key: '/a', op: '=', revision: 0n }], [], [{ type: 'get', key: '/a' }])
    void put(store, '/a', 'second')
    const queued = store.txn([{ key: '/a', op: '=', revision: 3n }], [], [{ type: 'get', key: '/a' }])
    const outcomes = [inFlight, queued].map(watchOutcome)
    await turn()
    expect(outcomes.map((one) => one.state)).toEqual(['waiting', 'waiting'])
    backend.release()
    await turn()
    expect(outcomes.map((one) => one.state)).toEqual(['answered', 'waiting'])
    expect(await inFlight).toMatchObject({ succeeded: false, revision: 3n })
    backend.release()
    expect(text((await queued).results[0]?.kv?.value)).toBe('second')
    expect((await queued).revision).toBe(4n)
  })

  it('answers a read in a transaction that saw a waiting deletion only when that is durable', async () => {
    const { backend, store } = await gated()
    void store.txn([], [{ type: 'delete', key: '/old' }], [])
    const reading = store.txn([], [{ type: 'get', key: '/old' }], [])
    const outcome = watchOutcome(reading)
    await turn()
    expect(outcome.state).toBe('waiting')
    backend.release()
    expect(await reading).toMatchObject({ revision: 3n, results: [{}] })
  })

  it('answers at once what depends on durable values only', async () => {
    const { backend, store } = await gated()
    void put(store, '/a')
    const result = await store.txn([{ key: '/old', op: '=', revision: 0n }], [], [{ type: 'get', key: '/old' }])
    expect(result).toMatchObject({ succeeded: false, revision: 2n })
    backend.release()
  })

  it('makes everything that arrives during a commit the next one', async () => {
    const { backend, store } = await gated()
    void put(store, '/first')
    await turn()
    const others = Array.from({ length: 50 }, (_, i) => put(store, `/${i}`))
    backend.release()
    await turn()
    backend.release()
    expect((await Promise.all(others)).at(-1)?.revision).toBe(53n)
    expect(backend.commits.map((commit) => commit.records.length)).toEqual([1, 50])
    expect(backend.commits.map((commit) => commit.meta.lastRevision)).toEqual([3, 53])
  })
})

describe('a refused write', () => {
  it('rejects all that waits, refuses all that follows, is never tried again, and leaves reads alone', async () => {
    const { backend, store, clock } = await gated()
    backend.isOpen = true
    const lease = await store.leases.grant(30)
    backend.isOpen = false
    backend.commits.length = 0
    const watch = store.watch('/')
    const event = watchOutcome(watch[Symbol.asyncIterator]().next())
    const inFlight = put(store, '/a')
    await turn()
    const queued = put(store, '/b')
    const waiting = store.txn([{ key: '/b', op: '=', revision: 0n }], [], [])
    backend.fail('input/output error')
    for (const promise of [inFlight, queued, waiting]) await expectCode(promise, 'ReadOnly')
    await expectCode(put(store, '/c'), 'ReadOnly')
    await expectCode(put(store, '/c', 'x', lease), 'ReadOnly')
    await expectCode(store.leases.grant(5), 'ReadOnly')
    await expectCode(store.leases.keepAlive(5n), 'ReadOnly')
    await expectCode(store.compact(2n), 'ReadOnly')
    expect((await store.status()).failure).toContain('input/output error')
    expect(text((await store.get('/old'))?.value)).toBe('old')
    expect(await keysOf(store, '/')).toEqual(['/old'])
    expect((await store.txn([{ key: '/a', op: '=', revision: 0n }], [{ type: 'get', key: '/old' }], [])).succeeded).toBe(true)
    expect(event.state).toBe('waiting')
    await clock.advance(60_000)
    expect(backend.commits).toHaveLength(1)
    watch.close()
    await store.close()
  })

  it('during a compaction ends writing too', async () => {
    const { backend, store } = await gated()
    backend.isOpen = true
    await put(store, '/old', 'new')
    backend.isOpen = false
    const compacting = store.compact(3n)
    await turn()
    backend.release()
    await compacting
    await turn()
    backend.fail('disk full')
    await turn()
    await expectCode(put(store, '/a'), 'ReadOnly')
    expect(text((await store.get('/old'))?.value)).toBe('new')
  })

  it('loses nothing that was answered: the next store has it', async () => {
    const { backend, store } = await gated()
    const lost = watchOutcome(put(store, '/lost'))
    await turn()
    backend.fail('disk full')
    await store.close()
    backend.isOpen = true
    const next = createMemoryStore({ backend, clock: new FakeClock() })
    expect(await keysOf(next, '/')).toEqual(['/old'])
    expect(lost.state).toBe('ReadOnly')
    expect((await put(next, '/a')).revision).toBe(3n)
    await next.close()
  })
})

describe('memory', () => {
  it('lets go of a value once it is durable where it can be read back', async () => {
    const values = new Map<number, Uint8Array>()
    const commits: Commit[] = []
    class ReadingBackend extends MemoryBackend {
      override readonly readsValues: boolean = true
      override commit(commit: Commit): Promise<void> {
        commits.push(commit)
        for (const record of commit.records) if (record.value) values.set(record.modRevision, record.value)
        return super.commit(commit)
      }
      override read({ modRevision }: RecordId): Uint8Array {
        return values.get(modRevision) as Uint8Array
      }
    }
    const store = createMemoryStore({ backend: new ReadingBackend(), clock: new FakeClock(), compaction: false })
    const watch = store.watch('/')
    await put(store, '/a', 'one')
    expect((await put(store, '/a', 'two')).results[0]?.kv?.value).toEqual(bytes('one'))
    await store.settled()
    expect(commits.flatMap((commit) => commit.records).map((record) => record.value)).toEqual([undefined, undefined])
    expect((await store.get('/a', 2n))?.value).toEqual(bytes('one'))
    expect((await eventsThrough(watch, 3n)).map(summary)).toEqual(['put /a=one@2', 'put /a=two@3 was one@2'])
    await store.close()
  })
})

describe('bounds', () => {
  it('commits at most 1000 operations and 8 MB at once', async () => {
    const { backend, store } = await gated()
    void put(store, '/first')
    await turn()
    backend.isOpen = true
    const small = Array.from({ length: 2500 }, (_, i) => put(store, `/s/${i}`))
    const value = new Uint8Array(1_500_000)
    const large = Array.from({ length: 12 }, (_, i) => store.txn([], [{ type: 'put', key: `/l/${i}`, value }], []))
    backend.release()
    await Promise.all([...small, ...large])
    expect(backend.commits.map((commit) => commit.records.length)).toEqual([1, 1000, 1000, 505, 5, 2])
  })

  it('takes a single transaction whatever its size', async () => {
    const { backend, store } = await gated()
    backend.isOpen = true
    const lease = await store.leases.grant(60)
    for (let i = 0; i < 1500; i++) void put(store, `/k/${i}`, 'x', lease)
    await store.leases.revoke(lease)
    expect(backend.commits.at(-1)?.records).toHaveLength(1500)
    expect(new Set(backend.commits.at(-1)?.records.map((record) => record.modRevision)).size).toBe(1)
  })

  it('refuses writes as Overloaded when 20,000 wait', async () => {
    const { backend, store } = await gated()
    const waiting = [put(store, '/first')]
    await turn()
    for (let i = 0; i < 20_000; i++) waiting.push(put(store, '/k'))
    await expectCode(put(store, '/k'), 'Overloaded')
    await expectCode(store.leases.grant(5), 'Overloaded')
    expect(text((await store.get('/old'))?.value)).toBe('old')
    backend.isOpen = true
    backend.release()
    await Promise.all(waiting)
    expect((await put(store, '/k')).revision).toBe(20_004n)
  })

  it('refuses writes as Overloaded when 64 MiB wait', async () => {
    const { backend, store } = await gated()
    const value = new Uint8Array(1024 * 1024)
    const waiting = [put(store, '/first')]
    await turn()
    for (let i = 0; i < 64; i++) waiting.push(store.txn([], [{ type: 'put', key: '/k', value }], []))
    await expectCode(put(store, '/k'), 'Overloaded')
    backend.isOpen = true
    backend.release()
    await Promise.all(waiting)
  })

  it('sweeps a compaction in slices between the commits of writers', async () => {
    const { backend, store } = await gated()
    backend.isOpen = true
    for (let i = 0; i < 2000; i++) void put(store, '/k', String(i))
    await put(store, '/k', 'last')
    backend.commits.length = 0
    const compacting = store.compact(2003n)
    const writing = (async (): Promise<void> => {
      for (let i = 0; i < 5; i++) await store.txn([], [{ type: 'put', key: '/k', value: bytes('x') }], [])
    })()
    await Promise.all([compacting, writing])
    const kinds = backend.commits.map((commit) => (commit.removed.length > 0 ? `-${commit.removed.length}` : `+${commit.records.length}`))
    expect(kinds.filter((kind) => kind === '+1')).toHaveLength(5)
    expect(Math.max(...backend.commits.map((commit) => commit.removed.length))).toBeLessThanOrEqual(257)
    expect(kinds.slice(0, 4)).toEqual(['+1', '-256', '+1', '-256'])
    await store.close()
  })
})
