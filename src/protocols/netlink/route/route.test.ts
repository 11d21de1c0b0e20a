import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MessageCursor, NetlinkFormatError, NetlinkWriter } from '../index.ts'
import {
  readAddress,
  readLink,
  readNeighbour,
  readRoute,
  readRule,
  writeNewAddress,
  writeNewLink,
  writeNewNeighbour,
  writeNewRule,
  writeRoute,
  type KernelAddress,
  type KernelNeighbour,
  type KernelRoute,
  type KernelRule,
  type NewLink,
} from './index.ts'

const u8 = fc.integer({ min: 0, max: 255 })
const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const index = fc.integer({ min: 1, max: 0x7fff_ffff })
const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length })
const ip = fc.oneof(bytes(4), bytes(16))
const mac = bytes(6)
const name = fc.string({ unit: fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz0123456789.-'.split('')), minLength: 1, maxLength: 15 })
/** Fields that are absent are not there at all. */
const optional = <T extends object>(shape: { [K in keyof T]: fc.Arbitrary<T[K]> }, required: (keyof T)[]): fc.Arbitrary<T> =>
  fc.record(shape, { requiredKeys: required as never }) as fc.Arbitrary<T>

function messageOf(write: (writer: NetlinkWriter) => void): MessageCursor {
  const writer = new NetlinkWriter()
  write(writer)
  const cursor = new MessageCursor(writer.finish())
  expect(cursor.next()).toBe(true)
  return cursor
}

const route: fc.Arbitrary<KernelRoute> = fc.constantFrom(4, 16).chain((width) => {
  const hop = optional<KernelRoute['nextHops'][number]>(
    { gateway: ip, link: index, weight: fc.integer({ min: 1, max: 256 }), flags: fc.constantFrom(0, 4) },
    ['link', 'weight', 'flags'],
  )
  return optional<KernelRoute>(
    {
      destination: bytes(width),
      length: fc.integer({ min: 1, max: width * 8 }),
      table: fc.integer({ min: 1, max: 0xffff_ffff }),
      protocol: u8,
      type: fc.constantFrom(1, 6, 7, 8),
      metric: u32,
      source: bytes(width),
      nextHops: fc.oneof(
        fc.constant([]),
        hop.map((one) => [{ ...one, weight: 1 }]),
        fc.array(hop, { minLength: 2, maxLength: 5 }),
      ),
    },
    ['destination', 'length', 'table', 'protocol', 'type', 'metric', 'nextHops'],
  )
})

const address: fc.Arbitrary<KernelAddress> = fc.record({ bytes: ip, length: u8, link: index, scope: u8, flags: u32 })

const neighbour: fc.Arbitrary<KernelNeighbour> = fc.oneof(
  optional<KernelNeighbour>(
    { kind: fc.constantFrom('neighbour', 'proxy'), link: index, ip, address: mac, state: fc.nat(0xffff), protocol: u8 },
    ['kind', 'link', 'ip', 'state', 'protocol'],
  ),
  optional<KernelNeighbour>(
    { kind: fc.constant('forwarding' as const), link: index, ip, address: mac, state: fc.nat(0xffff), protocol: fc.constant(0) },
    ['kind', 'link', 'address', 'state', 'protocol'],
  ),
)

const rule: fc.Arbitrary<KernelRule> = fc.constantFrom(4 as const, 6 as const).chain((family) => {
  const prefix = fc.record({ bytes: bytes(family === 4 ? 4 : 16), length: fc.integer({ min: 1, max: family === 4 ? 32 : 128 }) })
  return optional<KernelRule>(
    {
      family: fc.constant(family),
      priority: u32,
      action: fc.constantFrom('table', 'blackhole', 'unreachable', 'prohibit'),
      table: fc.integer({ min: 1, max: 0xffff_ffff }),
      from: prefix,
      to: prefix,
      inLink: name,
      outLink: name,
      mark: u32,
      markMask: fc.integer({ min: 1, max: 0xffff_ffff }),
      suppressLength: fc.integer({ min: 0, max: 128 }),
      protocol: u8,
    },
    ['family', 'priority', 'action', 'table', 'mark', 'markMask', 'protocol'],
  ).map((given) => ({ ...given, table: given.action === 'table' ? given.table : 0 }))
})

describe('rtnetlink', () => {
  test('routes read as they were written', () => {
    fc.assert(
      fc.property(route, (given) => {
        expect(readRoute(messageOf((writer) => writeRoute(writer, 'replace', 1, given, true)))).toEqual(given)
      }),
      { numRuns: 500 },
    )
  })

  test('the request to delete a route names what it is known by, its owner included, and no next hop', () => {
    fc.assert(
      fc.property(route, (given) => {
        const { destination, length, table, protocol, metric } = given
        const read = readRoute(messageOf((writer) => writeRoute(writer, 'delete', 1, given, true)))
        expect(read).toEqual({ destination, length, table, protocol, metric, type: 0, nextHops: [] })
      }),
    )
  })

  test('only what is asked for is acknowledged', () => {
    const given = fc.sample(route, 1)[0] as KernelRoute
    const flags = (op: 'create' | 'replace' | 'delete', isAcknowledged: boolean): number =>
      messageOf((writer) => writeRoute(writer, op, 1, given, isAcknowledged)).flags
    expect([flags('create', false), flags('replace', false), flags('delete', false)]).toEqual([0x601, 0x501, 0x1])
    expect([flags('create', true), flags('replace', true), flags('delete', true)]).toEqual([0x605, 0x505, 0x5])
  })

  test('addresses read as they were written', () => {
    fc.assert(
      fc.property(address, (given) => {
        expect(readAddress(messageOf((writer) => writeNewAddress(writer, 1, given)))).toEqual(given)
      }),
    )
  })

  test('neighbours, proxies and forwarding entries read as they were written', () => {
    fc.assert(
      fc.property(neighbour, (given) => {
        expect(readNeighbour(messageOf((writer) => writeNewNeighbour(writer, 1, given)))).toEqual(given)
      }),
    )
  })

  test('rules read as they were written', () => {
    fc.assert(
      fc.property(rule, (given) => {
        expect(readRule(messageOf((writer) => writeNewRule(writer, 1, given)))).toEqual(given)
      }),
    )
  })

  test('links read as they were written', () => {
    const vxlan = fc.record({ id: fc.nat(0xff_ffff), port: fc.nat(0xffff), local: ip, learning: fc.boolean() })
    fc.assert(
      fc.property(
        name,
        fc.integer({ min: 68, max: 65_535 }),
        mac,
        index,
        fc.boolean(),
        fc.option(vxlan),
        (of, mtu, hardware, master, isUp, tunnel) => {
          const given: NewLink = {
            name: of,
            mtu,
            address: hardware,
            master,
            isUp,
            ...(tunnel ? { kind: 'vxlan', vxlan: tunnel } : { kind: 'veth', peer: { name: 'eth0', mtu } }),
          }
          expect(readLink(messageOf((writer) => writeNewLink(writer, 1, given)))).toEqual({
            index: 0,
            name: of,
            isUp,
            hasCarrier: false,
            mtu,
            address: hardware,
            kind: given.kind,
            master,
            ...(tunnel && { vxlan: tunnel }),
          })
        },
      ),
    )
  })

  test('any bytes are read or refused', () => {
    const readers = [readRoute, readAddress, readNeighbour, readRule, readLink]
    const valid = route.map((given) => {
      const writer = new NetlinkWriter()
      writeRoute(writer, 'replace', 1, given, false)
      return writer.finish().slice()
    })
    const damaged = fc.tuple(valid, fc.array(fc.tuple(fc.nat(200), u8), { maxLength: 4 })).map(([whole, changes]) => {
      for (const [at, to] of changes) if (at >= 16 && at < whole.length) whole[at] = to
      return whole
    })
    fc.assert(
      fc.property(fc.oneof(damaged, fc.uint8Array({ minLength: 16, maxLength: 120 })), fc.constantFrom(...readers), (noise, read) => {
        const cursor = new MessageCursor(noise)
        cursor.start = 16
        cursor.end = noise.length
        try {
          read(cursor)
        } catch (error) {
          expect(error).toBeInstanceOf(NetlinkFormatError)
        }
      }),
      { numRuns: 3000 },
    )
  })
})
