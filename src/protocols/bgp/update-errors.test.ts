import { describe, expect, test } from 'vitest'
import { formatIp } from '../../base/ip.ts'
import { ATTRIBUTE, decodeUpdate, encodeNlri, isFault, type WireOptions } from './index.ts'

const external: WireOptions = {
  fourOctetAs: true,
  addPathReceive: [],
  families: [4, 6],
  extendedNextHop: false,
  internal: false,
  maxMessageBytes: 4096,
}
const internal = { ...external, internal: true }

const ORIGIN = [0x40, 1, 1, 0]
const AS_PATH = [0x40, 2, 6, 2, 1, 0, 0, 0xfb, 0xf4]
const NEXT_HOP = [0x40, 3, 4, 192, 0, 2, 1]
const PREFIX = [...encodeNlri([{ family: 4, bytes: Uint8Array.of(10, 0, 0, 0), length: 8 }], false)]
const REACH = [0x80, 14, 23, 0, 2, 1, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 8, 0x20]

function bodyOf(attributes: readonly (readonly number[])[], nlri: readonly number[] = PREFIX): Uint8Array {
  const flat = attributes.flat()
  return Uint8Array.from([0, 0, flat.length >> 8, flat.length & 0xff, ...flat, ...nlri])
}

const read = (attributes: readonly (readonly number[])[], wire: WireOptions = external): ReturnType<typeof decodeUpdate> =>
  decodeUpdate(bodyOf(attributes), wire)

test.each([
  ['none', new Uint8Array(16), 'fe80::2', undefined],
  ['one', Uint8Array.from([0x20, 1, 0xd, 0xb8, ...new Uint8Array(11), 1]), '2001:db8::1', 'fe80::2'],
])('a link-local next hop beside %s that is global', (_, global, nextHop, linkLocal) => {
  const local = [0xfe, 0x80, ...new Uint8Array(13), 2]
  const reach = [0x80, 14, 39, 0, 2, 1, 32, ...global, ...local, 0, 8, 0x20]
  const decoded = decodeUpdate(bodyOf([reach, ORIGIN, AS_PATH], []), external)
  if (isFault(decoded)) throw new Error(decoded.reason)
  expect(decoded.errors).toEqual([])
  const { mpReach } = decoded.message
  expect([mpReach && formatIp(mpReach.nextHop), mpReach?.linkLocal && formatIp(mpReach.linkLocal)]).toEqual([nextHop, linkLocal])
})

test('two next hops of which neither is global nor link-local are none', () => {
  const reach = [0x80, 14, 39, 0, 2, 1, 32, ...new Uint8Array(32), 0, 8, 0x20]
  const decoded = decodeUpdate(bodyOf([reach, ORIGIN, AS_PATH], []), external)
  expect(!isFault(decoded) && decoded.treatAsWithdraw).toBe(true)
})

