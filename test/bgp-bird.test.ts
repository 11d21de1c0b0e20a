import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createNetworkLab, labProblem, type LabHost, type NetworkLab, type Segment } from '../src/testing/network-lab/index.ts'
import type { BgpPeerSpec } from '../src/api/routing.biplane.dev/v1alpha1/bgp-peer.ts'
import { Bird, birdProblem } from './bgp-support/bird.ts'
import { ACCEPT_ALL, LabSpeaker, type RoutingObjects } from './bgp-support/lab-speaker.ts'
import { startTraffic, type LabTraffic } from './bgp-support/traffic.ts'

const missing = labProblem() || birdProblem()

describe.skipIf(missing !== '')(`BGP with BIRD${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let lab: NetworkLab
  let us: LabHost
  let them: LabHost
  let wire: Segment
  let bird: Bird | undefined
  let speaker: LabSpeaker | undefined
  let traffic: LabTraffic | undefined

  beforeAll(async () => {
    lab = await createNetworkLab()
    us = await lab.host('us')
    them = await lab.host('them')
    wire = await lab.segment([
      { host: us, device: 'eth0', addresses: ['192.0.2.1/24', '2001:db8::1/64'] },
      { host: them, device: 'eth0', addresses: ['192.0.2.2/24', '2001:db8::2/64'] },
    ])
    await them.must(['ip', 'address', 'add', '198.51.100.1/32', 'dev', 'lo'])
  })
  afterEach(async () => {
    await speaker?.shutdown()
    await bird?.stop()
    await traffic?.stop()
    speaker = bird = traffic = undefined
    await wire.heal(them)
  })
  afterAll(() => lab.remove())

  const objects = (more: Partial<RoutingObjects> = {}): RoutingObjects => ({
    router: { asn: 65_001 },
    podCIDRs: ['10.244.1.0/24', 'fd00:10:244:1::/64'],
    policies: { all: ACCEPT_ALL },
    peers: {
      tor: {
        address: '192.0.2.2',
        asn: 65_002,
        families: ['ipv4', 'ipv6'],
        importPolicies: ['all'],
        exportPolicies: ['all'],
        timers: { connectRetrySeconds: 1, holdSeconds: 9 },
      },
    },
    ...more,
  })

  /** `objects` with more in the peer. */
  const withPeer = (peer: Partial<BgpPeerSpec>, more: Partial<RoutingObjects> = {}): RoutingObjects => {
    const base = objects(more)
    return { ...base, peers: { tor: { ...base.peers!['tor']!, ...peer } } }
  }
  const begin = async (config: string, wanted: RoutingObjects): Promise<[Bird, LabSpeaker]> => {
    bird = await Bird.start(them, config)
    speaker = await LabSpeaker.start(us, wanted)
    return [bird, speaker]
  }

  test('routes of both families go both ways, into the kernel too', async () => {
    const [bird, speaker] = await begin(birdConfig(), objects())
    await speaker.established('tor')
    const route = await speaker.learned('198.51.100.0/24')
    expect(route.candidates[0]).toMatchObject({ state: 'best', received: { asPath: '65002', nextHop: '192.0.2.2' } })
    await speaker.learned('2001:db8:100::/48')
    await bird.shows('show route for 10.244.1.0/24 all', /BGP.as_path: 65001\n.*BGP.next_hop: 192.0.2.1\n/s)
    await bird.shows('show route for fd00:10:244:1::/64 all', /BGP.next_hop: 2001:db8::1/)
    expect(await speaker.kernelRoutes()).toContain('198.51.100.0/24 via 192.0.2.2 dev eth0 metric 20 ')
    await bird.configure(birdConfig({ routes: '' }))
    await speaker.lost('198.51.100.0/24')
  })

  test('policies change what is sent and what is taken', async () => {
    const policies: RoutingObjects['policies'] = {
      out: {
        rules: [
          {
            name: 'pods',
            match: { sources: ['PodRange'], prefixes: [{ prefix: '10.244.0.0/16', le: 24 }] },
            set: {
              med: 77,
              prepend: { count: 2 },
              communities: { add: ['65001:100', 'no-export'] },
              largeCommunities: { add: ['65001:1:2'] },
            },
            action: 'Accept',
          },
        ],
      },
      in: {
        rules: [
          { name: 'no default', match: { prefixes: [{ prefix: '0.0.0.0/0' }] }, action: 'Reject' },
          {
            name: 'preferred',
            match: { communities: { any: ['65002:7'] }, largeCommunities: { any: ['65002:*:8'] }, asPath: ['^65002$'] },
            set: { localPreference: 300 },
            action: 'Accept',
          },
        ],
      },
    }
    const routes = `route 198.51.100.0/24 blackhole { bgp_community.add((65002, 7)); bgp_large_community.add((65002, 1, 8)); };
      route 203.0.113.0/24 blackhole; route 0.0.0.0/0 blackhole;`
    const [bird, speaker] = await begin(birdConfig({ routes }), withPeer({ importPolicies: ['in'], exportPolicies: ['out'] }, { policies }))
    await speaker.learned('198.51.100.0/24')
    expect(speaker.explain('198.51.100.0/24')?.candidates[0]).toMatchObject({
      accepted: { localPreference: 300 },
      policy: 'in/preferred',
      received: { communities: ['65002:7'], largeCommunities: ['65002:1:8'] },
    })
    const rejected = await speaker.waitFor('rejected route', () => speaker.explain('203.0.113.0/24'))
    expect(rejected.candidates[0]).toMatchObject({ state: 'rejected', reason: 'rejected by in/default' })
    expect(speaker.explain('0.0.0.0/0')?.candidates[0]).toMatchObject({ state: 'rejected', reason: 'rejected by in/no default' })
    const seen = await bird.shows('show route for 10.244.1.0/24 all', /BGP.as_path: 65001 65001 65001\n/)
    expect(seen).toMatch(/BGP.med: 77\n/)
    expect(seen).toMatch(/BGP.community: \(65001,100\) \(65535,65281\)\n/)
    expect(seen).toMatch(/BGP.large_community: \(65001, 1, 2\)/)
    // the other pod range matches no rule
    expect(await bird.show('show route protocol peer')).not.toContain('fd00:10:244:1::/64')
    // a change of a policy alone does not touch the session
    const { transitions } = speaker.peer('tor')!
    speaker.apply(withPeer({ importPolicies: ['in'], exportPolicies: ['all'] }, { policies: { ...policies, all: ACCEPT_ALL } }))
    await bird.shows('show route for fd00:10:244:1::/64', /fd00:10:244:1::\/64/)
    expect(speaker.peer('tor')).toMatchObject({ transitions, state: 'Established' })
  })

  test('an external peer without policies gives and gets nothing', async () => {
    const [bird, speaker] = await begin(birdConfig(), withPeer({ importPolicies: [], exportPolicies: [] }))
    const peer = await speaker.established('tor')
    await speaker.waitFor('prefixes', () => (speaker.peer('tor')?.prefixesReceived ?? 0) >= 2)
    expect(speaker.explain('198.51.100.0/24')?.candidates[0]).toMatchObject({ state: 'invalid' })
    expect(peer.prefixesSent).toBe(0)
    expect(await bird.show('show route protocol peer')).not.toContain('10.244.1.0')
    expect(await speaker.kernelRoutes()).toEqual([])
  })

  test.each([
    ['we call', 'passive on;', {}],
    ['we are called', '', { passive: true }],
  ] as const)('MD5: a session with the right password, none with a wrong one (%s)', async (_who, session, peer) => {
    const wanted = (password: string): RoutingObjects =>
      withPeer({ ...peer, passwordSecretRef: { name: 'bgp' } }, { passwords: { bgp: password } })
    const [, speaker] = await begin(birdConfig({ session: `${session} password "s3cret";` }), wanted('wrong'))
    await speaker.waitFor('an attempt', async () =>
      (await them.run(['nstat', '-az', 'TcpExtTCPMD5Failure'])).stdout.match(/TCPMD5Failure\s+[1-9]/),
    )
    expect(speaker.peer('tor')?.state).not.toBe('Established')
    speaker.apply(wanted('s3cret'))
    await speaker.established('tor')
    await speaker.learned('198.51.100.0/24')
  })

  test('MD5: a peer without a password is not heard', async () => {
    const [bird, speaker] = await begin(
      birdConfig(),
      withPeer({ passive: true, passwordSecretRef: { name: 'bgp' } }, { passwords: { bgp: 's3cret' } }),
    )
    await us.run(['nstat', '-n'])
    await speaker.waitFor('a refusal', async () =>
      (await us.run(['nstat', '-az', 'TcpExtTCPMD5NotFound'])).stdout.match(/NotFound\s+[1-9]/),
    )
    expect(speaker.peer('tor')?.state).toBe('Active')
    expect(await bird.show('show protocols peer')).not.toContain('Established')
  })

  test('TTL security: both sides send 255 and take nothing less', async () => {
    const [bird, speaker] = await begin(birdConfig({ session: 'ttl security on;' }), withPeer({ ttlSecurityHops: 1 }))
    await speaker.established('tor')
    await speaker.learned('198.51.100.0/24')
    // without it on our side our packets have a TTL of 1, which BIRD drops
    speaker.apply(withPeer({}))
    await speaker.waitFor('end of the session', () => speaker!.peer('tor')?.state !== 'Established')
    await bird.shows('show protocols peer', /Connect|Active|OpenSent/)
    expect(speaker.peer('tor')?.state).not.toBe('Established')
  })

  test('a peer that restarts loses no packet: its routes stay until it has sent them again', async () => {
    const [bird, speaker] = await begin(birdConfig({ session: 'graceful restart on;' }), objects())
    await speaker.learned('198.51.100.0/24')
    traffic = await startTraffic(us, them, '198.51.100.1')
    await bird.kill()
    await speaker.waitFor('loss of the session', () => speaker.peer('tor')?.state !== 'Established')
    expect(speaker.explain('198.51.100.0/24')?.candidates[0]).toMatchObject({ stale: true, state: 'best' })
    await bird.restart(undefined, ['-R'])
    await speaker.established('tor')
    await speaker.waitFor('fresh routes', () => speaker.explain('198.51.100.0/24')?.candidates[0]?.stale === false)
    const { sent, lost } = await traffic.stop()
    console.log(`restart of BIRD: ${sent} datagrams through a learned route, ${lost} lost`)
    expect(lost).toBe(0)
    expect(sent).toBeGreaterThan(20)
  })

  test('our own restart loses no packet on either side', async () => {
    const [bird, before] = await begin(birdConfig(), objects())
    await before.learned('198.51.100.0/24')
    await bird.shows('show route for 10.244.1.0/24', /10.244.1.0/)
    traffic = await startTraffic(us, them, '198.51.100.1')
    await before.leave()
    expect(await before.kernelRoutes()).toHaveLength(2)
    await bird.shows('show protocols all peer', /Neighbor graceful restart active|BGP state:\s+(Connect|Active|Idle)/)
    await bird.shows('show route for 10.244.1.0/24', /10.244.1.0/)
    speaker = await LabSpeaker.start(us, objects(), { restarted: true })
    expect(speaker.speaker.isDeferring).toBe(true)
    await speaker.established('tor')
    await speaker.waitFor('end of the restart', () => !speaker?.speaker.isDeferring)
    await speaker.learned('198.51.100.0/24')
    await bird.shows('show route for 10.244.1.0/24 all', /10.244.1.0\/24\s+unicast \[peer [\d:.]+\] \*/)
    const { sent, lost } = await traffic.stop()
    console.log(`our restart: ${sent} datagrams through a learned route, ${lost} lost`)
    expect(lost).toBe(0)
    expect(sent).toBeGreaterThan(20)
  })

  test('our own restart is told from a dead path where BFD watches and BIRD lets it', async () => {
    const before = 'protocol bfd { interface "eth0" { min rx interval 100 ms; min tx interval 100 ms; multiplier 3; }; }'
    const bfd = { minimumTransmitMilliseconds: 100, minimumReceiveMilliseconds: 100, detectMultiplier: 3 }
    const [bird, first] = await begin(birdConfig({ session: 'bfd graceful;', before }), withPeer({ bfd }))
    await first.waitFor('BFD', () => first.peer('tor')?.bfd === 'Up')
    await bird.shows('show route for 10.244.1.0/24', /10.244.1.0/)
    await first.leave()
    // no packets any more
    await bird.shows('show bfd sessions', /192.0.2.1\s+eth0\s+Down/)
    await bird.shows('show route for 10.244.1.0/24 all', /10.244.1.0/)
    speaker = await LabSpeaker.start(us, withPeer({ bfd }), { restarted: true })
    await speaker.waitFor('BFD', () => speaker?.peer('tor')?.bfd === 'Up')
    await speaker.established('tor')
    await bird.shows('show route for 10.244.1.0/24 all', /10.244.1.0\/24\s+unicast \[peer [\d:.]+\] \*/)
  })

  test('a route that the peer no longer has after its restart is swept with End-of-RIB', async () => {
    const session = 'graceful restart on;'
    const [bird, speaker] = await begin(
      birdConfig({ session, routes: 'route 198.51.100.0/24 blackhole; route 203.0.113.0/24 blackhole;' }),
      objects(),
    )
    await speaker.learned('203.0.113.0/24')
    await bird.kill()
    await speaker.waitFor('loss of the session', () => speaker.peer('tor')?.state !== 'Established')
    expect(speaker.explain('203.0.113.0/24')?.candidates[0]).toMatchObject({ stale: true, state: 'best' })
    await bird.restart(birdConfig({ session }), ['-R'])
    await speaker.lost('203.0.113.0/24')
    await speaker.learned('198.51.100.0/24')
  })

  test('neighbours from a range come and go, up to a limit', async () => {
    const range: RoutingObjects = {
      ...objects(),
      peers: {
        range: { prefixes: ['192.0.2.0/24'], peerType: 'External', dynamicLimit: 1, importPolicies: ['all'], exportPolicies: ['all'] },
      },
    }
    const [bird, speaker] = await begin(birdConfig(), range)
    await speaker.learned('198.51.100.0/24')
    expect(speaker.peer('range')).toMatchObject({ dynamic: true, address: '192.0.2.2', asn: 65_002 })
    await bird.configure(birdConfig({ session: 'graceful restart off;' }))
    await speaker.waitFor('the session again', () => speaker.peer('range')?.state === 'Established')
    await bird.show('disable peer')
    await speaker.waitFor('the neighbour to be forgotten', () => speaker.peer('range') === undefined)
    await speaker.lost('198.51.100.0/24')
  })

  test('too many prefixes end the session, for a while', async () => {
    const routes = 'route 198.51.100.0/24 blackhole; route 203.0.113.0/24 blackhole; route 198.18.0.0/15 blackhole;'
    const [bird, speaker] = await begin(
      birdConfig({ routes }),
      withPeer({ maximumPrefixes: [{ family: 'ipv4', limit: 2, action: 'Restart', restartSeconds: 2 }] }),
    )
    await speaker.waitFor('the end', () => speaker.peer('tor')?.lastError?.includes('maximum number of prefixes'))
    await bird.shows('show protocols all peer', /maximum|Maximum|hard reset|Hard reset/i)
    await bird.configure(birdConfig())
    await speaker.established('tor')
  })

  test('draining sends GRACEFUL_SHUTDOWN, and an end says why', async () => {
    const [bird, speaker] = await begin(birdConfig(), objects())
    await bird.shows('show route for 10.244.1.0/24 all', /BGP.as_path/)
    const { transitions } = await speaker.established('tor')
    speaker.apply({ ...objects(), router: { asn: 65_001, drain: true } })
    await bird.shows('show route for 10.244.1.0/24 all', /BGP.community: .*\(65535,0\)/)
    expect(speaker.peer('tor')?.transitions).toBe(transitions)
    speaker.apply(withPeer({ shutdown: true, shutdownMessage: 'new cables' }))
    await bird.shows('show protocols all peer', /Received: .*(shutdown|reset)/i)
  })

  test('BFD finds a dead path long before the hold time', async () => {
    const session = 'bfd on;'
    const before = 'protocol bfd { interface "eth0" { min rx interval 100 ms; min tx interval 100 ms; multiplier 3; }; }'
    const bfd = { minimumTransmitMilliseconds: 100, minimumReceiveMilliseconds: 100, detectMultiplier: 3 }
    const [bird, speaker] = await begin(
      birdConfig({ session, before }),
      withPeer({ bfd, timers: { holdSeconds: 90, connectRetrySeconds: 1 } }),
    )
    await speaker.learned('198.51.100.0/24')
    await speaker.waitFor('BFD', () => speaker.peer('tor')?.bfd === 'Up')
    await bird.shows('show bfd sessions', /192.0.2.1\s+eth0\s+Up/)
    await wire.blackhole(them)
    await speaker.waitFor('the end', () => speaker.peer('tor')?.lastError?.startsWith('BFD: no packets'), 10_000)
    await speaker.lost('198.51.100.0/24')
    await bird.shows('show protocols all peer', /BFD session down|Connect|Active|Idle/)
    await wire.heal(them)
    await speaker.learned('198.51.100.0/24')
  })

  test('several paths of one peer share the traffic (add-path)', async () => {
    const [, speaker] = await begin(
      birdConfig({
        routes: '',
        before:
          'protocol static a4 { ipv4 { preference 90; }; route 198.51.100.0/24 blackhole; } protocol static b4 { ipv4 { preference 80; }; route 198.51.100.0/24 unreachable; }',
        ipv4: 'add paths tx;',
      }),
      withPeer({ addPathReceive: true }),
    )
    await speaker.established('tor')
    const route = await speaker.waitFor('two paths', () => {
      const view = speaker.explain('198.51.100.0/24')
      return view && view.candidates.length === 2 && view
    })
    expect(new Set(route.candidates.map(({ pathId }) => pathId)).size).toBe(2)
    expect(speaker.peer('tor')?.capabilities).toContain('add-path-receive-ipv4')
  })
})

/** Options of the session and of its IPv4 channel, static routes, and what comes before the protocols. */
function birdConfig({ session = '', before = '', routes = 'route 198.51.100.0/24 blackhole;', ipv4 = '' } = {}): string {
  return `
router id 192.0.2.2;
${before}
protocol static s4 { ipv4; ${routes} }
protocol static s6 { ipv6; route 2001:db8:100::/48 blackhole; }
protocol bgp peer {
  local 192.0.2.2 as 65002;
  neighbor 192.0.2.1 as 65001;
  connect retry time 1; connect delay time 1; error wait time 1, 2;
  ipv4 { import all; export all; next hop self; ${ipv4} };
  ipv6 { import all; export all; next hop self; };
  ${session}
}
`
}
