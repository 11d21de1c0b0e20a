import { expect, test } from 'vitest'
import { FakeClock } from '../../base/fake-clock.ts'
import { formatPrefix, parseIp } from '../../base/ip.ts'
import { silentLogger } from '../../base/log.ts'
import type { Fib } from '../../policy/route/fib-route.ts'
import { compileRoutePolicy } from '../../policy/route/index.ts'
import { FibFeeder } from './fib-feeder.ts'
import { InteriorTable } from './interior.ts'
import { createRib } from './rib/index.ts'

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

test('changes that are pending while the whole table is written do not hide later ones', async () => {
  const clock = new FakeClock()
  const { fib, prefixes } = memoryFib()
  const feeder = new FibFeeder({ fib, clock, log: silentLogger, interior: () => new InteriorTable([]), deviceOf: () => undefined })
  const rib = createRib({
    localAs: 65_001,
    routerId: 1,
    resolver: { resolve: () => ({ metric: 0 }) },
    listener: { exportsPending: () => {}, workPending: () => {}, fibPending: () => setImmediate(() => feeder.kick()) },
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
