import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createNetworkLab, labProblem, type LabHost, type NetworkLab, type Segment } from '../src/testing/network-lab/index.ts'
import { Bird, birdProblem } from './bgp-support/bird.ts'
import { ACCEPT_ALL, LabSpeaker, type RoutingObjects } from './bgp-support/lab-speaker.ts'

const missing = labProblem() || birdProblem()

describe.skipIf(missing !== '')(`BGP with BIRD${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
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
  })
  afterEach(async () => {
    await speaker?.shutdown()
    await bird?.stop()
    speaker = bird = undefined
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

  test('routes of both families go both ways, into the kernel too', async () => {
    bird = await Bird.start(them, birdConfig())
    speaker = await LabSpeaker.start(us, objects())
    await speaker.established('tor')
    const route = await speaker.learned('198.51.100.0/24')
    expect(route.candidates[0]).toMatchObject({ state: 'best', received: { asPath: '65002', nextHop: '192.0.2.2' } })
    await speaker.learned('2001:db8:100::/48')
    await bird.shows('show route for 10.244.1.0/24 all', /BGP.as_path: 65001\n.*BGP.next_hop: 192.0.2.1\n/s)
    await bird.shows('show route for fd00:10:244:1::/64 all', /BGP.next_hop: 2001:db8::1/)
    expect(await speaker.kernelRoutes()).toContain('198.51.100.0/24 via 192.0.2.2 dev eth0 metric 20 ')
  })
})

/** Options of the session, and what comes before the protocols. */
function birdConfig({ session = '', before = '', name = 'peer' } = {}): string {
  return `
router id 192.0.2.2;
${before}
protocol static s4 { ipv4; route 198.51.100.0/24 blackhole; }
protocol static s6 { ipv6; route 2001:db8:100::/48 blackhole; }
protocol bgp ${name} {
  local 192.0.2.2 as 65002;
  neighbor 192.0.2.1 as 65001;
  connect retry time 1; connect delay time 1; error wait time 1, 2;
  ipv4 { import all; export all; next hop self; };
  ipv6 { import all; export all; next hop self; };
  ${session}
}
`
}
