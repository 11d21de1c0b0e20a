import { describe, expect, test } from 'vitest'
import { compileRoutePolicy } from '../../../policy/route/index.ts'
import { attributesOf, ip, LOCAL_AS, nlri, prefixOf, ROUTER_ID, TestRib } from './test-rib.ts'

const P = '192.0.2.0/24'
const Q = '198.51.100.0/24'

describe('what a peer is told', () => {
  test('external: own AS first, next hop self, no local preference, no MED of others', () => {
    const t = new TestRib()
    const [a, b] = [t.peer(2, 100), t.peer(3, 200)]
    t.announce(a, attributesOf([100], { med: 5 }), P)
    expect(t.take(b).routes.get(P)).toEqual({ origin: 0, asPath: [{ kind: 'sequence', as: [LOCAL_AS, 100] }], nextHop: ip('10.0.0.1') })
    expect(t.take(a).routes.size).toBe(0)
  })

  test('internal: path and next hop as they were, local preference given', () => {
    const t = new TestRib()
    const [a, b] = [t.peer(2, 100), t.peer(3, LOCAL_AS)]
    t.announce(a, attributesOf([100], { med: 5 }), P)
    expect(t.take(b).routes.get(P)).toEqual({ ...attributesOf([100]), med: 5, localPreference: 100 })
  })

  test('internal routes go to internal peers only through reflection, which leaves its marks', () => {
    const t = new TestRib()
    const [a, b, client] = [t.peer(2, LOCAL_AS), t.peer(3, LOCAL_AS), t.peer(4, LOCAL_AS, { routeReflectorClient: true })]
    t.announce(a, attributesOf([100]), P)
    expect(t.take(b).routes.size).toBe(0)
    expect(t.take(client).routes.get(P)).toMatchObject({ originatorId: 2, clusterList: [ROUTER_ID], nextHop: ip('10.0.0.2') })
    t.announce(client, attributesOf([100], { nextHop: ip('10.0.0.4') }), Q)
    expect(t.take(b).routes.get(Q)).toMatchObject({ originatorId: 4, clusterList: [ROUTER_ID] })
  })

  test('third-party next hops stay on a shared subnet, except for their owner', () => {
    const t = new TestRib()
    const sharedSubnets = [prefixOf('10.0.0.0/24')]
    const [a, b] = [t.peer(2, 100), t.peer(3, 200, {}, { sharedSubnets })]
    t.announce(a, attributesOf([100], { nextHop: ip('10.0.0.9') }), P)
    t.announce(a, attributesOf([100], { nextHop: ip('10.0.0.3') }), Q)
    expect(t.take(b).routes.get(P)?.nextHop).toEqual(ip('10.0.0.9'))
    expect(t.take(b).routes.get(Q)?.nextHop).toEqual(ip('10.0.0.1'))
  })

  test('no-export stays inside, no-advertise stays here', () => {
    const t = new TestRib()
    const [a, b, c] = [t.peer(2, 100), t.peer(3, 200), t.peer(4, LOCAL_AS)]
    t.announce(a, attributesOf([100], { communities: [0xffffff01] }), P)
    t.announce(a, attributesOf([100], { communities: [0xffffff02] }), Q)
    expect([t.take(b).routes.size, [...t.take(c).routes.keys()]]).toEqual([0, [P]])
  })

  test('without policies external peers neither give nor get (RFC 8212); internal ones do', () => {
    const t = new TestRib()
    const no = { allowWithoutPolicy: false }
    const [a, b, c] = [t.peer(2, 100, no), t.peer(3, 200, no), t.peer(4, LOCAL_AS, no)]
    t.announce(a, attributesOf([100]), P)
    t.announce(c, attributesOf([300], { nextHop: ip('10.0.0.4') }), Q)
    expect(t.states(P)).toEqual({ 'peer-2': 'no-policy' })
    expect(t.states(Q)).toEqual({ 'peer-4': 'best' })
    expect(t.take(b)).toMatchObject({ routes: new Map(), log: ['end 4', 'end 6'] })
  })

  test('graceful shutdown (RFC 8326): the community goes out, and its bearer is the last choice', () => {
    const t = new TestRib()
    const [a, b] = [t.peer(2, 100), t.peer(3, 200, { gracefulShutdown: true })]
    t.announce(a, attributesOf([100], { communities: [0xffff0000] }), P)
    expect(t.rib.explain(prefixOf(P))?.candidates[0]?.attributes?.localPreference).toBe(0)
    expect(t.take(b).routes.get(P)?.communities).toEqual([0xffff0000])
  })

  test('an own AS for one peer alone is what that peer sees, and its loops are found', () => {
    const t = new TestRib()
    const [a, b] = [t.peer(2, 100), t.peer(3, 200, {}, { localAs: 64999 })]
    t.announce(a, attributesOf([100]), P)
    expect(t.take(b).routes.get(P)?.asPath).toEqual([{ kind: 'sequence', as: [64999, 100] }])
    t.announce(b, attributesOf([200, 64999]), Q)
    expect(t.states(Q)).toEqual({ 'peer-3': 'own-as' })
    t.announce(b, attributesOf([200, LOCAL_AS]), Q)
    expect(t.states(Q)).toEqual({ 'peer-3': 'own-as' })
  })

  test('a path of an external peer begins with its AS, unless it is a transparent route server', () => {
    const t = new TestRib()
    const a = t.peer(2, 100)
    const c = t.peer(4, LOCAL_AS)
    t.announce(a, attributesOf([200, 100]), P)
    t.announce(a, attributesOf([]), Q)
    t.announce(c, attributesOf([300]), '10.3.0.0/16')
    expect([t.states(P), t.states(Q)]).toEqual([{ 'peer-2': 'first-as' }, { 'peer-2': 'first-as' }])
    expect(t.states('10.3.0.0/16')).toEqual({ 'peer-4': 'best' })
    // a route that was good before goes
    t.announce(a, attributesOf([100, 200]), P)
    expect(t.states(P)).toEqual({ 'peer-2': 'best' })
    t.announce(a, attributesOf([200, 100]), P)
    expect(t.take(c).routes.size).toBe(0)
    t.rib.configurePeer(a, { name: 'peer-2', address: ip('10.0.0.2'), allowWithoutPolicy: true, enforceFirstAs: false })
    t.work()
    expect([t.states(P), t.states(Q)]).toEqual([{ 'peer-2': 'best' }, { 'peer-2': 'best' }])
  })

  test('IPv6: next hop global and link-local to external peers, global alone to internal ones', () => {
    const t = new TestRib()
    const localLinkLocal = ip('fe80::1')
    const [a, b, c] = [t.peer(2, 100), t.peer(3, 200, {}, { localLinkLocal }), t.peer(4, LOCAL_AS, {}, { localLinkLocal })]
    const reach = { family: 6 as const, nextHop: ip('2001:db8::2'), linkLocal: ip('fe80::2'), nlri: [nlri('2001:db8:7::/48')] }
    t.send(a, { mpReach: reach, attributes: { origin: 0, asPath: [{ kind: 'sequence', as: [100] }] } })
    expect(t.take(b).routes.get('2001:db8:7::/48')).toMatchObject({ nextHop: ip('2001:db8::1'), linkLocal: localLinkLocal })
    expect(t.take(c).routes.get('2001:db8:7::/48')?.nextHop).toEqual(ip('2001:db8::2'))
    expect(t.take(c).routes.get('2001:db8:7::/48')).not.toHaveProperty('linkLocal')
    t.send(a, { mpUnreach: { family: 6, nlri: [nlri('2001:db8:7::/48')] } })
    expect(t.take(b).routes.size).toBe(0)
  })

  test('IPv4 over IPv6 next hops where it was agreed on (RFC 8950)', () => {
    const t = new TestRib()
    const [a, b, c] = [
      t.peer(2, 100, {}, { extendedNextHop: true }),
      t.peer(3, 200, {}, { extendedNextHop: true, localAddresses: { 6: ip('2001:db8::1') } }),
      t.peer(4, 300, {}, { localAddresses: { 6: ip('2001:db8::1') } }),
    ]
    const reach = { family: 4 as const, nextHop: ip('2001:db8::2'), nlri: [nlri(P)] }
    t.send(a, { mpReach: reach, attributes: { origin: 0, asPath: [{ kind: 'sequence', as: [100] }] } })
    expect(t.take(b).routes.get(P)?.nextHop).toEqual(ip('2001:db8::1'))
    expect(t.take(c).routes.size).toBe(0)
    expect(t.rib.explain(prefixOf(P))?.exports.find(({ peer }) => peer === 'peer-4')?.reason).toContain('no next hop')
  })

  test('2-byte speakers get AS4_PATH; what does not fit their messages is not sent', () => {
    const t = new TestRib()
    const [a, b] = [t.peer(2, 100, {}, { maxMessageBytes: 65535 }), t.peer(3, 200, {}, { fourOctetAs: false })]
    t.announce(a, attributesOf([100, 70000]), P)
    t.announce(a, attributesOf([100], { communities: Array.from({ length: 1100 }, (_, i) => i) }), Q)
    expect(t.take(b).routes.get(P)?.asPath).toEqual([{ kind: 'sequence', as: [LOCAL_AS, 100, 70000] }])
    expect(t.take(b).routes.has(Q)).toBe(false)
  })
})

