import { expect, test } from 'vitest'
import { FakeClock } from '../../base/fake-clock.ts'
import { formatPrefix, parsePrefix } from '../../base/ip.ts'
import { silentLogger } from '../../base/log.ts'
import type { Fib } from '../../policy/route/fib-route.ts'
import type { RouterConfig, RoutingConfig } from './config/index.ts'
import type { RibOptions } from './rib/contract.ts'
import { createRib } from './rib/index.ts'
import { Speaker } from './speaker.ts'
import { TEST_PEER } from './test-peer.ts'

const ROUTER: RouterConfig = {
  name: 'default',
  generation: 1,
  localAs: 65_001,
  routerId: 1,
  clusterId: 1,
  listen: { addresses: ['192.0.2.1'], port: 179 },
  maximumPaths: 1,
  multipathRelax: false,
  metrics: { ebgp: 20, ibgp: 200 },
  install: true,
  table: 254,
  metricBase: 0,
  drain: false,
  restartTimeSeconds: 120,
}
const NOTHING: RoutingConfig = { revision: 'none', peers: [], originated: [], statics: [], problems: [] }

/** A speaker without peers, and what it does to the forwarding table. */
function speakerOf(restarted: boolean, clock: FakeClock): { speaker: Speaker; applied: string[][]; ribs: RibOptions[]; used: boolean[] } {
  const applied: string[][] = []
  const ribs: RibOptions[] = []
  const used: boolean[] = []
  const fib: Fib = {
    apply: (routes) => (applied.push([...routes].map(({ prefix }) => formatPrefix(prefix))), Promise.resolve([])),
    change: () => Promise.resolve([]),
  }
  const speaker = new Speaker({
    clock,
    random: () => 0.5,
    log: silentLogger,
    sockets: {
      connect: () => {
        throw new Error('no network')
      },
      listen: () => Promise.resolve({ setKey: () => {}, close: () => Promise.resolve() }),
      adopt: () => {},
    },
    bfd: {
      watch: () => {
        throw new Error('no network')
      },
      close: () => Promise.resolve(),
    },
    fib,
    createRib(options) {
      ribs.push(options)
      const rib = createRib(options)
      const useFib = rib.useFib.bind(rib)
      rib.useFib = (value) => (used.push(value), useFib(value))
      return rib
    },
    interfaces: () => ({}),
    ...(restarted ? { restarted: { forwarding: [4, 6] as const } } : {}),
  })
  return { speaker, applied, ribs, used }
}

test('after a restart into a configuration without a Router the routes of the life before go at once', async () => {
  const clock = new FakeClock()
  const { speaker, applied } = speakerOf(true, clock)
  const hole = { name: 'hole', prefix: parsePrefix('198.18.0.0/15')!, type: 'blackhole' as const, nextHops: [], distance: 1 }
  speaker.apply({ ...NOTHING, statics: [hole] })
  await clock.advance(0)
  expect([speaker.isDeferring, applied]).toEqual([false, [['198.18.0.0/15']]])
  await speaker.leave()
})

test('a Router that goes while a restart is not over takes its routes along', async () => {
  const clock = new FakeClock()
  const { speaker, applied } = speakerOf(true, clock)
  speaker.apply({ ...NOTHING, revision: 'one', router: ROUTER, peers: [TEST_PEER] })
  await clock.advance(1_000)
  expect([speaker.isDeferring, applied]).toEqual([true, []])
  // all neighbours are replaced, and waited for as before
  speaker.apply({ ...NOTHING, revision: 'two', router: { ...ROUTER, maximumPaths: 2 }, peers: [TEST_PEER] })
  await clock.advance(1_000)
  expect([speaker.isDeferring, applied]).toEqual([true, []])
  speaker.apply(NOTHING)
  await clock.advance(0)
  expect([speaker.isDeferring, applied]).toEqual([false, [[]]])
  await speaker.leave()
})

test('the tables of routes are seeded, and keep no changes for a kernel that gets none', async () => {
  const clock = new FakeClock()
  const { speaker, ribs, used } = speakerOf(false, clock)
  speaker.apply({ ...NOTHING, revision: 'one', router: { ...ROUTER, install: false } })
  speaker.apply({ ...NOTHING, revision: 'two', router: ROUTER })
  expect(ribs.map(({ hashSeed }) => hashSeed)).toEqual([2 ** 31])
  expect(used).toEqual([false, true])
  await speaker.leave()
})
