import { expect, test } from 'vitest'
import { FakeClock } from '../../base/fake-clock.ts'
import { formatPrefix, parseIp, parsePrefix } from '../../base/ip.ts'
import { silentLogger } from '../../base/log.ts'
import type { Fib, FibProblem } from '../../policy/route/fib-route.ts'
import { compileRoutePolicy } from '../../policy/route/index.ts'
import type { StaticConfig } from './config/index.ts'
import { FibFeeder, type FibInput } from './fib-feeder.ts'
import { InteriorTable } from './interior.ts'
import { createRib, type PeerHandle, type Rib } from './rib/index.ts'

/** A forwarding table without a kernel. */
function memoryFib(): { readonly fib: Fib; readonly prefixes: () => string[] } {
  const table = new Set<string>()
  return {
    prefixes: () => [...table].sort(),
    fib: {
      apply(routes) {
        table.clear()
        for (const { prefix } of routes) table.add(formatPrefix(prefix))
        return Promise.resolve([])
      },
      change({ add, remove }) {
        for (const { prefix } of remove) table.delete(formatPrefix(prefix))
        for (const { prefix } of add) table.add(formatPrefix(prefix))
        return Promise.resolve([])
      },
    },
  }
}

/** UPDATE for a prefix of 24 bits. */
const update = (hex: string): Uint8Array => Buffer.from(`000000144001010040020602010000fdea400304c000020218${hex}`, 'hex')

function ribWithPeer(fibPending: () => void): { readonly rib: Rib; readonly peer: PeerHandle } {
  const rib = createRib({
    localAs: 65_001,
    routerId: 1,
    resolver: { resolve: () => ({ metric: 0 }) },
    listener: { exportsPending: () => {}, workPending: () => {}, fibPending },
  })
  const all = compileRoutePolicy('all', { rules: [], defaultAction: 'Accept' })
  const peer = rib.addPeer({ name: 'tor', address: parseIp('192.0.2.2')!, importPolicy: all, exportPolicy: all })
  rib.peerUp(peer, {
    fourOctetAs: true,
    addPathReceive: [],
    families: [4],
    extendedNextHop: false,
    internal: false,
    maxMessageBytes: 4096,
    remoteAs: 65_002,
    remoteRouterId: 2,
    localAddresses: { 4: parseIp('192.0.2.1')! },
  })
  return { rib, peer }
}

test('changes that are pending while the whole table is written do not hide later ones', async () => {
  const clock = new FakeClock()
  const { fib, prefixes } = memoryFib()
  const feeder = new FibFeeder({ fib, clock, log: silentLogger, interior: () => new InteriorTable([]), deviceOf: () => undefined })
  const { rib, peer } = ribWithPeer(() => setImmediate(() => feeder.kick()))
  rib.update(peer, update('c63364'))
  feeder.configure({ rib, install: true, table: 254, metricBase: 0, statics: [] })
  await clock.advance(0)
  // selection is deferred until it is released
  expect(prefixes()).toEqual([])
  feeder.release()
  await clock.advance(0)
  expect(prefixes()).toEqual(['198.51.100.0/24'])
  rib.update(peer, update('cb0071'))
  await clock.advance(0)
  expect(prefixes()).toEqual(['198.51.100.0/24', '203.0.113.0/24'])
  rib.peerDown(peer)
  while (rib.work(5, () => performance.now()));
  await clock.advance(0)
  expect(prefixes()).toEqual([])
})

const hole = (name: string): StaticConfig => ({
  name,
  prefix: parsePrefix('198.18.0.0/15')!,
  type: 'blackhole',
  nextHops: [],
  distance: 1,
})
const parts = { log: silentLogger, interior: () => new InteriorTable([]), deviceOf: () => undefined }
const EMPTY: FibInput = { install: false, table: 254, metricBase: 0, statics: [] }

test('nothing that is asked for while a write ends is lost', async () => {
  for (let depth = 0; depth < 12; depth++) {
    const { fib, prefixes } = memoryFib()
    const feeder = new FibFeeder({ ...parts, fib, clock: new FakeClock() })
    feeder.release()
    feeder.configure(EMPTY)
    for (let i = 0; i < depth; i++) await Promise.resolve()
    feeder.configure({ ...EMPTY, statics: [hole('late')] })
    await new Promise(setImmediate)
    expect([depth, prefixes()]).toEqual([depth, ['198.18.0.0/15']])
  }
})

test('what is refused is tried again as a whole, once at a time and less and less often', async () => {
  const clock = new FakeClock()
  let applied = 0
  const refused: FibProblem[] = [{ prefix: '198.18.0.0/15', message: 'no such device' }]
  const fib: Fib = { apply: () => (applied++, Promise.resolve(refused)), change: () => Promise.resolve(refused) }
  const feeder = new FibFeeder({ ...parts, fib, clock })
  feeder.release()
  for (let i = 0; i < 5; i++) {
    feeder.configure({ ...EMPTY, statics: [hole(String(i))] })
    await clock.advance(0)
  }
  expect([applied, clock.timers]).toEqual([5, 1])
  await clock.advance(5_000)
  expect([applied, clock.timers]).toEqual([6, 1])
  await clock.advance(600_000)
  expect(applied).toBeLessThan(20)
})

test('the last word of a configuration is written before the end, when that is asked for', async () => {
  const { fib, prefixes } = memoryFib()
  let free = (): void => {}
  const slow: Fib = {
    ...fib,
    async apply(routes, revision) {
      await new Promise<void>((resolve) => (free = resolve))
      return fib.apply(routes, revision)
    },
  }
  const feeder = new FibFeeder({ ...parts, fib: slow, clock: new FakeClock() })
  feeder.release()
  feeder.configure({ ...EMPTY, statics: [hole('one')] })
  feeder.configure(EMPTY)
  const ended = feeder.settled().then(() => feeder.stop())
  const freeing = setInterval(() => free(), 1)
  await ended
  clearInterval(freeing)
  expect(prefixes()).toEqual([])
})

test('the whole table is compared when the way to a next hop changes, not with every route of others', async () => {
  const clock = new FakeClock()
  const { fib, prefixes } = memoryFib()
  let applied = 0
  const counting: Fib = { ...fib, apply: (routes, revision) => (applied++, fib.apply(routes, revision)) }
  let routes = ['192.0.2.0/24']
  const interior = (): InteriorTable =>
    new InteriorTable(routes.map((text) => ({ prefix: parsePrefix(text)!, metric: 0, device: `to ${text}` })))
  const feeder = new FibFeeder({ ...parts, fib: counting, clock, interior })
  const { rib, peer } = ribWithPeer(() => {})
  feeder.release()
  rib.update(peer, update('c63364'))
  feeder.configure({ ...EMPTY, install: true, rib })
  await clock.advance(0)
  expect([applied, prefixes()]).toEqual([1, ['198.51.100.0/24']])
  routes = ['192.0.2.0/24', '10.244.0.7/32']
  feeder.interiorChanged()
  await clock.advance(0)
  expect(applied).toBe(1)
  routes = ['192.0.2.2/32', ...routes]
  feeder.interiorChanged()
  await clock.advance(0)
  expect(applied).toBe(2)
})
