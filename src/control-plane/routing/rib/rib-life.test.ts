import { describe, expect, test } from 'vitest'
import { formatIp, formatPrefix } from '../../../base/ip.ts'
import { attributesOf, ip, LOCAL_AS, nlri, prefixOf, ROUTER_ID, TestRib } from './test-rib.ts'

const P = '192.0.2.0/24'
const Q = '198.51.100.0/24'
const many = (count: number): string[] => Array.from({ length: count }, (_, i) => `10.${i >> 8}.${i & 255}.0/24`)

describe('explanations name', () => {
  test('the best path and the step at which each other lost', () => {
    const t = new TestRib()
    const [a, b, c] = [t.peer(2, 100), t.peer(3, 200), t.peer(4, 300)]
    t.announce(a, attributesOf([100, 1, 2]), P)
    t.announce(b, attributesOf([200, 2]), P)
    t.announce(c, attributesOf([300, 2]), P)
    expect(t.states(P)).toEqual({ 'peer-2': 'lost at as-path-length', 'peer-3': 'best', 'peer-4': 'lost at router-id' })
    expect(t.rib.explain(prefixOf(P))?.candidates.find(({ from }) => from === 'peer-2')?.state).toMatchObject({
      text: 'AS path of 3 is longer than 2',
    })
  })

  test('loops: own AS, originator, cluster', () => {
    const t = new TestRib()
    const [a, b, c] = [t.peer(2, 100), t.peer(3, LOCAL_AS), t.peer(4, LOCAL_AS)]
    t.announce(a, attributesOf([100, LOCAL_AS]), P)
    t.announce(b, attributesOf([1], { originatorId: ROUTER_ID }), P)
    t.announce(c, attributesOf([1], { clusterList: [7, ROUTER_ID] }), P)
    expect(t.states(P)).toEqual({ 'peer-2': 'own-as', 'peer-3': 'originator', 'peer-4': 'cluster' })
  })

  test('next hops that cannot be reached, until they can', () => {
    let reachable = false
    const t = new TestRib({ resolver: { resolve: () => (reachable ? { metric: 7 } : undefined) } })
    const a = t.peer(2, 100)
    t.announce(a, attributesOf([100]), P)
    expect(t.states(P)).toEqual({ 'peer-2': 'next-hop-unreachable' })
    reachable = true
    t.rib.nextHopsChanged()
    t.work()
    expect(t.states(P)).toEqual({ 'peer-2': 'best' })
    expect(t.rib.explain(prefixOf(P))?.candidates[0]?.igpMetric).toBe(7)
  })

  test('nothing for a prefix that is not there', () => {
    expect(new TestRib().rib.explain(prefixOf(P))).toBeUndefined()
  })
})

describe('add-path: several paths of one peer', () => {
  test('compete, and are withdrawn one by one', () => {
    const t = new TestRib()
    const a = t.peer(2, 100, {}, { addPathReceive: [4] })
    t.send(a, { attributes: attributesOf([100, 1]), announced: [nlri(P, 1)] })
    t.send(a, { attributes: attributesOf([100]), announced: [nlri(P, 2)] })
    expect(t.states(P)).toEqual({ 'peer-2#1': 'lost at as-path-length', 'peer-2#2': 'best' })
    t.send(a, { withdrawn: [nlri(P, 2)] })
    expect(t.states(P)).toEqual({ 'peer-2#1': 'best' })
  })
})

