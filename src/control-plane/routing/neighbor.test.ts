import { expect, test } from 'vitest'
import { FakeClock } from '../../base/fake-clock.ts'
import { parseIp } from '../../base/ip.ts'
import { jsonLogger } from '../../base/log.ts'
import { compileRoutePolicy } from '../../policy/route/index.ts'
import { Neighbor } from './neighbor.ts'
import { createRib } from './rib/index.ts'
import { TEST_PEER } from './test-peer.ts'

const noNetwork = (): never => {
  throw new Error('no network')
}

test('a peer that sends the same mistake with every route does not fill the log', () => {
  const clock = new FakeClock()
  const lines: string[] = []
  const listener = { exportsPending: () => {}, workPending: () => {}, fibPending: () => {} }
  const neighbor = new Neighbor(TEST_PEER, parseIp('192.0.2.2')!, {
    clock,
    random: () => 0.5,
    log: jsonLogger({ write: (line) => void lines.push(line), clock, level: 'warn' }),
    sockets: { connect: noNetwork, listen: noNetwork, adopt: noNetwork },
    interfaces: () => ({}),
    bfd: { watch: noNetwork, close: noNetwork },
    rib: createRib({ localAs: 65_001, routerId: 1, resolver: { resolve: () => ({ metric: 0 }) }, listener }),
    compilePolicy: ({ name, spec }) => compileRoutePolicy(name, spec),
    isDeferring: () => false,
    changed: () => {},
  })
  const up = (): void =>
    neighbor.up(
      {
        remoteAs: 65_002,
        remoteRouterId: 2,
        holdSeconds: 90,
        keepaliveSeconds: 30,
        wire: { fourOctetAs: true, addPathReceive: [], families: [4], extendedNextHop: false, internal: false, maxMessageBytes: 4096 },
        refresh: true,
        enhancedRefresh: true,
        capabilities: [],
      },
      [],
      {},
    )
  // LOCAL_PREF has no place between external peers
  const update = Buffer.from('0000001b4001010040020602010000fdea400304c00002024005040000006418c63364', 'hex')
  up()
  for (let i = 0; i < 1_000; i++) expect(neighbor.update(update)).toEqual({})
  expect(lines.map((line) => (JSON.parse(line) as { count?: number }).count)).toEqual([1, 10, 100, 1_000])
  // a new session is a new beginning
  neighbor.down('cut', [])
  up()
  neighbor.update(update)
  expect(lines.at(-1)).toMatch(/LOCAL_PREF.*"count":1\b/)
})
