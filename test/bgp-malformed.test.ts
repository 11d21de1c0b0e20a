import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createNetworkLab, labProblem, type LabHost, type NetworkLab } from '../src/testing/network-lab/index.ts'
import { ACCEPT_ALL, LabSpeaker, type RoutingObjects } from './bgp-support/lab-speaker.ts'
import { RawPeer } from './bgp-support/raw-peer.ts'

const missing = labProblem()

const ORIGIN = '400101 00'
const PATH = '400206 0201 0000fdea'
const NEXT_HOP = '400304 c0000202'
/** An UPDATE for 198.51.100.0/24. */
const update = (...attributes: string[]): string => {
  const hex = attributes.join('').replace(/\s/g, '')
  return `0000${(hex.length / 2).toString(16).padStart(4, '0')}${hex}18c63364`
}
const GOOD = update(ORIGIN, PATH, NEXT_HOP)

describe.skipIf(missing !== '')(`malformed UPDATEs${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let lab: NetworkLab
  let us: LabHost
  let them: LabHost
  let speaker: LabSpeaker
  let peer: RawPeer | undefined

  const objects: RoutingObjects = {
    router: { asn: 65_001 },
    policies: { all: ACCEPT_ALL },
    peers: {
      raw: {
        address: '192.0.2.2',
        asn: 65_002,
        passive: true,
        importPolicies: ['all'],
        exportPolicies: ['all'],
        families: ['ipv4', 'ipv6'],
      },
    },
  }

  beforeAll(async () => {
    lab = await createNetworkLab()
    us = await lab.host('us')
    them = await lab.host('them')
    await lab.segment([
      { host: us, device: 'eth0', addresses: ['192.0.2.1/24'] },
      { host: them, device: 'eth0', addresses: ['192.0.2.2/24'] },
    ])
    speaker = await LabSpeaker.start(us, objects)
  })
  afterEach(async () => {
    peer?.close()
    await speaker.waitFor('the end of the session', () => speaker.peer('raw')?.state === 'Active')
  })
  afterAll(async () => {
    await speaker?.shutdown()
    await lab.remove()
  })

  const begin = async (): Promise<RawPeer> => {
    peer = await RawPeer.connect(them, '192.0.2.1', { as: 65_002, families: [1, 2] })
    await speaker.established('raw')
    peer.update(GOOD)
    await speaker.learned('198.51.100.0/24')
    return peer
  }

  // RFC 7606: the route is withdrawn, the session stays
  test.each([
    ['an ORIGIN of two bytes (7.1)', update('400102 0000', PATH, NEXT_HOP)],
    ['an unknown ORIGIN (7.1)', update('400101 07', PATH, NEXT_HOP)],
    ['an AS_PATH that is cut off (7.2)', update(ORIGIN, '400206 0202 0000fdea', NEXT_HOP)],
    ['a NEXT_HOP of three bytes (7.3)', update(ORIGIN, PATH, '400303 c00002')],
    ['a MED of three bytes (7.4)', update(ORIGIN, PATH, NEXT_HOP, '800403 000001')],
    ['COMMUNITIES of three bytes (7.8)', update(ORIGIN, PATH, NEXT_HOP, 'c00803 000001')],
    ['no NEXT_HOP (3 d)', update(ORIGIN, PATH)],
    ['no ORIGIN (3 d)', update(PATH, NEXT_HOP)],
    ['wrong flags of ORIGIN (3 c)', update('c00101 00', PATH, NEXT_HOP)],
  ])('withdraw a route with %s', async (_what, bad) => {
    const peer = await begin()
    peer.update(bad)
    await speaker.lost('198.51.100.0/24')
    expect(speaker.peer('raw')?.state).toBe('Established')
    expect(peer.notification).toBeUndefined()
    // and the session goes on
    peer.update(GOOD)
    await speaker.learned('198.51.100.0/24')
  })

  test.each([
    ['AGGREGATOR of three bytes (7.7)', update(ORIGIN, PATH, NEXT_HOP, 'c00703 000001')],
    ['ATOMIC_AGGREGATE with a byte (7.6)', update(ORIGIN, PATH, NEXT_HOP, '400601 00')],
    ['LOCAL_PREF from an external peer (7.5)', update(ORIGIN, PATH, NEXT_HOP, '400504 0000012c')],
  ])('lose only the attribute with %s', async (_what, odd) => {
    const peer = await begin()
    peer.update(odd)
    await speaker.waitFor('the UPDATE', () => (speaker.peer('raw')?.messagesReceived ?? 0) >= 4)
    const [candidate] = speaker.explain('198.51.100.0/24')?.candidates ?? []
    expect(candidate).toMatchObject({ state: 'best' })
    expect(candidate?.accepted?.localPreference ?? 100).toBe(100)
    expect(speaker.peer('raw')?.state).toBe('Established')
    expect(peer.notification).toBeUndefined()
  })

  test.each([
    ['withdrawn routes longer than the message', 'ffff0000', 3, 1],
    ['attributes longer than the message', '0000ffff', 3, 1],
    ['a prefix of 33 bits', update(ORIGIN, PATH, NEXT_HOP).replace(/18c63364$/, '21c633640000'), 3, 10],
  ])('end the session with %s', async (_what, bad, code, subcode) => {
    const peer = await begin()
    peer.update(bad)
    await speaker.waitFor('a NOTIFICATION', () => peer.notification)
    expect(peer.notification).toMatchObject({ code, subcode })
    await speaker.lost('198.51.100.0/24')
  })

  test('a broken header ends the session', async () => {
    const peer = await begin()
    peer.write(Buffer.alloc(19))
    await speaker.waitFor('a NOTIFICATION', () => peer.notification)
    expect(peer.notification).toMatchObject({ code: 1, subcode: 1 })
  })

  test('a message in small pieces is read as one', async () => {
    const peer = await begin()
    const message = Buffer.from(`${'ff'.repeat(16)}001b02000418c633640000`, 'hex')
    for (const byte of message) {
      peer.write(Uint8Array.of(byte))
      await peer.flushed()
    }
    await speaker.lost('198.51.100.0/24')
    expect(speaker.peer('raw')?.state).toBe('Established')
  })
})
