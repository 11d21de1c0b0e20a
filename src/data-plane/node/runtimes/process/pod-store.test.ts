import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeClock } from '../../../../base/fake-clock.ts'
import { parsePrefix, type IpPrefix } from '../../../../base/ip.ts'
import { silentLogger } from '../../../../base/log.ts'
import { NodeAddressPool } from '../../network/index.ts'
import { Layout } from './layout.ts'
import { PodStore } from './pod-store.ts'

let dir: string
let layout: Layout
let addresses: NodeAddressPool
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'pod-store-'))
  layout = new Layout(dir)
  addresses = pool()
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

function pool(): NodeAddressPool {
  const made = new NodeAddressPool()
  made.setRanges([parsePrefix('10.0.0.0/29') as IpPrefix])
  return made
}

const open = (): PodStore => {
  const store = new PodStore({
    layout,
    addresses,
    hostAddresses: [],
    namespaceOf: () => undefined,
    clock: new FakeClock(),
    log: silentLogger,
  })
  store.load()
  return store
}
const pod = (uid: string) => ({ metadata: { name: uid, uid } })

test('a pod that cannot be written down takes no address, however often it is tried', () => {
  const store = open()
  rmSync(layout.trash, { recursive: true })
  writeFileSync(layout.trash, 'in the way')
  for (let i = 0; i < 10; i++) expect(() => store.ensure(pod('one'))).toThrow(/ENOTDIR|EEXIST/)
  rmSync(layout.trash)
  mkdirSync(layout.trash)
  expect(['a', 'b', 'c', 'd', 'e'].map((uid) => store.ensure(pod(uid)).ips.length)).toEqual([1, 1, 1, 1, 1])
})

test('what was written to another end than an address is damage', () => {
  const store = open()
  store.ensure(pod('whole'))
  const { dir: damaged } = store.ensure(pod('damaged'))
  writeFileSync(join(damaged, 'ip'), '10.0.0.\0\0\n')
  addresses = pool()
  expect(
    open()
      .list()
      .map(({ sandbox }) => sandbox.podUid),
  ).toEqual(['whole'])
  expect(readdirSync(layout.pods)).toEqual(['whole'])
})
