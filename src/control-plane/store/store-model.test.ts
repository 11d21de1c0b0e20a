import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../base/fake-clock.ts'
import { bytes, eventsThrough, summary, text } from './conformance/support.ts'
import type { Compare, KeyValue, Op, Store, StoreErrorCode } from './contract.ts'
import { StoreError } from './contract.ts'
import { openLmdbStore } from './lmdb-store.ts'
import { MemoryBackend } from './memory-backend.ts'
import { createMemoryStore } from './memory-store.ts'

interface Item {
  readonly value: string
  readonly create: bigint
  readonly mod: bigint
  readonly version: number
}
type State = ReadonlyMap<string, Item>

/** The simplest store there is: the whole state of every revision, and the events that led there. */
class Model {
  readonly states: State[] = [new Map(), new Map()]
  readonly events: string[][] = [[], []]
  compacted = 0n

  get revision(): bigint {
    return BigInt(this.states.length - 1)
  }

  now(): State {
    return this.states.at(-1) as State
  }

  at(revision: bigint): State {
    return this.states[Number(revision)] as State
  }

  txn(compares: readonly Compare[], ok: readonly Op[], no: readonly Op[]): { succeeded: boolean; before: (string | undefined)[] } {
    const succeeded = compares.every(({ key, op, revision }) => {
      const mod = this.now().get(key)?.mod ?? 0n
      return { '=': mod === revision, '!=': mod !== revision, '<': mod < revision, '>': mod > revision }[op]
    })
    const state = new Map(this.now())
    const revision = this.revision + 1n
    const events: string[] = []
    const before = (succeeded ? ok : no).map((op) => {
      const old = state.get(op.key)
      const was = old ? ` was ${old.value}@${old.mod}` : ''
      if (op.type === 'put') {
        const value = text(op.value) as string
        state.set(op.key, { value, create: old?.create ?? revision, mod: revision, version: (old?.version ?? 0) + 1 })
        events.push(`put ${op.key}=${value}@${revision}${was}`)
      } else if (op.type === 'delete' && state.delete(op.key)) events.push(`delete ${op.key}=${old?.value}@${revision}${was}`)
      return old?.value
    })
    if (events.length > 0) {
      this.states.push(state)
      this.events.push(events)
    }
    return { succeeded, before }
  }
}

const KEYS = ['/a', '/a/1', '/a/2', '/a/2/x', '/b/1', '/b/2', '/ü']
const PREFIXES = ['', '/', '/a', '/a/', '/b/', '/c/', '/a/2']
const key = fc.constantFrom(...KEYS)
const prefix = fc.constantFrom(...PREFIXES)
// a share of the history so far, turned into a revision when the command runs; not fc.double, which hardly ever leaves the neighbourhood of 0
const point = fc.nat(100).map((n) => n / 100)

const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant('put' as const), key, value: fc.nat(99).map((n) => bytes(String(n))) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('delete' as const), key }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('get' as const), key }) },
)
// a key is written at most once; a read after a write in the same transaction stays
const ops = fc.array(op, { maxLength: 4 }).map((list) => {
  const written = new Set<string>()
  return list.filter((one) => one.type === 'get' || (!written.has(one.key) && written.add(one.key)))
})
const compare = fc.record({ key, op: fc.constantFrom('=' as const, '!=' as const, '<' as const, '>' as const), at: point })

const command = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({ kind: fc.constant('txn' as const), compares: fc.array(compare, { maxLength: 2 }), ok: ops, no: ops }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('get' as const), key, at: point }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('list' as const), prefix, at: point, limit: fc.nat(4) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('watch' as const), prefix, at: point }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('compact' as const), at: point }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
)
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never

interface World {
  readonly model: Model
  store: Store
  readonly open: () => Promise<Store>
}

async function codeOf(promise: Promise<unknown>): Promise<StoreErrorCode | undefined> {
  return promise.then(
    () => undefined,
    (error: unknown) => (error instanceof StoreError ? error.code : expect.fail(String(error))),
  )
}

/** From revision 1 to one that has not happened. */
function revisionAt(model: Model, at: number): bigint {
  return 1n + BigInt(Math.floor(at * Number(model.revision)))
}

function readError(model: Model, revision: bigint): StoreErrorCode | undefined {
  if (revision > model.revision) return 'FutureRevision'
  return revision < model.compacted ? 'Compacted' : undefined
}

