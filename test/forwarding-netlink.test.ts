import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FakeClock } from '../src/base/fake-clock.ts'
import { formatIp, parseIp } from '../src/base/ip.ts'
import { exceptPort, exceptRoutesOf, NetlinkMonitor, RouteSocket } from '../src/data-plane/forwarding/netlink/index.ts'
import { reconcileForwarding, reconcileNeighbours, reconcileRules } from '../src/data-plane/forwarding/tagged/index.ts'
import {
  IFA_NODAD,
  NETLINK_ROUTE,
  NEXT_HOP_ONLINK,
  NUD_NOARP,
  NUD_PERMANENT,
  readRoute,
  ROUTE_TYPES,
  RTM,
  RTNLGRP,
  type KernelNeighbour,
  type KernelRoute,
  type KernelRule,
} from '../src/protocols/netlink/route/index.ts'
import { createNetworkLab, labProblem, type LabHost, type NetworkLab } from '../src/testing/network-lab/index.ts'

const missing = labProblem()
const ip = (text: string): Uint8Array => parseIp(text) as Uint8Array
const MAC = Uint8Array.from([2, 0, 0, 0, 0, 9])

describe.skipIf(missing !== '')(`rtnetlink of a namespace${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let lab: NetworkLab
  let a: LabHost
  let b: LabHost
  let socket: RouteSocket
  let eth0 = 0

  beforeAll(async () => {
    lab = await createNetworkLab()
    a = await lab.host('a')
    b = await lab.host('b')
    await lab.segment([
      { host: a, device: 'eth0', addresses: ['198.18.0.1/24', 'fd00::1/64'] },
      { host: b, device: 'eth0', addresses: ['198.18.0.2/24', 'fd00::2/64'] },
    ])
    socket = RouteSocket.open({ namespace: a.path })
    eth0 = (await socket.link('eth0'))?.index ?? 0
  })
  afterAll(async () => {
    socket.close()
    await lab.remove()
  })

  const json = async (host: LabHost, ...argv: readonly string[]): Promise<readonly Record<string, unknown>[]> =>
    JSON.parse((await host.must(['ip', '-j', '-d', ...argv])) || '[]') as readonly Record<string, unknown>[]
  /** Fields by which the kernel's answer is compared. */
  const known = (route: KernelRoute): object => ({
    ...route,
    nextHops: route.nextHops.map(({ gateway, link, weight, flags }) => ({
      gateway: gateway && formatIp(gateway),
      link,
      weight,
      onLink: (flags & NEXT_HOP_ONLINK) !== 0,
    })),
  })

  test('a veth pair with its other end in another namespace; then renamed, changed and deleted', async () => {
    await socket.addVeth({ name: 'pod1', mtu: 1400, isUp: true, address: MAC }, { name: 'eth7', mtu: 1400 }, b.path)
    const inside = RouteSocket.open({ namespace: b.path })
    await inside.setLink((await inside.link('eth7'))?.index ?? 0, { isUp: true })
    inside.close()
    expect(await json(a, 'link', 'show', 'pod1')).toMatchObject([
      { ifname: 'pod1', mtu: 1400, address: '02:00:00:00:00:09', operstate: 'UP', linkinfo: { info_kind: 'veth' } },
    ])
    expect(await json(b, 'link', 'show', 'eth7')).toMatchObject([{ mtu: 1400, operstate: 'UP' }])
    const link = await socket.link('pod1')
    expect(link).toMatchObject({ name: 'pod1', kind: 'veth', isUp: true, hasCarrier: true, mtu: 1400, address: MAC })
    const index = link?.index as number
    await socket.setLink(index, { isUp: false })
    await socket.setLink(index, { name: 'pod2', mtu: 1300 })
    expect(await socket.link('pod1')).toBeUndefined()
    expect((await socket.links()).find(({ name }) => name === 'pod2')).toMatchObject({ index, isUp: false, hasCarrier: false, mtu: 1300 })
    await socket.deleteLink(index)
    expect(await socket.link('pod2')).toBeUndefined()
    expect((await b.run(['ip', 'link', 'show', 'eth7'])).code).not.toBe(0)
  })

  test('neither end of a veth pair is there when the other cannot be', async () => {
    const attempt = socket.addVeth({ name: 'pod3' }, { name: 'eth0' }, b.path)
    await expect(attempt).rejects.toMatchObject({ name: 'NetlinkError', code: 'EEXIST' })
    expect(await socket.link('pod3')).toBeUndefined()
  })

  test('a VXLAN with forwarding entries', async () => {
    await socket.addLink({ name: 'vx', kind: 'vxlan', vxlan: { id: 42, port: 4789, local: ip('198.18.0.1'), learning: false }, isUp: true })
    const link = await socket.link('vx')
    expect(link).toMatchObject({ kind: 'vxlan', vxlan: { id: 42, port: 4789, local: ip('198.18.0.1'), learning: false } })
    const index = link?.index as number
    const entry = {
      kind: 'forwarding' as const,
      link: index,
      address: MAC,
      ip: ip('198.18.0.2'),
      state: NUD_PERMANENT | NUD_NOARP,
      protocol: 0,
    }
    await socket.addNeighbour(entry)
    const flood = { ...entry, address: new Uint8Array(6) }
    await socket.appendForwarding(flood)
    await socket.appendForwarding({ ...flood, ip: ip('198.18.0.3') })
    const shown = await a.must(['bridge', 'fdb', 'show', 'dev', 'vx'])
    expect(shown).toContain('02:00:00:00:00:09 dst 198.18.0.2 self permanent')
    expect(shown).toContain('00:00:00:00:00:00 dst 198.18.0.3 self permanent')
    const found = await socket.neighbours('forwarding', index)
    expect(found.filter(({ ip: host }) => host && formatIp(host) === '198.18.0.3')).toHaveLength(1)
    expect(found).toContainEqual(entry)
    await socket.deleteNeighbour(entry)
    expect(await socket.neighbours('forwarding', index)).not.toContainEqual(entry)
    await socket.deleteLink(index)
  })

  test.each([
    ['198.18.9.1', 24],
    ['fd00:9::1', 64],
  ])('address %s', async (text, length) => {
    const address = { bytes: ip(text), length, link: eth0, scope: 0, flags: IFA_NODAD }
    await socket.addAddress(address)
    await socket.addAddress(address)
    expect(await a.must(['ip', 'addr', 'show', 'eth0'])).toContain(`${text}/${length}`)
    expect((await socket.addresses()).filter(({ bytes }) => formatIp(bytes) === text)).toMatchObject([{ length, link: eth0 }])
    await socket.deleteAddress(address)
    expect(await a.must(['ip', 'addr', 'show', 'eth0'])).not.toContain(`${text}/${length}`)
    await expect(socket.deleteAddress(address)).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' })
  })

  const hop = (gateway: string | undefined, more: object = {}): KernelRoute['nextHops'][number] => ({
    ...(gateway !== undefined && { gateway: ip(gateway) }),
    link: eth0,
    weight: 1,
    flags: 0,
    ...more,
  })
  const route = (prefix: string, length: number, nextHops: KernelRoute['nextHops'], more: object = {}): KernelRoute => ({
    destination: ip(prefix),
    length,
    table: 254,
    protocol: 190,
    type: ROUTE_TYPES.unicast,
    metric: 50,
    nextHops,
    ...more,
  })

  test.each<[string, () => KernelRoute, string]>([
    ['a gateway', () => route('10.1.0.0', 16, [hop('198.18.0.2')]), '10.1.0.0/16 via 198.18.0.2 dev eth0'],
    ['a gateway (IPv6)', () => route('fd01::', 32, [hop('fd00::2')]), 'fd01::/32 via fd00::2 dev eth0'],
    ['a link only', () => route('10.2.0.1', 32, [hop(undefined)]), '10.2.0.1 dev eth0'],
    ['a link only (IPv6)', () => route('fd01::5', 128, [hop(undefined)]), 'fd01::5 dev eth0'],
    [
      'several next hops with weights',
      () => route('10.3.0.0', 16, [hop('198.18.0.2', { weight: 3 }), hop('198.18.0.3', { weight: 256 })]),
      'nexthop via 198.18.0.2 dev eth0 weight 3',
    ],
    [
      'several next hops (IPv6)',
      () => route('fd02::', 32, [hop('fd00::2', { weight: 2 }), hop('fd00::3')]),
      'nexthop via fd00::2 dev eth0 weight 2',
    ],
    [
      'a gateway that no route reaches, on the link',
      () => route('10.4.0.0', 16, [hop('203.0.113.1', { flags: NEXT_HOP_ONLINK })]),
      'via 203.0.113.1 dev eth0',
    ],
    ['an IPv6 gateway for IPv4', () => route('10.5.0.0', 16, [hop('fd00::2')]), '10.5.0.0/16 via inet6 fd00::2 dev eth0'],
    ['a black hole', () => route('10.6.0.0', 16, [], { type: ROUTE_TYPES.blackhole }), 'blackhole 10.6.0.0/16'],
    ['unreachable', () => route('10.7.0.0', 16, [], { type: ROUTE_TYPES.unreachable }), 'unreachable 10.7.0.0/16'],
    ['prohibit', () => route('10.8.0.0', 16, [], { type: ROUTE_TYPES.prohibit }), 'prohibit 10.8.0.0/16'],
    ['a preferred source', () => route('10.9.0.0', 16, [hop('198.18.0.2')], { source: ip('198.18.0.1') }), 'src 198.18.0.1'],
    ['a default route', () => route('0.0.0.0', 0, [hop('198.18.0.2')]), 'default via 198.18.0.2'],
    ['a default route (IPv6)', () => route('::', 0, [hop('fd00::2')]), 'default via fd00::2'],
    ['a table beyond 255', () => route('10.1.0.0', 16, [hop('198.18.0.2')], { table: 70_000 }), '10.1.0.0/16 via 198.18.0.2'],
  ])('a route: %s', async (_name, make, words) => {
    const wanted = make()
    await socket.createRoute(wanted)
    const family = wanted.destination.length === 4 ? '-4' : '-6'
    const shown = await a.must(['ip', family, 'route', 'show', 'table', String(wanted.table), 'proto', '190'])
    expect(shown).toContain(words)
    const found = await socket.routes({ protocol: 190, table: wanted.table })
    expect(found).toHaveLength(1)
    if (wanted.type === ROUTE_TYPES.unicast) expect(found.map(known)).toEqual([known(wanted)])
    else expect(found).toMatchObject([{ destination: wanted.destination, type: wanted.type, metric: 50 }])
    await expect(socket.createRoute(wanted)).rejects.toMatchObject({ code: 'EEXIST' })
    await socket.replaceRoute(wanted)
    await socket.deleteRoute(wanted)
    await expect(socket.deleteRoute(wanted)).rejects.toMatchObject({ code: 'ESRCH' })
    expect(await socket.routes({ protocol: 190 })).toEqual([])
  })

  test('a route of another owner is not deleted', async () => {
    await a.must(['ip', 'route', 'add', '10.1.0.0/16', 'via', '198.18.0.2', 'metric', '50', 'proto', 'static'])
    await expect(socket.deleteRoute(route('10.1.0.0', 16, []))).rejects.toMatchObject({ code: 'ESRCH' })
    expect(await a.must(['ip', 'route', 'show', '10.1.0.0/16'])).toContain('proto static')
    await a.must(['ip', 'route', 'del', '10.1.0.0/16'])
  })

  test('which route a packet would take, as it stands in the table', async () => {
    await a.must(['ip', 'route', 'add', '10.1.0.0/16', 'via', '198.18.0.2', 'metric', '50', 'proto', '191'])
    await a.must(['ip', 'route', 'add', 'unreachable', '10.1.7.0/24'])
    expect(await socket.matchRoute(ip('10.1.2.3'))).toMatchObject({ destination: ip('10.1.0.0'), length: 16, protocol: 191, metric: 50 })
    await expect(socket.matchRoute(ip('10.1.7.1'))).rejects.toMatchObject({ code: 'EHOSTUNREACH' })
    expect(await socket.matchRoute(ip('203.0.113.1'))).toBeUndefined()
    await a.must(['ip', 'route', 'del', '10.1.0.0/16'])
    await a.must(['ip', 'route', 'del', 'unreachable', '10.1.7.0/24'])
  })

  test('the kernel says in its words what it does not like', async () => {
    const attempt = socket.createRoute(route('10.1.0.0', 16, [{ gateway: ip('203.0.113.9'), link: 0, weight: 1, flags: 0 }]))
    await expect(attempt).rejects.toMatchObject({ code: 'ENETUNREACH', message: expect.stringMatching(/gateway/) as string })
  })

  test('many changes in one call: each is done or fails by itself', async () => {
    const changes = Array.from({ length: 3000 }, (_, i) => ({
      op: 'create' as const,
      // every thousandth is a route that is there already
      route: route(`10.${128 + ((i % 1000 === 999 ? 0 : i) >> 8)}.${(i % 1000 === 999 ? 0 : i) & 255}.0`, 24, [hop('198.18.0.2')]),
    }))
    const failures = await socket.changeRoutes(changes)
    expect(failures.map(({ index, code }) => [index, code])).toEqual([
      [999, 'EEXIST'],
      [1999, 'EEXIST'],
      [2999, 'EEXIST'],
    ])
    expect(await socket.routes({ family: 4, protocol: 190 })).toHaveLength(2997)
    expect(await socket.changeRoutes(changes.map(({ route: of }) => ({ op: 'delete', route: of })))).toHaveLength(3)
    expect(await socket.routes({ protocol: 190 })).toEqual([])
  })

  test('permanent neighbours and proxies, with the tag of their owner', async () => {
    const neighbour = { kind: 'neighbour' as const, link: eth0, ip: ip('198.18.0.77'), address: MAC, state: NUD_PERMANENT, protocol: 191 }
    const proxy = { kind: 'proxy' as const, link: eth0, ip: ip('fd00::77'), state: 0, protocol: 191 }
    await socket.addNeighbour(neighbour)
    await socket.addNeighbour(proxy)
    expect(await a.must(['ip', 'neigh', 'show', 'nud', 'permanent'])).toContain('198.18.0.77 dev eth0 lladdr 02:00:00:00:00:09')
    expect(await socket.neighbours('neighbour', eth0)).toContainEqual(neighbour)
    expect(await socket.neighbours('proxy')).toMatchObject([{ kind: 'proxy', link: eth0, ip: ip('fd00::77'), protocol: 191 }])
    await socket.deleteNeighbour(proxy)
    await socket.deleteNeighbour(neighbour)
    expect(await socket.neighbours('proxy')).toEqual([])
  })

  test.each<[string, KernelRule]>([
    [
      'by source and mark',
      {
        family: 4,
        priority: 1900,
        action: 'table',
        table: 300,
        from: { bytes: ip('10.244.0.0'), length: 16 },
        mark: 2,
        markMask: 15,
        protocol: 191,
      },
    ],
    [
      'by device (IPv6)',
      { family: 6, priority: 1901, action: 'table', table: 254, inLink: 'eth0', suppressLength: 0, mark: 0, markMask: 0, protocol: 191 },
    ],
    [
      'to nowhere',
      {
        family: 4,
        priority: 1902,
        action: 'blackhole',
        table: 0,
        to: { bytes: ip('10.1.2.0'), length: 24 },
        mark: 0,
        markMask: 0,
        protocol: 191,
      },
    ],
  ])('a rule %s', async (_name, rule) => {
    await socket.addRule(rule)
    await expect(socket.addRule(rule)).rejects.toMatchObject({ code: 'EEXIST' })
    expect(await a.must(['ip', rule.family === 4 ? '-4' : '-6', 'rule', 'show'])).toContain(`${rule.priority}:`)
    expect(await socket.rules(rule.family)).toContainEqual(rule)
    await socket.deleteRule(rule)
    expect(await socket.rules(rule.family)).not.toContainEqual(rule)
  })

  test('rules with our tag are made equal to the wanted ones; those of others stay', async () => {
    const rule = (priority: number, mark: number): KernelRule => ({
      family: 4,
      priority,
      action: 'table',
      table: 300,
      mark,
      markMask: 255,
      protocol: 191,
    })
    await a.must(['ip', 'rule', 'add', 'pref', '1950', 'lookup', '301'])
    expect(await reconcileRules(socket, [rule(1900, 1), rule(1901, 2)], 191)).toEqual({ put: 2, removed: 0 })
    expect(await reconcileRules(socket, [rule(1901, 2), rule(1900, 3)], 191)).toEqual({ put: 1, removed: 1 })
    expect(await reconcileRules(socket, [rule(1901, 2), rule(1900, 3)], 191)).toEqual({ put: 0, removed: 0 })
    expect((await socket.rules(4)).filter(({ priority }) => priority >= 1900 && priority < 2000)).toMatchObject([
      { priority: 1900, mark: 3 },
      { priority: 1901, mark: 2 },
      { priority: 1950, table: 301 },
    ])
    expect(await reconcileRules(socket, [], 191)).toEqual({ put: 0, removed: 2 })
    await a.must(['ip', 'rule', 'del', 'pref', '1950'])
  })

  test('neighbours and proxies with our tag are made equal to the wanted ones; those of others stay', async () => {
    await a.must(['ip', 'neigh', 'add', '198.18.0.90', 'lladdr', '02:00:00:00:00:90', 'dev', 'eth0'])
    const neighbour = (text: string, last: number): KernelNeighbour => ({
      kind: 'neighbour',
      link: eth0,
      ip: ip(text),
      address: Uint8Array.from([2, 0, 0, 0, 0, last]),
      state: NUD_PERMANENT,
      protocol: 191,
    })
    const proxy: KernelNeighbour = { kind: 'proxy', link: eth0, ip: ip('fd00::88'), state: 0, protocol: 191 }
    expect(await reconcileNeighbours(socket, [neighbour('198.18.0.80', 1), neighbour('fd00::81', 2), proxy], 191)).toEqual({
      put: 3,
      removed: 0,
    })
    expect(await reconcileNeighbours(socket, [neighbour('198.18.0.80', 7), proxy], 191)).toEqual({ put: 1, removed: 1 })
    expect(await reconcileNeighbours(socket, [neighbour('198.18.0.80', 7), proxy], 191)).toEqual({ put: 0, removed: 0 })
    const shown = await a.must(['ip', 'neigh', 'show', 'nud', 'permanent'])
    expect(shown).toContain('198.18.0.80 dev eth0 lladdr 02:00:00:00:00:07')
    expect(shown).toContain('198.18.0.90')
    expect(shown).not.toContain('fd00::81')
    expect(await reconcileNeighbours(socket, [], 191)).toEqual({ put: 0, removed: 2 })
  })

  test('the forwarding entries of a VXLAN are made equal to the wanted ones', async () => {
    await socket.addLink({
      name: 'vx2',
      kind: 'vxlan',
      vxlan: { id: 43, port: 4790, local: ip('198.18.0.1'), learning: false },
      isUp: true,
    })
    const link = (await socket.link('vx2'))?.index as number
    const entry = (last: number, host: string): KernelNeighbour => ({
      kind: 'forwarding',
      link,
      address: last === 0 ? new Uint8Array(6) : Uint8Array.from([2, 0, 0, 0, 0, last]),
      ip: ip(host),
      state: NUD_PERMANENT | NUD_NOARP,
      protocol: 0,
    })
    const flood = [entry(0, '198.18.0.2'), entry(0, '198.18.0.3')]
    expect(await reconcileForwarding(socket, link, [...flood, entry(1, '198.18.0.2')])).toEqual({ put: 3, removed: 0 })
    // the machine behind 1 has moved, one host is gone
    const wanted = [entry(0, '198.18.0.3'), entry(1, '198.18.0.3')]
    expect(await reconcileForwarding(socket, link, wanted)).toEqual({ put: 1, removed: 2 })
    expect(await reconcileForwarding(socket, link, wanted)).toEqual({ put: 0, removed: 0 })
    const shown = await a.must(['bridge', 'fdb', 'show', 'dev', 'vx2'])
    expect(shown).toContain('02:00:00:00:00:01 dst 198.18.0.3')
    expect(shown).not.toContain('198.18.0.2')
    await socket.deleteLink(link)
  })

  test('filters leave out what a port does, or routes with a tag; strangers and all else are told', async () => {
    const listen = (filter: Uint8Array): { readonly told: () => readonly string[]; close(): void } => {
      const told = new Set<string>()
      const monitor = NetlinkMonitor.open({
        protocol: NETLINK_ROUTE,
        namespace: a.path,
        groups: [RTNLGRP.link, RTNLGRP.ipv4Route, RTNLGRP.ipv6Route],
        clock: new FakeClock(),
        filter,
        onMessage: (message) => {
          if (message.type !== RTM.newRoute && message.type !== RTM.deleteRoute) told.add(`type ${message.type}`)
          else if (readRoute(message).length < 32) told.add(formatIp(readRoute(message).destination))
        },
        onLost: () => expect.unreachable('lost'),
        onFailed: (error) => expect.unreachable(error.message),
      })
      return { told: () => (monitor.drain(), [...told].sort()), close: () => monitor.close() }
    }
    const stranger = RouteSocket.open({ namespace: a.path })
    const [byPort, byTag] = [listen(exceptPort(socket.port)), listen(exceptRoutesOf(190))]
    const ours = [route('10.96.0.0', 16, [hop('198.18.0.2')]), route('fd96::', 16, [hop('fd00::2')])]
    const others = ours.map((of) => ({ ...of, metric: 77 }))
    const foreign = { ...route('10.97.0.0', 16, [hop('198.18.0.2')]), protocol: 4 }
    for (const of of ours) await socket.createRoute(of)
    for (const of of ours) await socket.deleteRoute(of)
    expect([byPort.told(), byTag.told()]).toEqual([[], []])
    for (const of of others) await stranger.createRoute(of)
    for (const of of others) await stranger.deleteRoute(of)
    await socket.createRoute(foreign)
    await socket.deleteRoute(foreign)
    const eth0 = await socket.link('eth0')
    await stranger.setLink(eth0?.index ?? 0, { mtu: 1400 })
    await stranger.setLink(eth0?.index ?? 0, { mtu: 1500 })
    expect(byPort.told()).toEqual(['10.96.0.0', 'fd96::', `type ${RTM.newLink}`])
    expect(byTag.told()).toEqual(['10.97.0.0', `type ${RTM.newLink}`])
    byPort.close()
    byTag.close()
    stranger.close()
  })

  test('notifications that the kernel had no room for are told as lost, and those after them arrive', async () => {
    const seen = { destinations: new Set<string>(), lost: 0 }
    const monitor = NetlinkMonitor.open({
      protocol: NETLINK_ROUTE,
      namespace: a.path,
      groups: [RTNLGRP.ipv4Route],
      // it looks only when it is told to
      clock: new FakeClock(),
      receiveBytes: 4096,
      onMessage: (message) => void (message.type === RTM.newRoute && seen.destinations.add(formatIp(readRoute(message).destination))),
      onLost: () => seen.lost++,
      onFailed: (error) => expect.unreachable(error.message),
    })
    const changes = Array.from({ length: 500 }, (_, i) => ({
      op: 'create' as const,
      route: route(`10.${i >> 8}.${i & 255}.0`, 24, [hop('198.18.0.2')]),
    }))
    expect(await socket.changeRoutes(changes)).toEqual([])
    monitor.drain()
    expect(seen.lost).toBe(1)
    expect(seen.destinations.size).toBeLessThan(500)
    await socket.createRoute(route('10.99.0.0', 16, [hop('198.18.0.2')]))
    monitor.drain()
    expect(seen.destinations).toContain('10.99.0.0')
    expect(seen.lost).toBe(1)
    monitor.close()
    await socket.changeRoutes((await socket.routes({ protocol: 190 })).map((of) => ({ op: 'delete', route: of })))
  })
})