describe('how it is told', () => {
  test('prefixes that share attributes share a message; all fit the size agreed on', () => {
    const t = new TestRib()
    const [a, b] = [t.peer(2, 100), t.peer(3, 200)]
    t.take(b)
    for (let i = 0; i < 2000; i++) t.announce(a, attributesOf([100]), `10.${i >> 8}.${i & 255}.0/24`)
    const { log } = t.take(b)
    expect(log.slice(2).length).toBe(2)
    expect(t.rib.peerCounters(b)).toMatchObject({ updatesOut: 2, advertised: { 4: 2000 } })
  })

  test('a slow peer hears of the last state only, and of nothing that came and went', () => {
    const t = new TestRib()
    const [a, b] = [t.peer(2, 100), t.peer(3, 200)]
    t.announce(a, attributesOf([100, 1]), P)
    t.announce(a, attributesOf([100, 2]), P)
    t.announce(a, attributesOf([100]), Q)
    t.withdraw(a, Q)
    // nothing was there when the session came up
    expect(t.take(b).log).toEqual(['end 4', `+ ${P}`, 'end 6'])
    expect(t.told.filter((one) => one === `exports ${b}`).length).toBe(1)
  })

  test('End-of-RIB follows what was there when the session came up', () => {
    const t = new TestRib()
    const a = t.peer(2, 100)
    t.announce(a, attributesOf([100]), P)
    const b = t.peer(3, 200)
    t.announce(a, attributesOf([100]), Q)
    t.take(b, 1)
    const log = t.heard.get(b)?.log ?? []
    expect(log.findIndex((line) => line.includes(P))).toBeLessThan(log.indexOf('end 4'))
  })

  test('route refresh: everything again, enclosed when both know how (RFC 7313)', () => {
    const t = new TestRib()
    const [a, b] = [t.peer(2, 100), t.peer(3, 200)]
    t.announce(a, attributesOf([100]), P)
    t.take(b).log.length = 0
    t.rib.refresh(b, 4, true)
    expect(t.take(b).log).toEqual(['refresh 1', `+ ${P}`, 'refresh 2'])
    t.rib.refresh(b, 6, true)
    expect(t.take(b).log.slice(3)).toEqual(['refresh 1', 'refresh 2'])
  })

  test('held back during our own restart, then all of it before End-of-RIB', () => {
    const t = new TestRib()
    const a = t.peer(2, 100)
    const b = t.peer(3, 200, {}, { deferExports: true })
    t.announce(a, attributesOf([100]), P)
    expect(t.take(b).log).toEqual([])
    t.rib.releaseExports(b)
    expect(t.take(b).log).toEqual([`+ ${P}`, 'end 4', 'end 6'])
  })
})

