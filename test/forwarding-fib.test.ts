import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock, type Clock } from '../src/base/clock.ts'
import { FakeClock } from '../src/base/fake-clock.ts'
import { parseIp, parsePrefix, type IpPrefix } from '../src/base/ip.ts'
import { FibWriter } from '../src/data-plane/forwarding/fib/fib-writer.ts'
import { openFib, type KernelFib } from '../src/data-plane/forwarding/fib/index.ts'
import { routeKey } from '../src/data-plane/forwarding/fib/route-key.ts'
import { wayOf } from '../src/data-plane/forwarding/fib/way.ts'
import { NetlinkMonitor, RouteSocket } from '../src/data-plane/forwarding/netlink/index.ts'
import { ROUTE_PROTOCOL, type FibNextHop, type FibProblem, type FibRoute } from '../src/policy/route/fib-route.ts'
import { NETLINK_ROUTE, RTM, RTNLGRP } from '../src/protocols/netlink/route/index.ts'
import { createNetworkLab, labProblem, type LabHost, type NetworkLab, type Segment } from '../src/testing/network-lab/index.ts'
import { poll } from './support/poll.ts'

const missing = labProblem()
const prefix = (text: string): IpPrefix => parsePrefix(text) as IpPrefix
const via = (gateway: string, device?: string, more: Partial<FibNextHop> = {}): FibNextHop => ({
  gateway: parseIp(gateway) as Uint8Array,
  ...(device !== undefined && { device }),
  ...more,
})
const route = (to: string, ...nextHops: readonly FibNextHop[]): FibRoute => ({ prefix: prefix(to), nextHops, metric: 20 })

