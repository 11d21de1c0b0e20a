import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import { parseIp, parsePrefix, prefixOf, type IpPrefix } from '../../../base/ip.ts'
import { MessageCursor, NetlinkWriter } from '../../../protocols/netlink/index.ts'
import { NEXT_HOP_ONLINK, ROUTE_TYPES, writeRoute } from '../../../protocols/netlink/route/index.ts'
import type { FibNextHop, FibRoute } from '../../../policy/route/fib-route.ts'
import { DeviceTable } from './device-table.ts'
import { FibFailures } from './fib-failures.ts'
import { planFib } from './plan-fib.ts'
import { describeRouteKey, parseRouteKey, routeKey, routeKeyOf } from './route-key.ts'
import { Strikes } from './strikes.ts'
import { WantedRoutes } from './wanted-routes.ts'
import { FoundWays, routeFault, waySignature, wayOf, type Devices, type FoundWay, type Way } from './way.ts'

const prefix = (text: string): IpPrefix => parsePrefix(text) as IpPrefix
const ip = (text: string): Uint8Array => parseIp(text) as Uint8Array

const anyPrefix: fc.Arbitrary<IpPrefix> = fc
  .constantFrom(4, 16)
  .chain((width) => fc.tuple(fc.uint8Array({ minLength: width, maxLength: width }), fc.integer({ min: 0, max: width * 8 })))
  .map(([bytes, length]) => prefixOf(bytes, length))

const devices: Devices = new Map([
  ['eth0', { index: 2, isUp: true }],
  ['eth1', { index: 3, isUp: true }],
  ['down0', { index: 4, isUp: false }],
])
const hop = (gateway: string | undefined, device?: string, more: Partial<FibNextHop> = {}): FibNextHop => ({
  ...(gateway !== undefined && { gateway: ip(gateway) }),
  ...(device !== undefined && { device }),
  ...more,
})
const way = (...nextHops: readonly FibNextHop[]): Way => ({ type: 'unicast', nextHops, source: undefined })
const found = (...hops: readonly (readonly [gateway: string, link: number, weight?: number, flags?: number])[]): FoundWay => ({
  protocol: 190,
  type: ROUTE_TYPES.unicast,
  source: undefined,
  nextHops: hops.map(([gateway, link, weight = 1, flags = 0]) => ({
    ...(gateway !== '' && { gateway: ip(gateway) }),
    link,
    weight,
    flags,
  })),
})

describe('what a route is known by', () => {
  test('reads as it was written, and is the same for what is wanted and what the kernel tells', () => {
    fc.assert(
      fc.property(anyPrefix, fc.integer({ min: 1, max: 0xffff_ffff }), fc.nat(0xffff_ffff), (of, table, metric) => {
        const key = routeKey({ prefix: of, table, metric })
        const kernelMetric = of.family === 6 && metric === 0 ? 1024 : metric
        expect(parseRouteKey(key)).toEqual({ family: of.family, destination: of.bytes, length: of.length, table, metric: kernelMetric })
        const writer = new NetlinkWriter()
        const route = { destination: of.bytes, length: of.length, table, metric: kernelMetric, protocol: 190, type: 1, nextHops: [] }
        writeRoute(writer, 'create', 1, route, false)
        const cursor = new MessageCursor(writer.finish())
        cursor.next()
        expect(routeKeyOf(cursor)).toBe(key)
      }),
    )
  })

  test('in words', () => {
    expect(describeRouteKey(routeKey({ prefix: prefix('10.0.0.0/8'), metric: 5 }))).toBe('10.0.0.0/8')
    expect(describeRouteKey(routeKey({ prefix: prefix('fd00::/16'), metric: 5, table: 7 }))).toBe('fd00::/16 table 7')
  })
})

