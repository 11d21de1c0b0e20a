import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { AppliedJournal } from './applied-journal.ts'
import type { FrontendState } from './frontend-state.ts'
import type { AppliedState, UpdatePlan } from './plan-update.ts'

let dir: string
let path: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'applied-journal-'))
  path = join(dir, 'state')
})
afterEach(() => rmSync(dir, { recursive: true }))

const state = (port: number): FrontendState => ({
  family: 4,
  address: '10.96.0.1',
  protocol: 'TCP',
  port,
  service: 'd/web',
  outside: [{ address: '10.244.1.2', port: 8080 }],
  rewritesSource: true,
})
const snapshot = (): AppliedState => ({
  frontends: new Map([['a', state(1)]]),
  hairpin: new Map(),
  nextToken: 16,
  generation: { epoch: 7, sequence: 1 },
})
const plan = (sequence: number, states: UpdatePlan['states']): UpdatePlan => ({
  changes: [],
  states,
  hairpin: [],
  classes: new Set(),
  nextToken: 16 * sequence,
  generation: { epoch: 7, sequence },
  stale: [],
  exhausted: false,
})
const isOfNode = (): boolean => true

async function write(): Promise<AppliedJournal> {
  const journal = new AppliedJournal(path, 'shape')
  await journal.replace(snapshot())
  await journal.append(plan(2, [['b', state(2)]]))
  await journal.append(plan(3, [['a', undefined]]))
  await journal.close()
  return journal
}

test('the state at any generation that the kernel may have', async () => {
  const journal = await write()
  const keysAt = async (sequence: number): Promise<readonly string[] | undefined> => {
    const loaded = await journal.load({ epoch: 7, sequence }, isOfNode)
    return loaded && [...loaded.frontends.keys()]
  }
  expect(await keysAt(1)).toEqual(['a'])
  expect(await keysAt(2)).toEqual(['a', 'b'])
  expect(await keysAt(3)).toEqual(['b'])
  const third = await journal.load({ epoch: 7, sequence: 3 }, isOfNode)
  expect([third?.nextToken, [...(third?.hairpin ?? [])]]).toEqual([48, [['10.244.1.2', 1]]])
})

test('what it does not know for certain it does not say', async () => {
  const journal = await write()
  expect(await journal.load({ epoch: 7, sequence: 4 }, isOfNode)).toBeUndefined()
  expect(await journal.load({ epoch: 8, sequence: 3 }, isOfNode)).toBeUndefined()
  expect(await new AppliedJournal(path, 'another shape').load({ epoch: 7, sequence: 3 }, isOfNode)).toBeUndefined()
  expect(await new AppliedJournal(join(dir, 'absent'), 'shape').load({ epoch: 7, sequence: 3 }, isOfNode)).toBeUndefined()
})

test('a line cut short, as by a kill, ends what is known; so does rubbish', async () => {
  const journal = await write()
  const text = readFileSync(path, 'utf8')
  writeFileSync(path, text.slice(0, -9))
  expect(await journal.load({ epoch: 7, sequence: 3 }, isOfNode)).toBeUndefined()
  expect((await journal.load({ epoch: 7, sequence: 2 }, isOfNode))?.frontends.size).toBe(2)
  writeFileSync(path, '')
  expect(await journal.load({ epoch: 7, sequence: 1 }, isOfNode)).toBeUndefined()
  writeFileSync(path, text)
  appendFileSync(path, 'null\n{"generation":4}\n')
  expect((await journal.load({ epoch: 7, sequence: 3 }, isOfNode))?.frontends.size).toBe(1)
})