describe.skipIf(missing !== '')(`the routing table of a namespace${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let lab: NetworkLab
  let a: LabHost
  let wire: Segment
  let fib: KernelFib
  let told: FibProblem[]

  beforeEach(async () => {
    lab = await createNetworkLab()
    a = await lab.host('a')
    const b = await lab.host('b')
    wire = await lab.segment([
      { host: a, device: 'eth0', addresses: ['198.18.0.1/24', 'fd00::1/64'] },
      { host: b, device: 'eth0', addresses: ['198.18.0.2/24', 'fd00::2/64'] },
    ])
    await lab.segment([
      { host: a, device: 'eth1', addresses: ['198.18.1.1/24', 'fd01::1/64'] },
      { host: b, device: 'eth1', addresses: ['198.18.1.2/24', 'fd01::2/64'] },
    ])
    told = []
    fib = open()
  })
  afterEach(async () => {
    await fib.close()
    await lab.remove()
  })

  const open = (clock: Clock = systemClock): KernelFib =>
    openFib({ protocol: ROUTE_PROTOCOL.router, namespace: a.path, clock, onProblem: (problem) => void told.push(problem) })
  const ip = (...argv: readonly string[]): Promise<string> => a.must(['ip', ...argv])
  /** Routes with our tag as iproute2 prints them, without what it adds by itself. */
  const shown = async (): Promise<readonly string[]> => {
    const lines = (await Promise.all(['-4', '-6'].map((family) => ip(family, '-o', 'route', 'show', 'table', 'all', 'proto', '190')))).join(
      '',
    )
    return lines
      .split('\n')
      .filter((line) => line !== '')
      .map((line) =>
        line
          .replaceAll(/ (metric 20|pref medium|proto 190|linkdown|dead)/g, '')
          .replaceAll(/[\\\s]+/g, ' ')
          .trim(),
      )
  }
  /** Addresses that the links gave themselves are confirmed after a second: that must not be what puts things right. */
  const settled = (): Promise<unknown> =>
    poll('no address is tentative', async () => ((await ip('-6', 'addr', 'show', 'tentative')) === '' ? true : undefined))
  const routes = [
    route('10.1.0.0/16', via('198.18.0.2', 'eth0')),
    route('10.2.0.0/16', via('198.18.0.2', 'eth0'), via('198.18.1.2', 'eth1')),
    route('fd10::/32', via('fd00::2', 'eth0')),
    route('fd20::/32', via('fd00::2', 'eth0'), via('fd01::2', 'eth1')),
  ]
  const ALL = [
    '10.1.0.0/16 via 198.18.0.2 dev eth0',
    '10.2.0.0/16 nexthop via 198.18.0.2 dev eth0 weight 1 nexthop via 198.18.1.2 dev eth1 weight 1',
    'fd10::/32 via fd00::2 dev eth0',
    'fd20::/32 nexthop via fd00::2 dev eth0 weight 1 nexthop via fd01::2 dev eth1 weight 1',
  ]
  /** Told of every removal of a route with our tag, by whomever, from now on. */
  const watchRemovals = (): { readonly removed: number; drain(): void; close(): void } => {
    let removed = 0
    const monitor = NetlinkMonitor.open({
      protocol: NETLINK_ROUTE,
      namespace: a.path,
      groups: [RTNLGRP.ipv4Route, RTNLGRP.ipv6Route],
      clock: systemClock,
      onMessage: (message) => {
        if (message.type === RTM.deleteRoute && message.bytes[message.start + 5] === ROUTE_PROTOCOL.router) removed++
      },
      onLost: () => (removed = NaN),
      onFailed: () => (removed = NaN),
    })
    return {
      get removed() {
        monitor.drain()
        return removed
      },
      drain: () => monitor.drain(),
      close: () => monitor.close(),
    }
  }

  test('applies, changes and removes routes of both families; others stay', async () => {
    await ip('route', 'add', '10.9.0.0/16', 'via', '198.18.0.2', 'proto', 'static')
    expect(await fib.apply(routes, 1n)).toEqual([])
    expect(await shown()).toEqual(ALL)
    const change = {
      add: [
        route('10.1.0.0/16', via('198.18.1.2', 'eth1')),
        { prefix: prefix('10.3.0.0/16'), type: 'blackhole', nextHops: [], metric: 20 } as const,
        { ...route('10.4.0.0/16', via('198.18.0.2')), table: 700 },
        route('0.0.0.0/0', via('fd00::2', 'eth0')),
      ],
      remove: [route('fd10::/32')],
    }
    expect(await fib.change(change, 2n)).toEqual([])
    expect(fib.revision).toBe(2n)
    expect(await shown()).toEqual([
      '10.4.0.0/16 via 198.18.0.2 dev eth0 table 700',
      'default via inet6 fd00::2 dev eth0',
      '10.1.0.0/16 via 198.18.1.2 dev eth1',
      ALL[1],
      'blackhole 10.3.0.0/16',
      ALL[3],
    ])
    expect(await fib.apply([], 3n)).toEqual([])
    expect(await shown()).toEqual([])
    expect(await ip('route', 'show', 'proto', 'static')).toContain('10.9.0.0/16')
    expect(told).toEqual([])
  })

  test.each<[string, FibRoute, FibRoute, string]>([
    [
      'one to several next hops',
      route('10.1.0.0/16', via('198.18.0.2', 'eth0')),
      route('10.1.0.0/16', via('198.18.0.2', 'eth0'), via('198.18.1.2', 'eth1', { weight: 3 })),
      '10.1.0.0/16 nexthop via 198.18.0.2 dev eth0 weight 1 nexthop via 198.18.1.2 dev eth1 weight 3',
    ],
    [
      'one to several next hops (IPv6)',
      route('fd10::/32', via('fd00::2', 'eth0')),
      route('fd10::/32', via('fd00::2', 'eth0'), via('fd01::2', 'eth1')),
      'fd10::/32 nexthop via fd00::2 dev eth0 weight 1 nexthop via fd01::2 dev eth1 weight 1',
    ],
    [
      'several to one (IPv6)',
      route('fd10::/32', via('fd00::2', 'eth0'), via('fd01::2', 'eth1')),
      route('fd10::/32', via('fd01::2', 'eth1')),
      'fd10::/32 via fd01::2 dev eth1',
    ],
    [
      'a link to several gateways (IPv6)',
      route('fd10::/32', { device: 'eth0' }),
      route('fd10::/32', via('fd00::2', 'eth0'), via('fd01::2', 'eth1')),
      'fd10::/32 nexthop via fd00::2 dev eth0 weight 1 nexthop via fd01::2 dev eth1 weight 1',
    ],
    [
      'several gateways to a link (IPv6)',
      route('fd10::/32', via('fd00::2', 'eth0'), via('fd01::2', 'eth1')),
      route('fd10::/32', { device: 'eth0' }),
      'fd10::/32 dev eth0',
    ],
    [
      'a black hole to a gateway',
      { ...route('10.1.0.0/16'), type: 'blackhole' },
      route('10.1.0.0/16', via('198.18.0.2', 'eth0')),
      '10.1.0.0/16 via 198.18.0.2 dev eth0',
    ],
    [
      'a black hole to a gateway (IPv6)',
      { ...route('fd10::/32'), type: 'blackhole' },
      route('fd10::/32', via('fd00::2', 'eth0')),
      'fd10::/32 via fd00::2 dev eth0',
    ],
    [
      'a gateway to a black hole (IPv6)',
      route('fd10::/32', via('fd00::2', 'eth0')),
      { ...route('fd10::/32'), type: 'blackhole' },
      'blackhole fd10::/32 dev lo',
    ],
  ])('a route is changed in its place: %s', async (_name, before, after, words) => {
    expect(await fib.apply([before], 1n)).toEqual([])
    expect(await fib.change({ add: [after], remove: [] }, 2n)).toEqual([])
    expect(await shown()).toEqual([words])
    // nothing is left to do, and nothing is left over
    const removals = watchRemovals()
    expect(await fib.apply([after], 3n)).toEqual([])
    expect(removals.removed).toBe(0)
    removals.close()
    expect(await shown()).toEqual([words])
    expect(await fib.apply([], 4n)).toEqual([])
    expect(await shown()).toEqual([])
  })

  test('a successor takes over without removing one wanted route for one moment', async () => {
    await fib.apply([...routes, route('10.8.0.0/16', via('198.18.0.2', 'eth0'))], 1n)
    await fib.close()
    const removals = watchRemovals()
    fib = open()
    // before the first full apply nothing is removed, whatever changes
    await fib.change({ add: [route('10.7.0.0/16', via('198.18.0.2', 'eth0'))], remove: [route('10.1.0.0/16')] }, 1n)
    expect(removals.removed).toBe(0)
    expect(await fib.apply(routes, 2n)).toEqual([])
    expect(await shown()).toEqual(ALL)
    // 10.7 and 10.8, which are not wanted
    expect(removals.removed).toBe(2)
    removals.close()
    expect(told).toEqual([])
  })

  test('a link flap before the first full apply removes nothing', async () => {
    await fib.apply(routes, 1n)
    await fib.close()
    const clock = new FakeClock()
    fib = open(clock)
    await fib.change({ add: [route('10.7.0.0/16', { device: 'eth1' })], remove: [] }, 1n)
    await ip('link', 'set', 'eth1', 'mtu', '1400', 'down')
    await ip('link', 'set', 'eth1', 'up')
    // it looks, sees the flap, and has all the time it may want; the call then waits for whatever that has begun
    for (let second = 0; second < 3; second++) await clock.advance(1000)
    await fib.change({ add: [], remove: [] }, 2n)
    expect(await shown()).toContain(ALL[0])
    expect(await shown()).toContain(ALL[2])
  })

  test('the route of somebody else is reported and left alone; it gives way, and ours is there', async () => {
    await ip('route', 'add', '10.1.0.0/16', 'via', '198.18.0.77', 'metric', '20', 'proto', 'static')
    await ip('route', 'add', 'fd10::/32', 'via', 'fd00::77', 'metric', '20', 'proto', 'static')
    expect(await fib.apply(routes, 1n)).toEqual([
      { prefix: '10.1.0.0/16', message: 'held by a route of protocol static' },
      { prefix: 'fd10::/32', message: 'held by a route of protocol static' },
    ])
    expect(await ip('route', 'show', '10.1.0.0/16')).toContain('198.18.0.77')
    expect(await shown()).toEqual([ALL[1], ALL[3]])
    await ip('route', 'del', '10.1.0.0/16', 'metric', '20')
    await ip('route', 'del', 'fd10::/32', 'metric', '20')
    await poll('ours', () => (fib.problems().length === 0 ? true : undefined))
    expect(await shown()).toEqual(ALL)
  })

  test('a stranger who deletes a route of ours: put back once and reported; again: left for a while and reported', async () => {
    await fib.apply(routes, 1n)
    await ip('route', 'del', '10.1.0.0/16', 'metric', '20')
    await poll('it is back', async () => ((await shown()).length === 4 ? true : undefined))
    expect(told).toEqual([{ prefix: '10.1.0.0/16', message: 'was deleted by another program; put back' }])
    await ip('route', 'del', '10.1.0.0/16', 'metric', '20')
    await poll('the report', () => (fib.problems()[0]?.message.includes('again and again') ? true : undefined))
    await poll('it is back', async () => ((await shown()).length === 4 ? true : undefined))
    expect(fib.problems()).toEqual([])
  })

  test('a stranger who flushes 5,000 routes of ours, twice: put back, then left for a while', async () => {
    const many = Array.from({ length: 5000 }, (_, i): FibRoute => route(`20.${i >> 8}.${i & 255}.0/24`, via('198.18.0.2', 'eth0')))
    await fib.apply(many, 1n)
    const areThere = (): Promise<unknown> =>
      poll('they are back', async () => ((await shown()).length === many.length && fib.problems().length === 0 ? true : undefined))
    await ip('route', 'flush', 'proto', '190')
    await areThere()
    expect(told).toHaveLength(many.length)
    await ip('route', 'flush', 'proto', '190')
    await poll('the report', () => (told.length === 2 * many.length ? true : undefined))
    expect(told.at(-1)?.message).toBe('was deleted by another program, again and again')
    await areThere()
  })

  test('calls that fail side by side fail as one', async () => {
    const socket = RouteSocket.open({ namespace: a.path })
    socket.close()
    const wanted = new Map(
      Array.from({ length: 10_000 }, (_, i) => [routeKey(route(`20.${i >> 8}.${i & 255}.0/24`)), wayOf(routes[0] as FibRoute)]),
    )
    await expect(new FibWriter(socket, 190).put('create', [...wanted.keys()], wanted, new Map())).rejects.toMatchObject({ code: 'ECLOSED' })
  })

  test('a change that removes and adds the same route leaves the added one', async () => {
    await fib.apply(routes, 1n)
    const other = route('10.1.0.0/16', via('198.18.1.2', 'eth1'))
    const removals = watchRemovals()
    expect(await fib.change({ add: [other], remove: [routes[0] as FibRoute] }, 2n)).toEqual([])
    expect(await shown()).toEqual(['10.1.0.0/16 via 198.18.1.2 dev eth1', ...ALL.slice(1)])
    expect(removals.removed).toBe(0)
    removals.close()
  })

  test('a stranger who replaces a route of ours is not fought', async () => {
    await settled()
    await fib.apply(routes, 1n)
    await ip('route', 'replace', '10.1.0.0/16', 'via', '198.18.0.77', 'metric', '20', 'proto', 'static')
    const problems = await poll('the report', () => (fib.problems().length > 0 ? fib.problems() : undefined))
    expect(problems).toMatchObject([{ prefix: '10.1.0.0/16', message: expect.stringMatching(/protocol static/) as string }])
    await ip('route', 'del', '10.1.0.0/16', 'metric', '20')
    await poll('ours', async () => ((await shown()).length === 4 ? true : undefined))
  })

  test('routes that a link took down with it come back with it, both families', async () => {
    await fib.apply(routes, 1n)
    await ip('link', 'set', 'eth0', 'down')
    await poll('the report', () => (fib.problems().some(({ message }) => message === 'device eth0 is down') ? true : undefined))
    await ip('link', 'set', 'eth0', 'up')
    // an address of IPv6 goes with the link, and with it the way to the gateway
    await ip('addr', 'replace', 'fd00::1/64', 'dev', 'eth0', 'nodad')
    await poll('all are back', async () => ((await shown()).join('\n') === ALL.join('\n') ? true : undefined))
    await poll('no problem is left', () => (fib.problems().length === 0 ? true : undefined))
  })

  test('a wire that is cut takes no route away', async () => {
    await fib.apply(routes, 1n)
    const removals = watchRemovals()
    await wire.cut(a)
    await wire.heal(a)
    await poll('the carrier is back', async () => ((await ip('link', 'show', 'eth0')).includes('LOWER_UP') ? true : undefined))
    expect(await fib.apply(routes, 2n)).toEqual([])
    expect(await shown()).toEqual(ALL)
    expect(removals.removed).toBe(0)
    removals.close()
  })

  test('a device that is not there yet, and a gateway that nothing reaches: reported, and installed as soon as it can be', async () => {
    const wanted = [route('10.5.0.0/16', via('203.0.113.1', 'eth7')), route('10.6.0.0/16', via('192.0.2.1'))]
    expect(await fib.apply(wanted, 1n)).toMatchObject([
      { prefix: '10.5.0.0/16', message: 'there is no device eth7' },
      { prefix: '10.6.0.0/16', message: expect.stringMatching(/ENETUNREACH/) as string },
    ])
    const b = await lab.host('c')
    await lab.segment([
      { host: a, device: 'eth7', addresses: ['203.0.113.2/24', '192.0.2.2/24'] },
      { host: b, device: 'eth0', addresses: ['203.0.113.1/24'] },
    ])
    await poll('both', async () => ((await shown()).length === 2 ? true : undefined))
    expect(fib.problems()).toEqual([])
  })

  test('with one of its links down a route is installed over the others, and whole when it is up', async () => {
    await settled()
    // without IPv6 no address comes or goes with the link: its state alone must do
    await a.must(['bash', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/eth1/disable_ipv6'])
    await ip('link', 'set', 'eth1', 'down')
    await fib.apply([routes[1] as FibRoute], 1n)
    expect(await shown()).toEqual(['10.2.0.0/16 via 198.18.0.2 dev eth0'])
    await ip('link', 'set', 'eth1', 'up')
    await poll('whole', async () => ((await shown())[0] === ALL[1] ? true : undefined))
  })

  test('bad routes are told, the others are installed', async () => {
    const problems = await fib.apply([...routes, route('10.7.0.0/16'), route('fd70::/32', via('198.18.0.2', 'eth0'))], 1n)
    expect(problems.map(({ prefix: of }) => of)).toEqual(['10.7.0.0/16', 'fd70::/32'])
    expect(await shown()).toEqual(ALL)
  })

  test('50,000 routes, taken over and taken back', async () => {
    const many = Array.from({ length: 50_000 }, (_, i): FibRoute => ({
      prefix: { family: 4, bytes: Uint8Array.from([20, i >> 8, i & 255, 0]), length: 24 },
      nextHops: routes[i % 2]?.nextHops ?? [],
      metric: 20,
    }))
    expect(await fib.apply(many, 1n)).toEqual([])
    const removals = watchRemovals()
    const second = open()
    expect(await second.apply(many, 1n)).toEqual([])
    expect(removals.removed).toBe(0)
    removals.close()
    await second.close()
    const socket = RouteSocket.open({ namespace: a.path })
    expect(await socket.routes({ protocol: 190 })).toHaveLength(50_000)
    socket.close()
    expect(await fib.apply([], 2n)).toEqual([])
    expect(await shown()).toEqual([])
  })
})
