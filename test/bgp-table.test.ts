import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createNetworkLab, labProblem, type LabHost, type NetworkLab } from '../src/testing/network-lab/index.ts'
import { Bird, birdProblem } from './bgp-support/bird.ts'
import { Frr, frrProblem } from './bgp-support/frr.ts'
import { Gobgp, gobgpProblem } from './bgp-support/gobgp.ts'
import { ACCEPT_ALL, LabSpeaker, type RoutingObjects } from './bgp-support/lab-speaker.ts'
import { RawPeer } from './bgp-support/raw-peer.ts'
import { tableUpdates } from './bgp-support/table-updates.ts'

/** For the whole table: BIPLANE_BGP_PREFIXES=1000000 npx vitest run --project system test/bgp-table.test.ts (ten minutes with GoBGP). */
const PREFIXES = Number(process.env['BIPLANE_BGP_PREFIXES'] ?? 100_000)
const WITHIN_MS = Math.max(120_000, PREFIXES * 0.6)

/** Counting holds the lock that writing needs. */
const LOOK_EVERY_MS = Math.max(100, PREFIXES / 200)

const missing = labProblem()

describe.skipIf(missing !== '')(`${PREFIXES} prefixes from real peers${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let lab: NetworkLab
  let us: LabHost
  let them: LabHost
  let feeder: LabHost
  let speaker: LabSpeaker | undefined
  let raw: RawPeer | undefined
  let stop: (() => Promise<void>) | undefined

  beforeAll(async () => {
    lab = await createNetworkLab()
    us = await lab.host('us')
    them = await lab.host('them')
    feeder = await lab.host('feeder')
    await lab.segment([
      { host: us, device: 'eth0', addresses: ['192.0.2.1/24'] },
      { host: them, device: 'eth0', addresses: ['192.0.2.2/24'] },
      { host: feeder, device: 'eth0', addresses: ['192.0.2.3/24'] },
    ])
  })
  afterEach(async () => {
    raw?.close()
    await speaker?.shutdown()
    await stop?.()
    raw = speaker = stop = undefined
  })
  afterAll(() => lab.remove())

  const objects: RoutingObjects = {
    router: { asn: 65_001 },
    policies: { all: ACCEPT_ALL },
    peers: {
      tor: {
        address: '192.0.2.2',
        asn: 65_002,
        importPolicies: ['all'],
        exportPolicies: ['all'],
        timers: { connectRetrySeconds: 1, holdSeconds: 180 },
        gracefulRestart: { enabled: false },
      },
    },
  }
  const kernelCount = async (): Promise<number> =>
    Number(await us.must(['sh', '-c', 'ip -4 route show proto 190 | wc -l'], { timeoutMs: 60_000 }))

  const peers: [string, string, () => Promise<() => Promise<void>>][] = [
    [
      'BIRD',
      birdProblem(),
      async () => {
        const session = (name: string, address: string, as: number): string => `
          protocol bgp ${name} { local 192.0.2.2 as 65002; neighbor ${address} as ${as}; ipv4 { import all; export all; }; connect delay time 1; }`
        const bird = await Bird.start(
          them,
          `router id 192.0.2.2;${session('lower', '192.0.2.1', 65_001)}${session('upper', '192.0.2.3', 65_003)}`,
        )
        return () => bird.stop()
      },
    ],
    [
      'FRR',
      frrProblem(),
      async () => {
        const frr = await Frr.start(
          them,
          `router bgp 65002
 bgp router-id 192.0.2.2
 no bgp ebgp-requires-policy
 neighbor 192.0.2.1 remote-as 65001
 neighbor 192.0.2.3 remote-as 65003
exit`,
          ['bgpd'],
        )
        return () => frr.stop()
      },
    ],
    [
      'GoBGP',
      gobgpProblem(),
      async () => {
        const neighbor = (address: string, as: number): string => `
[[neighbors]]
  [neighbors.config]
    neighbor-address = "${address}"
    peer-as = ${as}`
        const gobgp = await Gobgp.start(
          them,
          `[global.config]
  as = 65002
  router-id = "192.0.2.2"${neighbor('192.0.2.1', 65_001)}${neighbor('192.0.2.3', 65_003)}`,
        )
        return () => gobgp.stop()
      },
    ],
  ]

  test.each(peers)('%s', { timeout: 3 * WITHIN_MS }, async (_name, problem, start) => {
    if (problem !== '') return expect(problem).toMatch(/^needs /)
    stop = await start()
    speaker = await LabSpeaker.start(us, objects)
    await speaker.established('tor', 30_000)
    raw = await RawPeer.connect(feeder, '192.0.2.2', { as: 65_003, routerId: 0xc0000203 })
    const startMs = performance.now()
    for (const update of tableUpdates(PREFIXES)) {
      raw.write(update)
      await raw.room()
    }
    await speaker.waitFor('all prefixes', () => speaker?.peer('tor')?.prefixesAccepted === PREFIXES, WITHIN_MS)
    const learnedMs = performance.now() - startMs
    await speaker.waitFor('all routes in the kernel', async () => (await kernelCount()) === PREFIXES, WITHIN_MS, LOOK_EVERY_MS)
    const writtenMs = performance.now() - startMs
    raw.close()
    await speaker.waitFor('no route in the kernel', async () => (await kernelCount()) === 0, WITHIN_MS, LOOK_EVERY_MS)
    expect(speaker.peer('tor')).toMatchObject({ state: 'Established', transitions: 1, prefixesReceived: 0 })
    console.log(
      `${PREFIXES} prefixes through ${_name}: learned after ${Math.round(learnedMs)} ms, in the kernel after ${Math.round(writtenMs)} ms`,
    )
  })
})
