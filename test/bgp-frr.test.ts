import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { BgpPeerSpec } from '../src/api/routing.biplane.dev/v1alpha1/bgp-peer.ts'
import { createNetworkLab, labProblem, type LabHost, type NetworkLab, type Segment } from '../src/testing/network-lab/index.ts'
import { Frr, frrProblem } from './bgp-support/frr.ts'
import { ACCEPT_ALL, LabSpeaker, type RoutingObjects } from './bgp-support/lab-speaker.ts'
import { startTraffic, type LabTraffic } from './bgp-support/traffic.ts'

const missing = labProblem() || frrProblem()

describe.skipIf(missing !== '')(`BGP with FRR${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let lab: NetworkLab
  let us: LabHost
  let them: LabHost
  let wire: Segment
  let frr: Frr | undefined
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
    await traffic?.stop()
    await speaker?.shutdown()
    await frr?.stop()
    speaker = frr = traffic = undefined
    await wire.heal(them)
  })
  afterAll(() => lab.remove())

  const objects = (peer: Partial<BgpPeerSpec> = {}, more: Partial<RoutingObjects> = {}): RoutingObjects => ({
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
        ...peer,
      },
    },
    ...more,
  })
  const begin = async (config: string, wanted: RoutingObjects, daemons?: readonly string[]): Promise<[Frr, LabSpeaker]> => {
    frr = await Frr.start(them, config, daemons)
    speaker = await LabSpeaker.start(us, wanted)
    return [frr, speaker]
  }

  test('routes of both families go both ways, with attributes, into both kernels', async () => {
    const policies: RoutingObjects['policies'] = {
      all: ACCEPT_ALL,
      out: {
        rules: [
          {
            name: 'mark',
            set: { med: 77, prepend: { count: 1 }, communities: { add: ['65001:100'] }, largeCommunities: { add: ['65001:1:2'] } },
            action: 'Accept',
          },
        ],
      },
    }
    const [frr, speaker] = await begin(frrConfig(), objects({ exportPolicies: ['out'] }, { policies }))
    await speaker.established('tor')
    const route = await speaker.learned('198.51.100.0/24')
    expect(route.candidates[0]?.received).toMatchObject({ asPath: '65002', nextHop: '192.0.2.2' })
    expect((await speaker.learned('203.0.113.0/24')).candidates[0]?.received).toMatchObject({ communities: ['65002:7'] })
    await speaker.learned('2001:db8:100::/48')
    const seen = await frr.shows('show bgp ipv4 unicast 10.244.1.0/24', /65001 65001/)
    expect(seen).toMatch(/metric 77/)
    expect(seen).toMatch(/Community: 65001:100/)
    expect(seen).toMatch(/Large Community: 65001:1:2/)
    await frr.shows('show bgp ipv6 unicast fd00:10:244:1::/64', /2001:db8::1/)
    await frr.shows('show ip route 10.244.1.0/24', /192.0.2.1, via eth0/)
    // our own routes that FRR sends back are not used
    expect(
      speaker
        .explain('10.244.1.0/24')
        ?.candidates.filter(({ from }) => from === 'tor')
        .map(({ state }) => state),
    ).not.toContain('best')
  })

  test('route refresh brings everything again', async () => {
    const [frr, speaker] = await begin(frrConfig(), objects())
    await frr.shows('show bgp ipv4 unicast 10.244.1.0/24', /192.0.2.1/)
    const before = speaker.peer('tor')?.messagesSent ?? 0
    await frr.show('clear bgp ipv4 unicast 192.0.2.1 in')
    await speaker.waitFor('an answer', () => (speaker.peer('tor')?.messagesSent ?? 0) > before)
    await frr.shows('show bgp ipv4 unicast 10.244.1.0/24', /192.0.2.1/)
    expect(speaker.peer('tor')?.transitions).toBe(1)
  })

  test('MD5 in both directions', async () => {
    const wanted = (password: string, passive: boolean): RoutingObjects =>
      objects({ passive, passwordSecretRef: { name: 'bgp' } }, { passwords: { bgp: password } })
    const [, speaker] = await begin(frrConfig(['neighbor 192.0.2.1 password s3cret']), wanted('wrong', false))
    await speaker.waitFor('a refusal', async () => (await us.run(['nstat', '-az', 'TcpExtTCPMD5Failure'])).stdout.match(/Failure\s+[1-9]/))
    expect(speaker.peer('tor')?.state).not.toBe('Established')
    speaker.apply(wanted('s3cret', false))
    await speaker.established('tor')
    speaker.apply(wanted('s3cret', true))
    await speaker.established('tor')
    await speaker.learned('198.51.100.0/24')
  })

  test('TTL security', async () => {
    const [, speaker] = await begin(frrConfig(['neighbor 192.0.2.1 ttl-security hops 1']), objects({ ttlSecurityHops: 1 }))
    await speaker.established('tor')
    await speaker.learned('198.51.100.0/24')
  })

  test('our own restart loses no packet: FRR keeps our routes, the kernel keeps its', async () => {
    const [frr, before] = await begin(frrConfig(['bgp graceful-restart']), objects())
    await before.learned('198.51.100.0/24')
    await frr.shows('show ip route 10.244.1.0/24', /192.0.2.1, via eth0/)
    traffic = await startTraffic(us, them, '198.51.100.1')
    await before.leave()
    await frr.shows('show bgp ipv4 unicast 10.244.1.0/24', /stale/)
    await frr.shows('show ip route 10.244.1.0/24', /192.0.2.1, via eth0/)
    speaker = await LabSpeaker.start(us, objects(), { restarted: true })
    await speaker.established('tor')
    await speaker.waitFor('end of the restart', () => !speaker?.speaker.isDeferring)
    const fresh = await frr.shows('show bgp ipv4 unicast 10.244.1.0/24', /valid, external/)
    expect(fresh).not.toMatch(/stale/)
    const { sent, lost } = await traffic.stop()
    console.log(`our restart with FRR: ${sent} datagrams through a learned route, ${lost} lost`)
    expect(lost).toBe(0)
    expect(sent).toBeGreaterThan(20)
  })

  test('a restart of FRR loses no packet', async () => {
    const restartable = ['bgp graceful-restart', 'bgp graceful-restart preserve-fw-state']
    const [frr, speaker] = await begin(frrConfig(restartable), objects())
    await speaker.learned('198.51.100.0/24')
    traffic = await startTraffic(us, them, '198.51.100.1')
    await frr.killDaemon('bgpd')
    await speaker.waitFor('loss of the session', () => speaker.peer('tor')?.state !== 'Established')
    expect(speaker.explain('198.51.100.0/24')?.candidates[0]).toMatchObject({ stale: true, state: 'best' })
    await frr.startDaemon('bgpd')
    await speaker.established('tor')
    await speaker.waitFor('fresh routes', () => speaker.explain('198.51.100.0/24')?.candidates[0]?.stale === false)
    const { sent, lost } = await traffic.stop()
    console.log(`restart of FRR: ${sent} datagrams through a learned route, ${lost} lost`)
    expect(lost).toBe(0)
    expect(sent).toBeGreaterThan(20)
  })

  test('BFD finds a dead path long before the hold time', async () => {
    const session = ['neighbor 192.0.2.1 bfd', 'neighbor 192.0.2.1 bfd profile fast']
    const profile = 'bfd\n profile fast\n  receive-interval 100\n  transmit-interval 100\n exit\nexit'
    const bfd = { minimumTransmitMilliseconds: 100, minimumReceiveMilliseconds: 100, detectMultiplier: 3 }
    const timers = { holdSeconds: 90, connectRetrySeconds: 1 }
    const [frr, speaker] = await begin(`${frrConfig(session)}\n${profile}`, objects({ bfd, timers }), ['zebra', 'bfdd', 'bgpd'])
    await speaker.learned('198.51.100.0/24')
    await speaker.waitFor('BFD', () => speaker.peer('tor')?.bfd === 'Up')
    await frr.shows('show bfd peers', /Status: up/)
    await wire.blackhole(them)
    await speaker.waitFor('the end', () => speaker.peer('tor')?.lastError?.startsWith('BFD: no packets'), 10_000)
    await speaker.lost('198.51.100.0/24')
    await frr.shows('show bfd peers', /Status: down/)
    await frr.shows('show bgp summary', /Idle|Active|Connect|OpenSent/)
    await wire.heal(them)
    await speaker.learned('198.51.100.0/24')
  })

  test('an end says why', async () => {
    const [frr, speaker] = await begin(frrConfig(), objects())
    await speaker.established('tor')
    await frr.configure(['router bgp 65002', 'neighbor 192.0.2.1 shutdown message maintenance at noon'])
    await speaker.waitFor('the text', () => speaker.peer('tor')?.lastError?.includes('"maintenance at noon"'))
    await speaker.lost('198.51.100.0/24')
  })
})

/** Lines of the session or of `router bgp`. */
function frrConfig(lines: readonly string[] = []): string {
  return `
ip route 198.51.100.0/24 blackhole
ip route 203.0.113.0/24 blackhole
ipv6 route 2001:db8:100::/48 blackhole
router bgp 65002
 bgp router-id 192.0.2.2
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor 192.0.2.1 remote-as 65001
 neighbor 192.0.2.1 timers connect 1
${lines.map((line) => ` ${line}`).join('\n')}
 address-family ipv4 unicast
  network 198.51.100.0/24
  network 203.0.113.0/24 route-map mark
  neighbor 192.0.2.1 activate
 exit-address-family
 address-family ipv6 unicast
  network 2001:db8:100::/48
  neighbor 192.0.2.1 activate
 exit-address-family
exit
route-map mark permit 10
 set community 65002:7
exit
`
}