describe('the forwarding table', () => {
  const gateways = (t: TestRib, prefix: string): string[] =>
    (t.rib.explain(prefixOf(prefix))?.fib?.nextHops ?? []).map(({ gateway }) => gateway?.join('.') ?? '')

  test('is told of changes once, with metrics by origin of the route', () => {
    const t = new TestRib()
    const [a, b] = [t.peer(2, 100), t.peer(3, LOCAL_AS)]
    t.announce(b, attributesOf([1, 2], { nextHop: ip('10.0.0.3') }), P)
    expect(t.rib.takeFibChanges(10)).toMatchObject({ add: [{ metric: 200, nextHops: [{ gateway: ip('10.0.0.3') }] }], remove: [] })
    t.announce(a, attributesOf([100]), P)
    expect(t.rib.takeFibChanges(10)).toMatchObject({ add: [{ metric: 20 }], remove: [{ metric: 200 }] })
    t.announce(a, attributesOf([100], { med: 3 }), P)
    expect(t.rib.takeFibChanges(10)).toBeUndefined()
    t.withdraw(a, P)
    t.withdraw(b, P)
    expect(t.rib.takeFibChanges(10)).toMatchObject({ add: [], remove: [{ metric: 20 }] })
  })

  test('gets equal-cost paths, of one AS path unless relaxed', () => {
    for (const multipathRelax of [false, true]) {
      const t = new TestRib({ maximumPaths: 4, multipathRelax })
      const [a, b, c] = [t.peer(2, 100), t.peer(3, 100), t.peer(4, 300)]
      t.announce(a, attributesOf([100]), P)
      t.announce(b, attributesOf([100], { nextHop: ip('10.0.0.3') }), P)
      t.announce(c, attributesOf([300], { nextHop: ip('10.0.0.4') }), P)
      t.rib.takeFibChanges(10)
      expect(gateways(t, P)).toEqual(['10.0.0.2', '10.0.0.3', ...(multipathRelax ? ['10.0.0.4'] : [])])
      expect(t.states(P)['peer-3']).toBe('multipath, router-id')
      t.withdraw(b, P)
      t.rib.takeFibChanges(10)
      expect(gateways(t, P)).toEqual(['10.0.0.2', ...(multipathRelax ? ['10.0.0.4'] : [])])
    }
  })

  test('gets static routes, but not what others route', () => {
    const t = new TestRib()
    t.rib.originate({ prefix: prefixOf(P), source: 'Static', attributes: { nextHop: ip('10.0.0.9') } })
    t.rib.originate({ prefix: prefixOf(Q), source: 'PodRange' })
    expect(t.rib.takeFibChanges(10)?.add.map(({ prefix }) => formatPrefix(prefix))).toEqual([P])
  })

  test('is told nothing while nobody asks, and all of it afterwards', () => {
    const t = new TestRib()
    const a = t.peer(2, 100)
    t.rib.useFib(false)
    t.announce(a, attributesOf([100]), P, Q)
    t.withdraw(a, Q)
    expect(t.rib.takeFibChanges(10)).toBeUndefined()
    expect(t.rib.counters().prefixes[4]).toBe(1)
    t.rib.useFib(true)
    expect([...t.rib.fibRoutes()].map(({ prefix }) => formatPrefix(prefix))).toEqual([P])
  })
})

describe('sessions end', () => {
  test('routes go in slices, but are out of use at once', () => {
    const t = new TestRib()
    const [a, b] = [t.peer(2, 100), t.peer(3, 200)]
    for (const prefix of many(3000)) t.announce(a, attributesOf([100]), prefix)
    t.take(b)
    t.rib.peerDown(a)
    let clock = 0
    // a clock that moves with every look: one slice per call
    expect(t.rib.work(0, () => clock++)).toBe(true)
    const after = t.received(a)
    expect(after).toBeGreaterThan(0)
    expect(after).toBeLessThan(3000)
    t.work()
    expect([t.received(a), t.take(b).routes.size, t.rib.counters().attributeSets]).toEqual([0, 0, 0])
  })

  test('graceful restart of the peer: stale routes serve until End-of-RIB, then those not repeated go', () => {
    const t = new TestRib()
    const [a, b] = [t.peer(2, 100), t.peer(3, 200)]
    t.announce(a, attributesOf([100]), P, Q)
    t.take(b).log.length = 0
    t.rib.peerDown(a, [4])
    t.work()
    expect(t.rib.peerCounters(a)).toMatchObject({ received: { 4: 2 }, stale: { 4: 2 } })
    expect([t.states(P), t.take(b).log]).toEqual([{ 'peer-2': 'best' }, []])
    t.up(a, 2, 100, { keepStale: [4] })
    t.announce(a, attributesOf([100]), P)
    expect(t.rib.peerCounters(a).stale[4]).toBe(1)
    expect(t.send(a, {})).toMatchObject({ endOfRib: 4 })
    t.work()
    expect([t.received(a), t.take(b).log]).toEqual([1, [`- ${Q}`]])
  })

  test('a peer that came back without its forwarding state loses the stale routes at once', () => {
    const t = new TestRib()
    const a = t.peer(2, 100)
    t.announce(a, attributesOf([100]), P)
    t.rib.peerDown(a, [4])
    t.up(a, 2, 100, { keepStale: [] })
    expect(t.states(P)).toEqual({ 'peer-2': 'session-down' })
    t.work()
    expect(t.received(a)).toBe(0)
  })

  test('the restart time is over: what is stale goes', () => {
    const t = new TestRib()
    const a = t.peer(2, 100)
    t.announce(a, attributesOf([100]), P)
    t.rib.peerDown(a, [4])
    t.rib.sweepStale(a)
    t.work()
    expect(t.rib.explain(prefixOf(P))?.candidates ?? []).toEqual([])
  })

  test('an enhanced refresh of the peer sweeps what it did not repeat', () => {
    const t = new TestRib()
    const a = t.peer(2, 100)
    t.announce(a, attributesOf([100]), P, Q)
    t.rib.markStale(a, 4)
    t.announce(a, attributesOf([100]), Q)
    t.rib.sweepStale(a, [4])
    t.work()
    expect([t.received(a), t.states(Q)]).toEqual([1, { 'peer-2': 'best' }])
  })

  test('a removed peer leaves nothing, and its number is used again', () => {
    const t = new TestRib()
    const a = t.peer(2, 100)
    t.announce(a, attributesOf([100]), P)
    t.rib.removePeer(a)
    t.work()
    t.rib.takeFibChanges(10)
    expect(t.rib.counters()).toMatchObject({ paths: 0, attributeSets: 0 })
    expect(t.rib.addPeer({ name: 'next', address: ip('10.0.0.9') })).toBe(a)
  })
})