describe('planFib', () => {
  const blackhole: Way = { type: 'blackhole', nextHops: [], source: undefined }
  test.each<[string, Way | undefined, FoundWay | undefined, string]>([
    ['not there', way(hop('10.0.0.1', 'eth0')), undefined, 'create'],
    ['right', way(hop('10.0.0.1', 'eth0')), found(['10.0.0.1', 2]), 'nothing'],
    ['right, whatever the device', way(hop('10.0.0.1')), found(['10.0.0.1', 9]), 'nothing'],
    ['another gateway', way(hop('10.0.0.1', 'eth0')), found(['10.0.0.2', 2]), 'replace'],
    ['another device', way(hop('10.0.0.1', 'eth0')), found(['10.0.0.1', 3]), 'replace'],
    ['no gateway wanted', way(hop(undefined, 'eth0')), found(['10.0.0.1', 2]), 'replace'],
    ['on the link, and not said so', way(hop('10.0.0.1', 'eth0', { onLink: true })), found(['10.0.0.1', 2]), 'replace'],
    ['on the link', way(hop('10.0.0.1', 'eth0', { onLink: true })), found(['10.0.0.1', 2, 1, NEXT_HOP_ONLINK]), 'nothing'],
    ['a source is missing', { ...way(hop('10.0.0.1', 'eth0')), source: ip('10.0.0.9') }, found(['10.0.0.1', 2]), 'replace'],
    ['the weight of a single next hop', way(hop('10.0.0.1', 'eth0', { weight: 7 })), found(['10.0.0.1', 2]), 'nothing'],
    [
      'several, in another order',
      way(hop('10.0.0.1', 'eth0'), hop('10.0.0.2', 'eth1')),
      found(['10.0.0.2', 3], ['10.0.0.1', 2]),
      'nothing',
    ],
    [
      'several, one with another weight',
      way(hop('10.0.0.1', 'eth0', { weight: 2 }), hop('10.0.0.2', 'eth1')),
      found(['10.0.0.1', 2], ['10.0.0.2', 3]),
      'replace',
    ],
    ['the same gateway twice is not two', way(hop('10.0.0.1'), hop('10.0.0.1')), found(['10.0.0.1', 2], ['10.0.0.2', 2]), 'replace'],
    ['one of several is missing', way(hop('10.0.0.1', 'eth0'), hop('10.0.0.2', 'eth1')), found(['10.0.0.1', 2]), 'replace'],
    [
      'the link of one is down, and it is missing',
      way(hop('10.0.0.1', 'eth0'), hop('10.0.0.2', 'down0')),
      found(['10.0.0.1', 2]),
      'nothing',
    ],
    [
      'the link of one is down, and it is still there',
      way(hop('10.0.0.1', 'eth0'), hop('10.0.0.2', 'down0')),
      found(['10.0.0.1', 2], ['10.0.0.2', 4]),
      'nothing',
    ],
    ['the link of one is down, the other is not there', way(hop('10.0.0.1', 'eth0'), hop('10.0.0.2', 'down0')), undefined, 'create'],
    ['its only link is down', way(hop('10.0.0.2', 'down0')), undefined, 'blocked'],
    ['its only link is down and the kernel has it still', way(hop('10.0.0.2', 'down0')), found(['10.0.0.2', 4]), 'nothing'],
    ['there is no such device', way(hop('10.0.0.1', 'eth7')), undefined, 'blocked'],
    ['there is no such device, and the old way is there', way(hop('10.0.0.1', 'eth7')), found(['10.0.0.1', 2]), 'blocked, remove'],
    ['a black hole', blackhole, { ...found(['', 1]), type: ROUTE_TYPES.blackhole }, 'nothing'],
    ['another type', blackhole, found(['10.0.0.1', 2]), 'replace'],
    ['not wanted', undefined, found(['10.0.0.1', 2]), 'remove'],
  ])('%s', (_name, wanted, has, outcome) => {
    const plan = planFib(new Map(wanted ? [['k', wanted]] : []), new Map(has ? [['k', has]] : []), devices)
    const named = (['create', 'replace', 'blocked', 'remove'] as const).filter((part) => plan[part].length > 0)
    expect(named.join(', ') || 'nothing').toBe(outcome)
  })

  test('what it wants done makes the kernel right: planned anew, nothing is left', () => {
    const gateway = fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3')
    const wanted = fc.dictionary(
      fc.constantFrom('a', 'b', 'c', 'd'),
      fc.array(fc.tuple(gateway, fc.constantFrom('eth0', 'eth1')), { minLength: 1, maxLength: 3 }),
    )
    const there = fc.dictionary(
      fc.constantFrom('a', 'b', 'c', 'd'),
      fc.array(fc.tuple(gateway, fc.constantFrom(2, 3)), { minLength: 1, maxLength: 3 }),
    )
    fc.assert(
      fc.property(wanted, there, (want, have) => {
        const ways = new Map(Object.entries(want).map(([key, hops]) => [key, way(...hops.map(([to, device]) => hop(to, device)))]))
        const kernel = new Map(Object.entries(have).map(([key, hops]) => [key, found(...hops)]))
        const plan = planFib(ways, kernel, devices)
        for (const key of plan.remove) kernel.delete(key)
        for (const key of [...plan.create, ...plan.replace])
          kernel.set(key, found(...(want[key] ?? []).map(([to, device]) => [to, devices.get(device)?.index ?? 0] as const)))
        expect(planFib(ways, kernel, devices)).toEqual({ create: [], replace: [], remove: [], blocked: [] })
      }),
    )
  })
})

describe('routes that cannot be', () => {
  const route = (more: Partial<FibRoute>): FibRoute => ({ prefix: prefix('10.0.0.0/8'), nextHops: [hop('10.0.0.1')], metric: 1, ...more })
  test.each<[string, FibRoute, RegExp | undefined]>([
    ['a good one', route({}), undefined],
    ['an IPv6 gateway for IPv4', route({ nextHops: [hop('fd00::1', 'eth0')] }), undefined],
    ['an IPv4 gateway for IPv6', route({ prefix: prefix('fd00::/8') }), /IPv6 gateway/],
    ['no next hop', route({ nextHops: [] }), /next hop/],
    ['a black hole with a next hop', route({ type: 'blackhole' }), /blackhole/],
    ['neither gateway nor device', route({ nextHops: [{}] }), /gateway or a device/],
    ['a weight of 0', route({ nextHops: [hop('10.0.0.1', 'eth0', { weight: 0 })] }), /1 to 256/],
    ['a source of the other family', route({ source: ip('fd00::1') }), /source/],
    ['a metric of 0', route({ metric: 0 }), /metric/],
    ['a prefix that is too long', route({ prefix: { family: 4, bytes: ip('10.0.0.0'), length: 33 } }), /prefix/],
  ])('%s', (_name, given, fault) => {
    if (fault) expect(routeFault(given)).toMatch(fault)
    else expect(routeFault(given)).toBeUndefined()
  })
})

