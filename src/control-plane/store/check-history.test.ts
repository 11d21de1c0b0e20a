import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../base/fake-clock.ts'
import type { Observed, Seen } from './conformance/check-history.ts'
import { checkHistory } from './conformance/check-history.ts'
import { bytes, eventsThrough, revisionOf, text } from './conformance/support.ts'
import type { Compare, Store } from './contract.ts'
import { openLmdbStore } from './lmdb-store.ts'
import { createMemoryStore } from './memory-store.ts'

interface Run {
  readonly operations: Observed[]
  readonly seen: Seen[]
}

/** 16 workers, few keys, compares that often fail; every worker keeps two operations in flight. */
async function record(store: Store, rounds: number): Promise<Run> {
  let time = 0
  let seed = 7
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff
    return (seed >> 8) % below
  }
  const operations: Observed[] = []
  const watch = store.watch('/')
  const write = async (name: string): Promise<void> => {
    const key = `/k/${random(4)}`
    const expected = (await store.get(key))?.modRevision ?? 0n
    const compares: Compare[] = random(4) > 0 ? [{ key, op: '=', revision: expected }] : []
    const call = time++
    const result = await store.txn(compares, [{ type: 'put', key, value: bytes(name) }], [{ type: 'get', key }])
    const outcome = { succeeded: result.succeeded, found: result.results[0]?.kv?.modRevision ?? 0n }
    const action = { type: 'write' as const, value: name, ...outcome, ...(compares.length > 0 ? { expected } : {}) }
    operations.push({ call, answer: time++, revision: result.revision, key, action })
  }
  const read = async (): Promise<void> => {
    const key = `/k/${random(4)}`
    const call = time++
    const { revision, items } = await store.list(key)
    const action = { type: 'read' as const, value: text(items[0]?.value), modRevision: items[0]?.modRevision ?? 0n }
    operations.push({ call, answer: time++, revision, key, action })
  }
  await Promise.all(
    Array.from({ length: 16 }, async (_, worker) => {
      for (let i = 0; i < rounds; i++) await Promise.all([write(`w${worker}-${i}`), read()])
    }),
  )
  const events = await eventsThrough(watch, await revisionOf(store))
  watch.close()
  return {
    operations,
    seen: events.map((event) => ({ key: event.key, value: text(event.kv.value) as string, revision: event.kv.modRevision })),
  }
}

const isWrite = (one: Observed): boolean => one.action.type === 'write' && one.action.succeeded
const isRead = (one: Observed): boolean => one.action.type === 'read' && one.action.modRevision > 0n

function change(run: Run, which: (one: Observed) => boolean, how: (one: Observed) => Observed): Run {
  const at = run.operations.findIndex((one, i) => i > run.operations.length / 2 && which(one))
  expect(at).toBeGreaterThan(0)
  return { ...run, operations: run.operations.map((one, i) => (i === at ? how(one) : one)) }
}

/** Each of these is a way in which a store can be wrong. */
const LIES: Record<string, (run: Run) => Run> = {
  'an answered write is lost': (run) => ({ ...run, seen: run.seen.toSpliced(run.seen.length >> 1, 1) }),
  'the watch swaps two events': (run) => {
    const at = run.seen.length >> 1
    return { ...run, seen: run.seen.toSpliced(at, 2, run.seen[at + 1] as Seen, run.seen[at] as Seen) }
  },
  'the watch repeats an event': (run) => ({ ...run, seen: run.seen.toSpliced(5, 0, run.seen[5] as Seen) }),
  'a value comes from nowhere': (run) => {
    const last = run.seen.at(-1) as Seen
    return { ...run, seen: [...run.seen, { ...last, value: 'ghost', revision: last.revision + 1n }] }
  },
  'a write reports a wrong revision': (run) => change(run, isWrite, (one) => ({ ...one, revision: (one.revision as bigint) + 1n })),
  'a read is stale': (run) =>
    change(run, isRead, (one) => ({ ...one, revision: 1n, action: { type: 'read', value: undefined, modRevision: 0n } })),
  'a read shows another value': (run) =>
    change(run, isRead, (one) => ({ ...one, action: { ...one.action, value: 'other' } as Observed['action'] })),
  'a compare holds that must not': (run) =>
    change(
      run,
      (one) => isWrite(one) && one.action.type === 'write' && one.action.expected !== undefined,
      (one) => ({ ...one, action: { ...one.action, expected: 1n } as Observed['action'] }),
    ),
  'a failed compare shows a wrong value': (run) =>
    change(
      run,
      (one) => one.action.type === 'write' && !one.action.succeeded,
      (one) => ({ ...one, action: { ...one.action, found: 1n } as Observed['action'] }),
    ),
  'a failed write happens': (run) =>
    change(run, isWrite, (one) => ({ ...one, action: { ...one.action, succeeded: false } as Observed['action'] })),
  'revisions go back in real time': (run) => change(run, isWrite, (one) => ({ ...one, call: 1_000_000, answer: 1_000_001 })),
}

describe('concurrent histories', () => {
  it('of the memory store are linearizable', async () => {
    const store = createMemoryStore({ clock: new FakeClock() })
    const run = await record(store, 100)
    expect(checkHistory(run.operations, run.seen)).toBeUndefined()
    // a run in which nothing competes proves nothing
    expect(run.operations.filter((one) => one.action.type === 'write' && !one.action.succeeded).length).toBeGreaterThan(100)
    await store.close()
  })

  it('of the LMDB store are linearizable', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'store-history-'))
    const store = await openLmdbStore({ dir, clock: new FakeClock() })
    const run = await record(store, 100)
    expect(checkHistory(run.operations, run.seen)).toBeUndefined()
    await store.close()
    rmSync(dir, { recursive: true, force: true })
  })

  it.each(Object.entries(LIES))('are refused when %s', async (_, lie) => {
    const store = createMemoryStore({ clock: new FakeClock() })
    const run = lie(await record(store, 20))
    expect(checkHistory(run.operations, run.seen)).toEqual(expect.any(String))
    await store.close()
  })

  it('may contain a write that was never answered, whether it happened or not', async () => {
    const store = createMemoryStore({ clock: new FakeClock() })
    const run = await record(store, 5)
    const silent: Observed = { call: 0, key: '/k/0', action: { type: 'write', value: 'silent', succeeded: true } }
    const operations = [...run.operations, silent]
    expect(checkHistory(operations, run.seen)).toBeUndefined()
    const happened = { key: '/k/9', value: 'silent', revision: (run.seen.at(-1) as Seen).revision + 1n }
    expect(checkHistory(operations, [...run.seen, happened])).toBeUndefined()
    await store.close()
  })
})