describe('policies', () => {
  const reject = compileRoutePolicy('closed', { rules: [{ name: 'all', action: 'Reject' }] })

  test('a new import policy is applied to what is held, without the session (soft reconfiguration)', () => {
    const t = new TestRib()
    const [a, b] = [t.peer(2, 100), t.peer(3, 200)]
    t.announce(a, attributesOf([100]), P, Q)
    t.take(b)
    const options = { name: 'peer-2', address: ip('10.0.0.2'), allowWithoutPolicy: true }
    t.rib.configurePeer(a, { ...options, importPolicy: reject })
    t.work()
    expect(t.states(P)).toEqual({ 'peer-2': 'rejected by all of closed' })
    expect(t.take(b).routes.size).toBe(0)
    expect(t.rib.peerCounters(a)).toMatchObject({ received: { 4: 2 }, accepted: { 4: 0 } })
    t.rib.configurePeer(a, options)
    t.work()
    expect(t.take(b).routes.size).toBe(2)
  })

  test('a new export policy sends what changes, and nothing when nothing does', () => {
    const t = new TestRib()
    const [a, b] = [t.peer(2, 100), t.peer(3, 200)]
    t.announce(a, attributesOf([100]), P)
    t.take(b).log.length = 0
    const options = { name: 'peer-3', address: ip('10.0.0.3'), allowWithoutPolicy: true }
    t.rib.configurePeer(b, { ...options, exportPolicy: compileRoutePolicy('open', { rules: [], defaultAction: 'Accept' }) })
    expect(t.take(b).log).toEqual([])
    t.rib.configurePeer(b, { ...options, exportPolicy: reject })
    expect(t.take(b).log).toEqual([`- ${P}`])
    expect(t.rib.explain(prefixOf(P))?.exports.find(({ peer }) => peer === 'peer-3')?.reason).toContain('rule "all" of policy closed')
  })
})
