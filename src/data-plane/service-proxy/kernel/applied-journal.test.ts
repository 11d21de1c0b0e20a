import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLogger } from '../../../base/log.ts'
import type { Frontend } from '../../../policy/packet/services/index.ts'
import type { ElementChange, Nft } from '../../forwarding/contract.ts'
import { AppliedJournal } from './applied-journal.ts'
import type { FrontendState } from './frontend-state.ts'
import { KernelTables } from './kernel-tables.ts'
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

test('a record that could not be written leaves no gap that is read over', async () => {
  const journal = new AppliedJournal(path, 'shape')
  await journal.replace(snapshot())
  const text = readFileSync(path, 'utf8')
  rmSync(dir, { recursive: true })
  await expect(journal.append(plan(2, [['b', state(2)]]))).rejects.toMatchObject({ code: 'ENOENT' })
  mkdirSync(dir)
  writeFileSync(path, text)
  await journal.append(plan(3, [['c', state(3)]]))
  expect(await journal.load({ epoch: 7, sequence: 3 }, isOfNode)).toBeUndefined()
  expect(journal.isLong).toBe(true)
  await journal.replace({ ...snapshot(), generation: { epoch: 7, sequence: 3 } })
  await journal.append(plan(4, [['d', state(4)]]))
  expect([...((await journal.load({ epoch: 7, sequence: 4 }, isOfNode))?.frontends.keys() ?? [])]).toEqual(['a', 'd'])
  expect(journal.isLong).toBe(false)
  await journal.close()
})

test('many characters are long, however few the records', async () => {
  const journal = new AppliedJournal(path, 'shape')
  await journal.replace(snapshot())
  const outside = Array.from({ length: 4000 }, () => ({ address: '10.244.100.200', port: 65_535 }))
  for (let i = 2; i < 102; i++) await journal.append(plan(i, [['a', { ...state(1), outside }]]))
  expect(journal.isLong).toBe(true)
  await journal.close()
})

test('a disk that takes nothing does not keep services out of the kernel', async () => {
  const done: string[] = []
  const nft = {
    run: (text: string) => Promise.resolve(void done.push(text.slice(0, 5))),
    apply: (changes: readonly ElementChange[]) => Promise.resolve(void done.push(changes.map(({ op, set }) => `${op} ${set}`).join())),
  } as unknown as Nft
  const node = { name: 'n', addresses: ['192.0.2.1'] }
  const tables = new KernelTables({ nft, node, random: () => 0.5, log: silentLogger, statePath: join(dir, 'missing', 'state') })
  await tables.replace(new Map())
  const endpoints = { backends: [{ address: '10.244.1.2', port: 8080 }], why: '' }
  const frontend: Frontend = {
    ...state(80),
    key: 'a',
    kind: 'ClusterIP',
    policy: 'Cluster',
    inside: endpoints,
    outside: endpoints,
    keepsSource: false,
  }
  await tables.update(tables.plan([['a', frontend]]))
  await tables.tidy()
  await tables.close()
  expect(done[0]).toBe('table')
  expect(done[1]).toMatch(/add frontend,add endpoint/)
})

test('addresses that were backends once stay known: the kernel has them still', async () => {
  const journal = new AppliedJournal(path, 'shape')
  await journal.replace({ ...snapshot(), hairpin: new Map([['10.244.1.9', 0]]) })
  await journal.append(plan(2, [['a', undefined]]))
  await journal.close()
  const loaded = await journal.load({ epoch: 7, sequence: 2 }, isOfNode)
  expect(loaded?.hairpin).toEqual(
    new Map([
      ['10.244.1.9', 0],
      ['10.244.1.2', 0],
    ]),
  )
})