describe('RFC 7606: treat-as-withdraw', () => {
  type Case = readonly [what: string, attributes: readonly (readonly number[])[], attribute: string, section: string, wire: WireOptions]
  const withdraws: readonly (readonly [Case[0], Case[1], string, string, WireOptions?])[] = [
    ['ORIGIN of two bytes', [[0x40, 1, 2, 0, 0], AS_PATH, NEXT_HOP], 'ORIGIN', '7.1'],
    ['ORIGIN that is not defined', [[0x40, 1, 1, 3], AS_PATH, NEXT_HOP], 'ORIGIN', '7.1'],
    ['an unknown segment type', [ORIGIN, [0x40, 2, 6, 9, 1, 0, 0, 0, 1], NEXT_HOP], 'AS_PATH', '7.2'],
    ['confederation segments, internal', [ORIGIN, [0x40, 2, 6, 4, 1, 0, 0, 0, 1], NEXT_HOP], 'AS_PATH', '7.2', internal],
    ['confederation segments from outside', [ORIGIN, [0x40, 2, 6, 3, 1, 0, 0, 0, 1], NEXT_HOP], 'AS_PATH', '7.2'],
    ['a segment that overruns', [ORIGIN, [0x40, 2, 6, 2, 2, 0, 0, 0, 1], NEXT_HOP], 'AS_PATH', '7.2'],
    ['one byte behind the last segment', [ORIGIN, [0x40, 2, 7, 2, 1, 0, 0, 0, 1, 0], NEXT_HOP], 'AS_PATH', '7.2'],
    ['an empty segment', [ORIGIN, [0x40, 2, 2, 2, 0], NEXT_HOP], 'AS_PATH', '7.2'],
    ['AS 0 (RFC 7607)', [ORIGIN, [0x40, 2, 6, 2, 1, 0, 0, 0, 0], NEXT_HOP], 'AS_PATH', '7.2'],
    ['NEXT_HOP of 5 bytes', [ORIGIN, AS_PATH, [0x40, 3, 5, 1, 1, 1, 1, 1]], 'NEXT_HOP', '7.3'],
    ['a multicast next hop', [ORIGIN, AS_PATH, [0x40, 3, 4, 224, 1, 1, 1]], 'NEXT_HOP', '6.3'],
    ['MED of 3 bytes', [ORIGIN, AS_PATH, NEXT_HOP, [0x80, 4, 3, 0, 0, 0]], 'MULTI_EXIT_DISC', '7.4'],
    ['LOCAL_PREF of 3 bytes, internal', [ORIGIN, AS_PATH, NEXT_HOP, [0x40, 5, 3, 0, 0, 0]], 'LOCAL_PREF', '7.5', internal],
    ['COMMUNITIES of no bytes', [ORIGIN, AS_PATH, NEXT_HOP, [0xc0, 8, 0]], 'COMMUNITIES', '7.8'],
    ['COMMUNITIES of 5 bytes', [ORIGIN, AS_PATH, NEXT_HOP, [0xc0, 8, 5, 0, 0, 0, 0, 0]], 'COMMUNITIES', '7.8'],
    ['ORIGINATOR_ID of 3 bytes, internal', [ORIGIN, AS_PATH, NEXT_HOP, [0x80, 9, 3, 0, 0, 0]], 'ORIGINATOR_ID', '7.9', internal],
    ['CLUSTER_LIST of no bytes, internal', [ORIGIN, AS_PATH, NEXT_HOP, [0x80, 10, 0]], 'CLUSTER_LIST', '7.10', internal],
    ['EXTENDED_COMMUNITIES of 7 bytes', [ORIGIN, AS_PATH, NEXT_HOP, [0xc0, 16, 7, 0, 0, 0, 0, 0, 0, 0]], 'EXTENDED_COMMUNITIES', '7.14'],
    ['LARGE_COMMUNITY of 4 bytes', [ORIGIN, AS_PATH, NEXT_HOP, [0xc0, 32, 4, 0, 0, 0, 0]], 'LARGE_COMMUNITY', 'RFC 8092 5'],
    ['OTC of 2 bytes', [ORIGIN, AS_PATH, NEXT_HOP, [0xc0, 35, 2, 0, 0]], 'OTC', 'RFC 9234 5'],
    ['wrong flags', [[0x80, 1, 1, 0], AS_PATH, NEXT_HOP], 'ORIGIN', '3.c'],
    ['no ORIGIN', [AS_PATH, NEXT_HOP], 'ORIGIN', '3.d'],
    ['no AS_PATH', [ORIGIN, NEXT_HOP], 'AS_PATH', '3.d'],
    ['no NEXT_HOP', [ORIGIN, AS_PATH], 'NEXT_HOP', '3.d'],
    ['an attribute that overruns the others', [ORIGIN, AS_PATH, NEXT_HOP, [0x80, 4, 40, 0]], 'MULTI_EXIT_DISC', 'RFC 7606 4'],
    ['a cut off attribute head', [ORIGIN, AS_PATH, NEXT_HOP, [0x90, 4]], 'MULTI_EXIT_DISC', 'RFC 7606 4'],
  ]
  test.each(withdraws.map((one): Case => [one[0], one[1], one[2], one[3], one[4] ?? external]))(
    '%s',
    (_, attributes, attribute, section, wire) => {
      const result = read(attributes, wire)
      expect(result).toMatchObject({ treatAsWithdraw: true, message: { announced: [], withdrawn: [{ length: 8 }] } })
      const error = !isFault(result) && result.errors.find(({ action }) => action === 'treat-as-withdraw')
      expect(error).toMatchObject({ attribute, section: expect.stringContaining(section) })
    },
  )

  test('also withdraws what MP_REACH_NLRI announces', () => {
    const result = decodeUpdate(bodyOf([REACH, [0x40, 1, 1, 9], AS_PATH], []), external)
    expect(result).toMatchObject({ treatAsWithdraw: true, message: { mpUnreach: { family: 6, nlri: [{ length: 8 }] } } })
  })
})