const shown = (kv: KeyValue): unknown => [kv.key, text(kv.value), kv.createRevision, kv.modRevision, kv.version]
const expectedItem = ([key, item]: [string, Item]): unknown => [key, item.value, item.create, item.mod, item.version]

async function run(world: World, step: Command): Promise<void> {
  const { model, store } = world
  switch (step.kind) {
    case 'txn': {
      const compares = step.compares.map(({ at, ...rest }) => ({ ...rest, revision: revisionAt(model, at) - 1n }))
      const expected = model.txn(compares, step.ok, step.no)
      const result = await store.txn(compares, step.ok, step.no)
      expect(result.succeeded).toBe(expected.succeeded)
      expect(result.results.map((one) => text(one.kv?.value))).toEqual(expected.before)
      expect(result.revision).toBe(model.revision)
      return
    }
    case 'get': {
      const revision = revisionAt(model, step.at)
      const error = readError(model, revision)
      if (error) return expect(await codeOf(store.get(step.key, revision))).toBe(error)
      const kv = await store.get(step.key, revision)
      const item = model.at(revision).get(step.key)
      return expect(kv && shown(kv)).toEqual(item && expectedItem([step.key, item]))
    }
    case 'list':
      return checkList(world, step)
    case 'watch': {
      const from = revisionAt(model, step.at)
      const watch = store.watch(step.prefix, { fromRevision: from })
      watch.requestProgress()
      if (from <= model.compacted) return expect(await codeOf(watch[Symbol.asyncIterator]().next())).toBe('Compacted')
      const expected = model.events
        .slice(Number(from))
        .flat()
        .filter((line) => (line.split(' ')[1] as string).startsWith(step.prefix))
      expect((await eventsThrough(watch, model.revision)).map(summary)).toEqual(expected)
      return watch.close()
    }
    case 'compact': {
      const revision = revisionAt(model, step.at)
      const error = revision > model.revision ? 'FutureRevision' : revision <= model.compacted ? 'Compacted' : undefined
      expect(await codeOf(store.compact(revision))).toBe(error)
      if (!error) model.compacted = revision
      return
    }
    case 'reopen':
      await store.close()
      world.store = await world.open()
  }
}

async function checkList({ model, store }: World, step: Command & { kind: 'list' }): Promise<void> {
  const revision = revisionAt(model, step.at)
  const error = readError(model, revision)
  if (error) return expect(await codeOf(store.list(step.prefix, { revision }))).toBe(error)
  const expected = [...model.at(revision)].filter(([key]) => key.startsWith(step.prefix)).sort(([a], [b]) => (a < b ? -1 : 1))
  let from: string | undefined
  let seen = 0
  do {
    const page = await store.list(step.prefix, { revision, limit: step.limit, ...(from === undefined ? {} : { from }) })
    expect(page.items.map(shown)).toEqual(expected.slice(seen, step.limit === 0 ? undefined : seen + step.limit).map(expectedItem))
    seen += page.items.length
    expect(page.remaining).toBe(expected.length - seen)
    from = page.next
    expect(from).toBe(expected[seen]?.[0])
  } while (from !== undefined)
  expect(await store.count(step.prefix)).toBe([...model.now().keys()].filter((key) => key.startsWith(step.prefix)).length)
}

async function agree(open: () => Promise<Store>, steps: readonly Command[]): Promise<void> {
  const world: World = { model: new Model(), store: await open(), open }
  try {
    for (const step of steps) await run(world, step)
    const { revision, compactRevision, keys } = await world.store.status()
    expect({ revision, compactRevision, keys }).toEqual({
      revision: world.model.revision,
      compactRevision: world.model.compacted,
      keys: world.model.now().size,
    })
  } finally {
    await world.store.close()
  }
}

describe('a store behaves as an array of all its states', () => {
  it('in memory', async () => {
    const property = fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 60 }), async (steps) => {
      const backend = new MemoryBackend()
      await agree(async () => createMemoryStore({ backend, clock: new FakeClock(), compaction: false }), steps)
    })
    await fc.assert(property, { numRuns: 300 })
  }, 60_000)

  it('in LMDB', async () => {
    const property = fc.asyncProperty(fc.array(command, { minLength: 20, maxLength: 60 }), async (steps) => {
      const dir = mkdtempSync(join(tmpdir(), 'store-model-'))
      try {
        await agree(() => openLmdbStore({ dir, clock: new FakeClock(), compaction: false }), steps)
      } finally {
        rmSync(dir, { recursive: true, force: true })
      }
    })
    await fc.assert(property, { numRuns: 15 })
  }, 60_000)
})