describe('bounds and errors', () => {
  test('one prefix too many ends the session, naming family and limit; replacements do not count', () => {
    const t = new TestRib()
    const a = t.peer(2, 100, { maximumPrefixes: { 4: 2 } })
    expect(t.announce(a, attributesOf([100]), P, Q).fault).toBeUndefined()
    expect(t.announce(a, attributesOf([100, 1]), P, Q).fault).toBeUndefined()
    expect(t.announce(a, attributesOf([100]), '203.0.113.0/24').fault).toMatchObject({
      code: 6,
      subcode: 1,
      data: Uint8Array.of(0, 1, 1, 0, 0, 0, 2),
    })
    expect(t.rib.counters().prefixes[4]).toBe(2)
  })

  test('a malformed attribute withdraws the route that was there', () => {
    const t = new TestRib()
    const a = t.peer(2, 100)
    t.announce(a, attributesOf([100]), P)
    const outcome = t.announce(a, attributesOf([100], { nextHop: ip('224.0.0.1') }), P)
    expect(outcome).toMatchObject({ announced: 0, withdrawn: 1, errors: [{ action: 'treat-as-withdraw', attribute: 'NEXT_HOP' }] })
    expect(t.received(a)).toBe(0)
  })

  test('a malformed prefix of IPv6 disables IPv6 for the session; IPv4 goes on', () => {
    const t = new TestRib()
    const a = t.peer(2, 100)
    const attributes = { origin: 0, asPath: [] }
    const reach = (length: number): object => ({
      mpReach: { family: 6, nextHop: ip('2001:db8::2'), nlri: [{ ...nlri('2001:db8::/32'), length }] },
      attributes,
    })
    t.send(a, reach(32))
    expect(t.received(a, 6)).toBe(1)
    expect(t.send(a, reach(129))).toMatchObject({ disabledFamily: 6 })
    t.work()
    t.send(a, reach(32))
    t.announce(a, attributesOf([100]), P)
    expect([t.received(a, 6), t.received(a, 4)]).toEqual([0, 1])
  })
})

test('a route of one family does not disturb those of the other', () => {
  const t = new TestRib()
  const a = t.peer(2, 100)
  t.announce(a, attributesOf([100]), P)
  const reach = { family: 6 as const, nextHop: ip('2001:db8::2'), nlri: [nlri('2001:db8:1:2:3:4:5:6/128')] }
  t.send(a, { mpReach: reach, attributes: { origin: 0, asPath: [] } })
  t.announce(a, attributesOf([100, 1]), P)
  expect([t.received(a, 4), t.received(a, 6)]).toEqual([1, 1])
  t.withdraw(a, P)
  expect(t.received(a, 4)).toBe(0)
})