describe('RFC 7606: attribute discard', () => {
  test.each([
    ['ATOMIC_AGGREGATE with a value', [0x40, 6, 1, 0], 'ATOMIC_AGGREGATE', '7.6', external],
    ['AGGREGATOR of 6 bytes', [0xc0, 7, 6, 0, 1, 1, 1, 1, 1], 'AGGREGATOR', '7.7', external],
    ['LOCAL_PREF from outside', [0x40, 5, 4, 0, 0, 0, 9], 'LOCAL_PREF', '7.5', external],
    ['ORIGINATOR_ID from outside', [0x80, 9, 4, 0, 0, 0, 9], 'ORIGINATOR_ID', '7.9', external],
    ['CLUSTER_LIST from outside', [0x80, 10, 4, 0, 0, 0, 9], 'CLUSTER_LIST', '7.10', external],
    ['a second ORIGIN', [0x40, 1, 1, 2], 'ORIGIN', '3.g', external],
    ['AS4_AGGREGATOR of 4 bytes', [0xc0, 18, 4, 0, 0, 0, 1], 'AS4_AGGREGATOR', 'RFC 6793 6', { ...external, fourOctetAs: false }],
  ])('%s', (_, extra, attribute, section, wire) => {
    const path = wire.fourOctetAs ? AS_PATH : [0x40, 2, 4, 2, 1, 0xfb, 0xf4]
    const result = read([ORIGIN, path, NEXT_HOP, extra], wire)
    expect(result).toMatchObject({
      treatAsWithdraw: false,
      errors: [{ action: 'attribute-discard', attribute, section: expect.stringContaining(section) }],
      message: { attributes: { origin: 0 }, announced: [{ length: 8 }] },
    })
    expect(result).not.toHaveProperty('message.attributes.localPreference')
  })
})

describe('RFC 7606: stronger ways', () => {
  test.each([
    ['lengths that do not fit', Uint8Array.of(0, 9, 0, 0), 1],
    ['attributes longer than the message', Uint8Array.of(0, 0, 0, 9), 1],
    ['a malformed prefix', bodyOf([ORIGIN, AS_PATH, NEXT_HOP], [33, 1, 1, 1, 1, 1]), 10],
    ['a cut off prefix', bodyOf([ORIGIN, AS_PATH, NEXT_HOP], [24, 1, 1]), 10],
    ['two MP_REACH_NLRI', bodyOf([REACH, REACH, ORIGIN, AS_PATH], []), 1],
    ['an unknown well-known attribute', bodyOf([ORIGIN, AS_PATH, NEXT_HOP, [0x40, 77, 0]]), 2],
    ['a malformed attribute and no prefix to withdraw', bodyOf([[0x40, 1, 1, 7]], []), 1],
    ['an MP_REACH_NLRI too short to find its prefixes', bodyOf([ORIGIN, AS_PATH, [0x80, 14, 3, 0, 2, 1]], []), 9],
  ])('the session ends for %s', (_, body, subcode) => {
    expect(decodeUpdate(body, external)).toMatchObject({ code: 3, subcode })
  })

  test.each([
    ['a next hop of 4 bytes for IPv6', [0x80, 14, 11, 0, 2, 1, 4, 1, 1, 1, 1, 0, 8, 0x20], '7.11'],
    ['a prefix of 129 bits', [...REACH.slice(0, 24), 129, 0x20], '5.3'],
    ['an IPv6 next hop for IPv4 that was not agreed on', [0x80, 14, 23, 0, 1, ...REACH.slice(5)], '7.11'],
  ])('the family is disabled for %s, the other prefixes stay', (_, reach, section) => {
    const result = read([reach, ORIGIN, AS_PATH, NEXT_HOP])
    expect(result).toMatchObject({
      disabledFamily: reach[4] === 2 ? 6 : 4,
      errors: [{ action: 'disable-family', section: expect.stringContaining(section) }],
    })
    expect(result).toMatchObject({ message: { announced: [{ length: 8 }] } })
  })
})

