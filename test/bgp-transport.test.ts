import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { BgpPeerSpec } from '../src/api/routing.biplane.dev/v1alpha1/bgp-peer.ts'
import { createNetworkLab, labProblem, type LabHost, type NetworkLab, type Segment } from '../src/testing/network-lab/index.ts'
import { Bird, birdProblem } from './bgp-support/bird.ts'
import { ACCEPT_ALL, LabSpeaker, type RoutingObjects } from './bgp-support/lab-speaker.ts'

const missing = labProblem() || birdProblem()

describe.skipIf(missing !== '')(`ways to a BGP peer${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let lab: NetworkLab
  let us: LabHost
  let them: LabHost
  let wire: Segment
  let bird: Bird | undefined
  let speaker: LabSpeaker | undefined

  beforeAll(async () => {
    lab = await createNetworkLab()
    us = await lab.host('us')
    them = await lab.host('them')
    wire = await lab.segment([
      { host: us, device: 'eth0', addresses: ['192.0.2.1/24', '2001:db8::1/64'] },
      { host: them, device: 'eth0', addresses: ['192.0.2.2/24', '2001:db8::2/64'] },
    ])
    await us.must(['ip', 'address', 'add', '10.255.0.1/32', 'dev', 'lo'])
    await them.must(['ip', 'address', 'add', '10.255.0.2/32', 'dev', 'lo'])
    await them.must(['ip', 'route', 'add', '10.255.0.1/32', 'via', '192.0.2.1'])
  })
  afterEach(async () => {
    await speaker?.shutdown()
    await bird?.stop()
    speaker = bird = undefined
    await wire.heal(us)
  })
  afterAll(() => lab.remove())

  const objects = (peer: Partial<BgpPeerSpec>, more: Partial<RoutingObjects> = {}): RoutingObjects => ({
    router: { asn: 65_001 },
    podCIDRs: ['10.244.1.0/24', 'fd00:10:244:1::/64'],
    policies: { all: ACCEPT_ALL },
    peers: {
      tor: {
        address: '192.0.2.2',
        asn: 65_002,
        importPolicies: ['all'],
        exportPolicies: ['all'],
        timers: { connectRetrySeconds: 1, holdSeconds: 9 },
        ...peer,
      },
    },
    ...more,
  })
  const begin = async (config: string, wanted: RoutingObjects): Promise<[Bird, LabSpeaker]> => {
    bird = await Bird.start(them, config)
    speaker = await LabSpeaker.start(us, wanted)
    return [bird, speaker]
  }

  test('over IPv6, with a password and TTL security', async () => {
    const session = 'local 2001:db8::2 as 65002; neighbor 2001:db8::1 as 65001; password "s3cret"; ttl security on;'
    const [bird, speaker] = await begin(
      birdConfig({ session }),
      objects(
        { address: '2001:db8::2', families: ['ipv4', 'ipv6'], ttlSecurityHops: 1, passwordSecretRef: { name: 'bgp' } },
        { passwords: { bgp: 's3cret' } },
      ),
    )
    await speaker.established('tor')
    await speaker.learned('2001:db8:100::/48')
    await speaker.learned('198.51.100.0/24')
    await bird.shows('show route for fd00:10:244:1::/64 all', /BGP.next_hop: 2001:db8::1/)
    await bird.shows('show route for 10.244.1.0/24 all', /BGP.next_hop: 192.0.2.1/)
  })

  test('between link-local addresses, IPv4 routes with IPv6 next hops too', async () => {
    await us.must(['ip', 'address', 'add', 'fe80::1/64', 'dev', 'eth0', 'nodad'])
    await them.must(['ip', 'address', 'add', 'fe80::2/64', 'dev', 'eth0', 'nodad'])
    const config = birdConfig({
      session: 'local fe80::2 as 65002; neighbor fe80::1%eth0 as 65001;',
      ipv4: 'extended next hop on;',
    })
    const [bird, speaker] = await begin(config, objects({ address: 'fe80::2%eth0', families: ['ipv4', 'ipv6'] }))
    const peer = await speaker.established('tor')
    expect(peer.capabilities).toContain('extended-next-hop')
    await speaker.learned('2001:db8:100::/48')
    await speaker.learned('198.51.100.0/24')
    const routes = await speaker.kernelRoutes()
    expect(routes).toContain('198.51.100.0/24 via inet6 fe80::2 dev eth0 metric 20 ')
    await bird.shows('show route for 10.244.1.0/24', /10\.244\.1\.0\/24/)
    await bird.shows('show route for fd00:10:244:1::/64', /fd00:10:244:1::\/64/)
  })

  test('from one loopback to another, over static routes, watched by BFD', async () => {
    const session =
      'local 10.255.0.2 as 65002; neighbor 10.255.0.1 as 65001; multihop 3; bfd { min rx interval 100 ms; min tx interval 100 ms; };'
    const bfd = { minimumTransmitMilliseconds: 100, minimumReceiveMilliseconds: 100 }
    const [bird, speaker] = await begin(
      birdConfig({ session, before: 'protocol bfd { multihop { min rx interval 100 ms; min tx interval 100 ms; }; }' }),
      objects(
        { address: '10.255.0.2', localAddress: '10.255.0.1', ebgpMultihopTTL: 3, bfd },
        { statics: { loopback: { prefix: '10.255.0.2/32', nextHops: [{ address: '192.0.2.2' }] } } },
      ),
    )
    await speaker.established('tor')
    await speaker.waitFor('BFD', () => speaker.peer('tor')?.bfd === 'Up')
    await bird.shows('show bfd sessions', /10\.255\.0\.1\s+---\s+Up/)
    // the next hop is not on a link: the kernel is given the gateway of its route
    await speaker.learned('198.51.100.0/24')
    expect(await speaker.kernelRoutes()).toContain('198.51.100.0/24 via 192.0.2.2 dev eth0 metric 20 ')
    expect(await speaker.kernelRoutes()).toContain('10.255.0.2 via 192.0.2.2 dev eth0 metric 1 ')
  })

  test('routes whose next hop cannot be reached are not used, and come back with it', async () => {
    const before = 'filter far { bgp_next_hop = 203.0.113.9; accept; }'
    const session = 'local 192.0.2.2 as 65002; neighbor 192.0.2.1 as 65001;'
    const statics = { far: { prefix: '203.0.113.0/24', nextHops: [{ address: '192.0.2.2' }] } }
    const [, speaker] = await begin(birdConfig({ session, before, exports: 'filter far' }), objects({}, { statics }))
    await speaker.learned('198.51.100.0/24')
    expect(speaker.explain('198.51.100.0/24')?.candidates[0]?.received.nextHop).toBe('203.0.113.9')
    speaker.apply(objects({}))
    await speaker.lost('198.51.100.0/24')
    expect(speaker.explain('198.51.100.0/24')?.candidates[0]).toMatchObject({ state: 'invalid' })
    await us.must(['ip', 'route', 'add', '203.0.113.9/32', 'via', '192.0.2.2'])
    await speaker.learned('198.51.100.0/24')
    await us.must(['ip', 'route', 'del', '203.0.113.9/32'])
    await speaker.lost('198.51.100.0/24')
    expect(speaker.peer('tor')?.transitions).toBe(1)
  })

  test('static routes of all types are in the kernel, and go with their objects', async () => {
    const statics: RoutingObjects['statics'] = {
      hole: { prefix: '198.18.0.0/15', type: 'Blackhole' },
      no: { prefix: '198.51.100.0/25', type: 'Unreachable', distance: 7 },
      two: { prefix: '203.0.113.0/24', nextHops: [{ address: '192.0.2.2', weight: 2 }, { address: '192.0.2.3' }] },
      six: { prefix: '2001:db8:200::/48', nextHops: [{ address: '2001:db8::2', device: 'eth0' }] },
    }
    speaker = await LabSpeaker.start(us, objects({ shutdown: true }, { statics }))
    const routes = await speaker.waitFor('the routes', async () => {
      const lines = await speaker!.kernelRoutes()
      return lines.length === 4 && lines.join('\n')
    })
    expect(routes).toContain('blackhole 198.18.0.0/15 metric 1')
    expect(routes).toContain('unreachable 198.51.100.0/25 metric 7')
    expect(routes).toMatch(/203\.0\.113\.0\/24 metric 1 \\\s+nexthop via 192\.0\.2\.2 dev eth0 weight 2 \\\s+nexthop via 192\.0\.2\.3/)
    expect(routes).toContain('2001:db8:200::/48 via 2001:db8::2 dev eth0 metric 1')
    speaker.apply(objects({ shutdown: true }))
    await speaker.waitFor('no routes', async () => (await speaker!.kernelRoutes()).length === 0)
  })

  test('a cable that is pulled takes routes away at once, not after the hold time', async () => {
    const session = 'local 192.0.2.2 as 65002; neighbor 192.0.2.1 as 65001;'
    const [, speaker] = await begin(birdConfig({ session }), objects({ timers: { holdSeconds: 240, connectRetrySeconds: 1 } }))
    await speaker.learned('198.51.100.0/24')
    await wire.cut(us)
    await speaker.waitFor('the next hop to be unreachable', () => speaker.explain('198.51.100.0/24')?.candidates[0]?.state === 'invalid')
    await wire.heal(us)
    await speaker.learned('198.51.100.0/24')
  })

  test('messages above 4096 bytes, where both can', async () => {
    const communities = Array.from({ length: 1_500 }, (_, i) => `bgp_community.add((65002, ${i}));`).join('')
    const before = `filter many { ${communities} accept; }`
    const session = 'local 192.0.2.2 as 65002; neighbor 192.0.2.1 as 65001; enable extended messages on;'
    const [, speaker] = await begin(birdConfig({ session, before, exports: 'filter many' }), objects({}))
    const peer = await speaker.established('tor')
    expect(peer.capabilities).toContain('extended-message')
    await speaker.learned('198.51.100.0/24')
    expect(speaker.explain('198.51.100.0/24')?.candidates[0]?.received.communities).toHaveLength(1_500)
  })

  test('a range of neighbours with one password', async () => {
    const session = 'local 192.0.2.2 as 65002; neighbor 192.0.2.1 as 65001; password "s3cret";'
    const range = { prefixes: ['192.0.2.0/25'], asnRange: { first: 65_000, last: 65_100 }, passwordSecretRef: { name: 'bgp' } }
    const wanted: RoutingObjects = {
      ...objects({}, { passwords: { bgp: 's3cret' } }),
      peers: { range: { ...range, importPolicies: ['all'], exportPolicies: ['all'] } },
    }
    const [, speaker] = await begin(birdConfig({ session }), wanted)
    await speaker.established('range')
    await speaker.learned('198.51.100.0/24')
  })

  test('both sides call at once, again and again', async () => {
    const session = 'local 192.0.2.2 as 65002; neighbor 192.0.2.1 as 65001;'
    const [bird, speaker] = await begin(birdConfig({ session }), objects({}))
    for (let round = 0; round < 10; round++) {
      await speaker.established('tor')
      await bird.show('restart peer')
      await speaker.waitFor(
        'the next session',
        () => (speaker.peer('tor')?.transitions ?? 0) > round + 1 || speaker.peer('tor')?.state !== 'Established',
      )
    }
    await speaker.learned('198.51.100.0/24')
  })

  test('an address that is not there yet is listened on when it comes', async () => {
    const session = 'local 192.0.2.2 as 65002; neighbor 192.0.2.77 as 65001;'
    const router = { asn: 65_001, listen: { addresses: ['192.0.2.77'] } }
    const [, speaker] = await begin(birdConfig({ session }), objects({ passive: true }, { router }))
    await speaker.waitFor('a refusal', () => speaker.lines.some((line) => line.includes('cannot listen for peers')))
    await us.must(['ip', 'address', 'add', '192.0.2.77/24', 'dev', 'eth0'])
    await speaker.established('tor')
    await us.must(['ip', 'address', 'del', '192.0.2.77/24', 'dev', 'eth0'])
  })
})

function birdConfig({ session = '', before = '', exports = 'all', ipv4 = '' }): string {
  return `
router id 192.0.2.2;
${before}
protocol static s4 { ipv4; route 198.51.100.0/24 blackhole; }
protocol static s6 { ipv6; route 2001:db8:100::/48 blackhole; }
protocol bgp peer {
  ${session}
  connect retry time 1; connect delay time 1; error wait time 1, 2;
  ipv4 { import all; export ${exports}; ${exports === 'all' ? 'next hop self;' : 'next hop keep;'} ${ipv4} };
  ipv6 { import all; export all; next hop self; };
}
`
}