test('listeners are told once until the work is taken', () => {
  const t = new TestRib()
  const [a, b] = [t.peer(2, 100), t.peer(3, 200)]
  t.take(b)
  t.rib.takeFibChanges(10)
  t.told.length = 0
  t.announce(a, attributesOf([100]), P)
  t.announce(a, attributesOf([100]), Q)
  expect(t.told).toEqual([`exports ${b}`, 'fib'])
  expect(t.rib.list(4, 1, 5).map(formatPrefix)).toEqual([Q])
})

describe('restarts in a row', () => {
  const kept = { keepStale: [4] as const }

  test('what was stale already does not outlive the next restart (RFC 4724 section 4.2)', () => {
    const t = new TestRib()
    const a = t.peer(2, 100)
    t.announce(a, attributesOf([100]), P, Q)
    t.rib.peerDown(a, [4])
    t.up(a, 2, 100, kept)
    t.announce(a, attributesOf([100]), P)
    t.rib.peerDown(a, [4])
    t.work()
    expect([t.states(P), t.states(Q)]).toEqual([{ 'peer-2': 'best' }, {}])
    expect(t.rib.peerCounters(a)).toMatchObject({ received: { 4: 1 }, stale: { 4: 1 } })
  })

  test('a sweep that is under way takes nothing of what a restart or a refresh makes stale', () => {
    for (const again of ['restart', 'refresh'] as const) {
      const t = new TestRib()
      const a = t.peer(2, 100)
      t.announce(a, attributesOf([100]), P, Q)
      t.rib.peerDown(a, [4])
      t.up(a, 2, 100, kept)
      t.announce(a, attributesOf([100]), P)
      t.send(a, {})
      if (again === 'restart') t.rib.peerDown(a, [4])
      else t.rib.markStale(a, 4)
      t.work()
      expect([again, t.states(P), t.states(Q)]).toEqual([again, { 'peer-2': 'best' }, {}])
    }
  })

  test('a sweep that nothing is left for does not wait for the next restart', () => {
    const t = new TestRib()
    const a = t.peer(2, 100)
    t.announce(a, attributesOf([100]), P)
    t.rib.peerDown(a, [4])
    t.up(a, 2, 100, kept)
    t.rib.sweepStale(a)
    t.announce(a, attributesOf([100]), P)
    t.rib.peerDown(a, [4])
    t.work()
    expect(t.states(P)).toEqual({ 'peer-2': 'best' })
  })
})

test('the begin of a refresh within another, or before the routes after a restart, makes nothing stale anew', () => {
  const t = new TestRib()
  const a = t.peer(2, 100)
  t.announce(a, attributesOf([100]), P, Q)
  t.rib.peerDown(a, [4])
  t.up(a, 2, 100, { keepStale: [4] })
  t.announce(a, attributesOf([100]), P)
  t.rib.markStale(a, 4)
  t.send(a, {})
  t.work()
  expect([t.states(P), t.states(Q)]).toEqual([{ 'peer-2': 'best' }, {}])
  t.announce(a, attributesOf([100]), Q)
  t.rib.markStale(a, 4)
  t.announce(a, attributesOf([100]), P)
  t.rib.markStale(a, 4)
  t.rib.sweepStale(a, [4])
  t.work()
  expect([t.states(P), t.states(Q)]).toEqual([{ 'peer-2': 'best' }, {}])
})

describe('churn', () => {
  test('next hops that nobody has any more are forgotten, and not mistaken for later ones', () => {
    const asked: string[] = []
    const t = new TestRib({
      resolver: {
        resolve: (hop) => {
          asked.push(formatIp(hop))
          return { metric: 0 }
        },
      },
    })
    const a = t.peer(2, 100)
    for (let i = 1; i <= 50; i++) {
      t.announce(a, attributesOf([100], { nextHop: ip(`10.1.0.${i}`) }), P)
      const routes = t.rib.takeFibChanges(10)?.add.map(({ nextHops }) => nextHops.map(({ gateway }) => gateway && formatIp(gateway)))
      expect(routes).toEqual([[`10.1.0.${i}`]])
    }
    asked.length = 0
    t.rib.nextHopsChanged()
    expect(asked).toEqual(['10.1.0.50'])
    expect(t.rib.counters()).toMatchObject({ nextHops: 1, nextHopSets: 1 })
  })
})