describe('wanted routes', () => {
  test('share their ways, and let go of those that nobody uses', () => {
    const wanted = new WantedRoutes()
    expect(wanted.set('a', way(hop('10.0.0.1')))).toBe(true)
    expect(wanted.set('b', way(hop('10.0.0.1')))).toBe(true)
    expect(wanted.set('b', way(hop('10.0.0.1')))).toBe(false)
    expect([...wanted.ways()].map(waySignature)).toEqual(['unicast  10.0.0.1%*1'])
    expect(wanted.byKey.get('a')).toBe(wanted.byKey.get('b'))
    expect(wanted.set('b', way(hop('10.0.0.2')))).toBe(true)
    expect([...wanted.ways()]).toHaveLength(2)
    expect([wanted.delete('b'), wanted.delete('b'), wanted.delete('a')]).toEqual([true, false, true])
    expect([...wanted.ways()]).toEqual([])
    expect(wanted.set('a', way(hop('10.0.0.1')))).toBe(true)
    expect([...wanted.ways()]).toHaveLength(1)
  })

  test('the same next hops with another source are another way', () => {
    const wanted = new WantedRoutes()
    const nextHops = [hop('10.0.0.1')]
    const base: FibRoute = { prefix: prefix('10.0.0.0/8'), nextHops, metric: 1 }
    wanted.set('a', wayOf(base))
    expect(wanted.set('a', wayOf({ ...base, source: ip('10.0.0.9') }))).toBe(true)
  })
})

describe('ways that the kernel tells', () => {
  test('equal ones are one object; others are not', () => {
    const ways = new FoundWays()
    const read = (gateway: string, metric: number): FoundWay => {
      const writer = new NetlinkWriter()
      const nextHops = [{ gateway: ip(gateway), link: 2, weight: 1, flags: 0 }]
      writeRoute(
        writer,
        'create',
        1,
        { destination: ip('10.0.0.0'), length: 8, table: 254, metric, protocol: 190, type: 1, nextHops },
        false,
      )
      const cursor = new MessageCursor(writer.finish())
      cursor.next()
      return ways.of(cursor)
    }
    expect(read('10.0.0.1', 1)).toBe(read('10.0.0.1', 2))
    expect(read('10.0.0.1', 1)).not.toBe(read('10.0.0.2', 1))
  })
})

describe('tries', () => {
  test('waits double up to 30 s; a route that waits for an event is not tried by time', () => {
    const failures = new FibFailures()
    const key = routeKey({ prefix: prefix('10.0.0.0/8'), metric: 5 })
    const waits = Array.from({ length: 7 }, () => {
      failures.add(key, 'no way', 0, false)
      return failures.next()
    })
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000])
    expect([failures.due(29_999), failures.due(30_000)]).toEqual([[], [key]])
    failures.add(key, 'device eth0 is down', 0, true)
    expect(failures.next()).toBe(Infinity)
    expect(failures.problems()).toEqual([{ prefix: '10.0.0.0/8', message: 'device eth0 is down' }])
  })

  test('the first interference is answered at once, more of them ever later; a minute of peace and all is forgotten', async () => {
    const clock = new FakeClock()
    const strikes = new Strikes(clock)
    expect([strikes.add('a'), strikes.add('a'), strikes.add('a'), strikes.add('b')]).toEqual([0, 1000, 2000, 0])
    await clock.advance(62_001)
    expect(strikes.add('a')).toBe(0)
  })
})

describe('devices', () => {
  const link = (index: number, name: string, isUp = true, hasCarrier = true): Parameters<DeviceTable['update']>[0] => ({
    index,
    name,
    isUp,
    hasCarrier,
    mtu: 1500,
    address: new Uint8Array(6),
    kind: '',
  })
  test.each<[string, readonly [Parameters<DeviceTable['update']>[0], boolean], boolean, readonly string[]]>([
    ['news without a change of state', [link(2, 'eth0'), false], false, ['eth0']],
    ['down', [link(2, 'eth0', false, false), false], true, ['eth0']],
    ['the carrier is lost', [link(2, 'eth0', true, false), false], true, ['eth0']],
    ['renamed', [link(2, 'wan'), false], true, ['wan']],
    ['gone', [link(2, 'eth0'), true], true, []],
    ['another one came', [link(3, 'eth1'), false], true, ['eth0', 'eth1']],
    ['one goes that was never known', [link(9, 'eth9'), true], false, ['eth0']],
  ])('%s', (_name, [update, isGone], isNews, names) => {
    const table = new DeviceTable()
    table.reset([link(2, 'eth0')])
    expect(table.update(update, isGone)).toBe(isNews)
    expect([...table.byName.keys()]).toEqual(names)
  })
})
