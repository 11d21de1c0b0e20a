import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { BgpPeerSpec } from '../src/api/routing.biplane.dev/v1alpha1/bgp-peer.ts'
import { createNetworkLab, labProblem, type LabHost, type NetworkLab } from '../src/testing/network-lab/index.ts'
import { Gobgp, gobgpProblem } from './bgp-support/gobgp.ts'
import { ACCEPT_ALL, LabSpeaker, type RoutingObjects } from './bgp-support/lab-speaker.ts'
import { startTraffic, type LabTraffic } from './bgp-support/traffic.ts'

const missing = labProblem() || gobgpProblem()

describe.skipIf(missing !== '')(`BGP with GoBGP${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let lab: NetworkLab
  let us: LabHost
  let one: LabHost
  let two: LabHost
  let peers: Gobgp[] = []
  let speaker: LabSpeaker | undefined
  let traffic: LabTraffic | undefined

  beforeAll(async () => {
    lab = await createNetworkLab()
    us = await lab.host('us')
    one = await lab.host('one')
    two = await lab.host('two')
    await lab.segment([
      { host: us, device: 'eth0', addresses: ['192.0.2.1/24', '2001:db8::1/64'] },
      { host: one, device: 'eth0', addresses: ['192.0.2.2/24', '2001:db8::2/64'] },
      { host: two, device: 'eth0', addresses: ['192.0.2.3/24', '2001:db8::3/64'] },
    ])
    for (const host of [one, two]) await host.must(['ip', 'address', 'add', '198.51.100.1/32', 'dev', 'lo'])
  })
  afterEach(async () => {
    await traffic?.stop()
    await speaker?.shutdown()
    for (const peer of peers) await peer.stop()
    peers = []
    speaker = traffic = undefined
  })
  afterAll(() => lab.remove())

  const peerSpec = (address: string, more: Partial<BgpPeerSpec> = {}): BgpPeerSpec => ({
    address,
    asn: 65_002,
    families: ['ipv4', 'ipv6'],
    importPolicies: ['all'],
    exportPolicies: ['all'],
    timers: { connectRetrySeconds: 1, holdSeconds: 9 },
    ...more,
  })
  const objects = (peers: RoutingObjects['peers'], router: Partial<RoutingObjects['router']> = {}): RoutingObjects => ({
    router: { asn: 65_001, ...router },
    podCIDRs: ['10.244.1.0/24', 'fd00:10:244:1::/64'],
    policies: { all: ACCEPT_ALL },
    peers: peers ?? {},
  })
  const start = async (host: LabHost, options: GobgpOptions): Promise<Gobgp> => {
    const gobgp = await Gobgp.start(host, gobgpConfig(options))
    peers.push(gobgp)
    return gobgp
  }

  test('routes of both families go both ways, with attributes', async () => {
    const gobgp = await start(one, { address: '192.0.2.2', as: 65_002 })
    await gobgp.run('global rib add 198.51.100.0/24 community 65002:7 med 5')
    await gobgp.run('global rib add -a ipv6 2001:db8:100::/48 nexthop 2001:db8::2')
    speaker = await LabSpeaker.start(us, objects({ one: peerSpec('192.0.2.2') }))
    await speaker.established('one')
    const route = await speaker.learned('198.51.100.0/24')
    expect(route.candidates[0]?.received).toMatchObject({ asPath: '65002', nextHop: '192.0.2.2', med: 5, communities: ['65002:7'] })
    await speaker.learned('2001:db8:100::/48')
    await gobgp.shows('global rib', /10\.244\.1\.0\/24\s+192\.0\.2\.1\s+65001/)
    await gobgp.shows('global rib -a ipv6', /fd00:10:244:1::\/64\s+2001:db8::1\s+65001/)
    await gobgp.run('global rib del 198.51.100.0/24')
    await speaker.lost('198.51.100.0/24')
  })

  test('two ways of equal cost are both in the kernel', async () => {
    for (const [host, address] of [
      [one, '192.0.2.2'],
      [two, '192.0.2.3'],
    ] as const) {
      const gobgp = await start(host, { address, as: 65_002 })
      await gobgp.run('global rib add 198.51.100.0/24')
    }
    speaker = await LabSpeaker.start(us, objects({ one: peerSpec('192.0.2.2'), two: peerSpec('192.0.2.3') }, { maximumPaths: 4 }))
    const hops = async (): Promise<number> =>
      ((await us.must(['ip', 'route', 'show', '198.51.100.0/24'])).match(/nexthop via 192\.0\.2\.[23] dev eth0 weight 1/g) ?? []).length
    await speaker.waitFor('two next hops', async () => (await hops()) === 2)
    expect(
      speaker
        .explain('198.51.100.0/24')
        ?.candidates.map(({ state }) => state)
        .sort(),
    ).toEqual(['best', 'multipath'])
    // one of them dies: the other carries on
    await peers[0]?.stop()
    await speaker.waitFor('one next hop', async () => /198\.51\.100\.0\/24 via 192\.0\.2\.3/.test(await us.must(['ip', 'route', 'show'])))
  })

  test('a route reflector passes routes of clients on to clients, and to nobody else', async () => {
    const internal = { as: 65_001 }
    const first = await start(one, { address: '192.0.2.2', ...internal })
    const second = await start(two, { address: '192.0.2.3', ...internal })
    await first.run('global rib add 198.51.100.0/24 local-pref 150')
    const spec = (address: string, routeReflectorClient: boolean): BgpPeerSpec =>
      peerSpec(address, { asn: 65_001, routeReflectorClient, importPolicies: [], exportPolicies: [] })
    const wanted = (client: boolean): RoutingObjects =>
      objects({ one: spec('192.0.2.2', client), two: spec('192.0.2.3', client) }, { clusterID: '9.9.9.9' })
    speaker = await LabSpeaker.start(us, wanted(true))
    await speaker.established('one')
    await speaker.established('two')
    const seen = await second.shows('global rib 198.51.100.0/24', /198\.51\.100\.0\/24\s+192\.0\.2\.2/)
    expect(seen).toMatch(/Originator: 192\.0\.2\.2/)
    expect(seen).toMatch(/ClusterList: \[9\.9\.9\.9\]/)
    expect(seen).toMatch(/LocalPref: 150/)
    // it does not come back to where it came from
    expect(speaker.explain('198.51.100.0/24')?.candidates).toHaveLength(1)
    speaker.apply(wanted(false))
    await speaker.waitFor('the withdrawal', async () => !(await second.run('global rib')).includes('198.51.100.0/24'))
  })

  test('MD5: a session with the right password, none with a wrong one', async () => {
    await start(one, { address: '192.0.2.2', as: 65_002, password: 's3cret' })
    const wanted = (password: string): RoutingObjects => ({
      ...objects({ one: peerSpec('192.0.2.2', { passwordSecretRef: { name: 'bgp' } }) }),
      passwords: { bgp: password },
    })
    speaker = await LabSpeaker.start(us, wanted('wrong'))
    await speaker.waitFor('a refusal', async () => (await one.run(['nstat', '-az', 'TcpExtTCPMD5Failure'])).stdout.match(/Failure\s+[1-9]/))
    expect(speaker.peer('one')?.state).not.toBe('Established')
    speaker.apply(wanted('s3cret'))
    await speaker.established('one')
  })

  test('a restart of either side loses no packet', async () => {
    const gobgp = await start(one, { address: '192.0.2.2', as: 65_002, restart: true })
    await gobgp.run('global rib add 198.51.100.0/24')
    const wanted = objects({ one: peerSpec('192.0.2.2') })
    const before = await LabSpeaker.start(us, wanted)
    speaker = before
    await before.learned('198.51.100.0/24')
    await gobgp.shows('global rib', /10\.244\.1\.0\/24\s+192\.0\.2\.1/)
    traffic = await startTraffic(us, one, '198.51.100.1')
    await before.leave()
    await gobgp.shows('global rib', /10\.244\.1\.0\/24\s+192\.0\.2\.1/)
    speaker = await LabSpeaker.start(us, wanted, { restarted: true })
    await speaker.established('one')
    await speaker.waitFor('end of the restart', () => !speaker?.speaker.isDeferring)
    await speaker.learned('198.51.100.0/24')
    await gobgp.kill()
    await speaker.waitFor('loss of the session', () => speaker?.peer('one')?.state !== 'Established')
    expect(speaker.explain('198.51.100.0/24')?.candidates[0]).toMatchObject({ stale: true, state: 'best' })
    // GoBGP gets its routes by its API after it has begun; without this gate its End-of-RIB, which ends the grace, could come before them
    await one.must(['nft', '-f', '-'], { input: GATE })
    await gobgp.restart(['-r'])
    await gobgp.run('global rib add 198.51.100.0/24')
    await one.must(['nft', 'delete', 'table', 'inet', 'gate'])
    await speaker.established('one')
    await speaker.waitFor('fresh routes', () => speaker?.explain('198.51.100.0/24')?.candidates[0]?.stale === false)
    const { sent, lost } = await traffic.stop()
    console.log(`restarts with GoBGP: ${sent} datagrams through a learned route, ${lost} lost`)
    expect(lost).toBe(0)
  })
})

const GATE = `table inet gate {
  chain in { type filter hook input priority 0; tcp dport 179 drop; tcp sport 179 drop; }
}
`

interface GobgpOptions {
  readonly address: string
  readonly as: number
  readonly password?: string
  readonly restart?: boolean
}

function gobgpConfig({ address, as, password, restart }: GobgpOptions): string {
  const families = ['ipv4', 'ipv6'].map(
    (family) => `
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "${family}-unicast"
    [neighbors.afi-safis.mp-graceful-restart.config]
      enabled = ${restart === true}`,
  )
  return `
[global.config]
  as = ${as}
  router-id = "${address}"
[[neighbors]]
  [neighbors.config]
    neighbor-address = "192.0.2.1"
    peer-as = 65001
    ${password === undefined ? '' : `auth-password = "${password}"`}
  [neighbors.timers.config]
    connect-retry = 1
  ${restart ? '[neighbors.graceful-restart.config]\n    enabled = true\n    restart-time = 60' : ''}
  ${families.join('\n')}
`
}