describe('mild things', () => {
  test('unknown optional attributes: transitive ones become partial, others go', () => {
    const result = read([ORIGIN, AS_PATH, NEXT_HOP, [0xc0, 99, 1, 5], [0x80, 98, 1, 5]])
    expect(result).toMatchObject({ errors: [], message: { attributes: { unknown: [{ flags: 0xe0, type: 99, value: Uint8Array.of(5) }] } } })
  })

  test('families that are not in use are ignored, with their errors', () => {
    const result = read([[0x80, 14, 5, 0, 25, 70, 0, 0], [0x80, 15, 3, 0, 25, 70], ORIGIN, AS_PATH, NEXT_HOP])
    expect(result).toMatchObject({ errors: [], message: { announced: [{ length: 8 }] } })
  })

  test('large communities that repeat are kept once (RFC 8092 5)', () => {
    const one = [0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]
    const result = read([ORIGIN, AS_PATH, NEXT_HOP, [0xc0, 32, 36, ...one, ...one.toReversed(), ...one]])
    expect(result).toMatchObject({
      errors: [],
      message: { attributes: { largeCommunities: [{ admin: 1, data1: 2, data2: 3 }, { admin: 0x03000000 }] } },
    })
  })

  test('attributes in any order have one normal form', () => {
    expect(read([NEXT_HOP, AS_PATH, ORIGIN])).toEqual(read([ORIGIN, AS_PATH, NEXT_HOP]))
  })

  test('AS4_PATH is ignored beside an AGGREGATOR with an AS of its own', () => {
    const wire = { ...external, fourOctetAs: false }
    const path = [0x40, 2, 4, 2, 1, 0x5b, 0xa0]
    const as4 = [0xc0, ATTRIBUTE.as4Path, 6, 2, 1, 0, 1, 0, 0]
    expect(read([ORIGIN, path, NEXT_HOP, as4], wire)).toMatchObject({ message: { attributes: { asPath: [{ as: [65536] }] } } })
    const aggregator = [0xc0, 7, 6, 0, 9, 1, 1, 1, 1]
    expect(read([ORIGIN, path, NEXT_HOP, aggregator, as4], wire)).toMatchObject({ message: { attributes: { asPath: [{ as: [23456] }] } } })
  })

  test('AS4_PATH longer than AS_PATH is ignored; a shorter one keeps the leading numbers', () => {
    const wire = { ...external, fourOctetAs: false }
    const two = [0x40, 2, 6, 2, 2, 0, 7, 0x5b, 0xa0]
    const one4 = [0xc0, ATTRIBUTE.as4Path, 6, 2, 1, 0, 1, 0, 0]
    expect(read([ORIGIN, two, NEXT_HOP, one4], wire)).toMatchObject({ message: { attributes: { asPath: [{ as: [7, 65536] }] } } })
    const three4 = [0xc0, ATTRIBUTE.as4Path, 14, 2, 3, 0, 1, 0, 0, 0, 1, 0, 1, 0, 1, 0, 2]
    expect(read([ORIGIN, two, NEXT_HOP, three4], wire)).toMatchObject({ message: { attributes: { asPath: [{ as: [7, 23456] }] } } })
  })
})
