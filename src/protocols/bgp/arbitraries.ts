import fc from 'fast-check'
import { maskIp } from '../../base/ip.ts'
import type { AsPathSegment, Capability, Family, Nlri, PathAttributes, UpdateMessage } from './message.ts'

/** Generators of well-formed values for property tests. */

const u8 = fc.integer({ min: 0, max: 255 })
const u16 = fc.integer({ min: 0, max: 0xffff })
export const u32: fc.Arbitrary<number> = fc.integer({ min: 0, max: 0xffffffff })
const asNumber = fc.oneof(fc.integer({ min: 1, max: 0xffff }), fc.integer({ min: 1, max: 0xffffffff }))
const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length })

export const nextHop4: fc.Arbitrary<Uint8Array> = fc
  .tuple(fc.integer({ min: 1, max: 223 }), u8, u8, u8)
  .map((parts) => Uint8Array.from(parts))
  .filter(([first]) => first !== 127)
export const nextHop6: fc.Arbitrary<Uint8Array> = bytes(14).map((tail) => Uint8Array.from([0x20, 0x01, ...tail]))

export function nlri(family: Family, withPathId = false): fc.Arbitrary<Nlri> {
  return fc
    .tuple(bytes(family === 4 ? 4 : 16), fc.integer({ min: 0, max: family === 4 ? 32 : 128 }), u32)
    .map(([address, length, pathId]) => ({
      family,
      bytes: maskIp(address, length),
      length,
      ...(withPathId ? { pathId } : {}),
    }))
}

const segment: fc.Arbitrary<AsPathSegment> = fc.record({
  kind: fc.constantFrom('sequence', 'sequence', 'set'),
  as: fc.array(asNumber, { minLength: 1, maxLength: 6 }),
})

/** Two sequences in a row stay apart, except where AS4_PATH cannot tell: `mergeable` leaves only one sequence, then sets. */
export function asPath(mergeable = false): fc.Arbitrary<AsPathSegment[]> {
  const any = fc.array(segment, { maxLength: 3 })
  return mergeable ? any.map((segments) => segments.filter(({ kind }, i) => kind === 'set' || i === 0)) : any
}

const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined })

export function attributes(options: { readonly mergeablePath?: boolean } = {}): fc.Arbitrary<PathAttributes> {
  return fc
    .record({
      origin: fc.integer({ min: 0, max: 2 }),
      asPath: asPath(options.mergeablePath),
      med: optional(u32),
      localPreference: optional(u32),
      atomicAggregate: optional(fc.constant(true)),
      aggregator: optional(fc.record({ as: asNumber, address: u32 })),
      communities: optional(fc.array(u32, { minLength: 1, maxLength: 80 })),
      originatorId: optional(u32),
      clusterList: optional(fc.array(u32, { minLength: 1, maxLength: 4 })),
      extendedCommunities: optional(bytes(16)),
      largeCommunities: optional(
        fc.uniqueArray(fc.record({ admin: u32, data1: u32, data2: u32 }), {
          minLength: 1,
          maxLength: 4,
          selector: (one) => JSON.stringify(one),
        }),
      ),
      onlyToCustomer: optional(u32),
      unknown: optional(
        fc.record({ flags: fc.constant(0xe0), type: fc.constant(99), value: fc.uint8Array({ maxLength: 300 }) }).map((one) => [one]),
      ),
    })
    .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as PathAttributes)
}

export function update(options: {
  readonly addPath: boolean
  readonly mergeablePath?: boolean
}): fc.Arbitrary<Omit<UpdateMessage, 'type'>> {
  const list4 = fc.array(nlri(4, options.addPath), { maxLength: 8 })
  const list6 = fc.array(nlri(6, options.addPath), { maxLength: 8 })
  return fc
    .record({
      withdrawn: list4,
      announced: list4,
      hop: nextHop4,
      attributes: attributes(options),
      mpReach: optional(fc.record({ family: fc.constant(6 as const), nextHop: nextHop6, nlri: list6 })),
      mpUnreach: optional(fc.record({ family: fc.constant(6 as const), nlri: list6 })),
      linkLocal: optional(bytes(14).map((tail) => Uint8Array.from([0xfe, 0x80, ...tail]))),
    })
    .map(({ hop, linkLocal, mpReach, mpUnreach, ...rest }) => ({
      ...rest,
      attributes: rest.announced.length > 0 ? { ...rest.attributes, nextHop: hop } : rest.attributes,
      ...(mpReach ? { mpReach: { ...mpReach, ...(linkLocal ? { linkLocal } : {}) } } : {}),
      ...(mpUnreach ? { mpUnreach } : {}),
    }))
}

const afiSafi = { afi: u16, safi: u8 }

export const capability: fc.Arbitrary<Capability> = fc.oneof(
  fc.record({ kind: fc.constant('multiprotocol' as const), ...afiSafi }),
  fc.constantFrom<Capability>({ kind: 'route-refresh' }, { kind: 'enhanced-route-refresh' }, { kind: 'extended-message' }),
  fc.record({ kind: fc.constant('four-octet-as' as const), as: u32 }),
  fc.record({ kind: fc.constant('role' as const), role: u8 }),
  fc.record({
    kind: fc.constant('extended-next-hop' as const),
    entries: fc.array(fc.record({ afi: u16, safi: u16, nextHopAfi: u16 }), { maxLength: 3 }),
  }),
  fc.record({ kind: fc.constant('add-path' as const), families: fc.array(fc.record({ ...afiSafi, mode: u8 }), { maxLength: 3 }) }),
  fc.record({
    kind: fc.constant('graceful-restart' as const),
    restarting: fc.boolean(),
    notification: fc.boolean(),
    restartTimeSeconds: fc.integer({ min: 0, max: 4095 }),
    families: fc.array(fc.record({ ...afiSafi, forwarding: fc.boolean() }), { maxLength: 3 }),
  }),
  fc.record({ kind: fc.constant('unknown' as const), code: fc.integer({ min: 128, max: 255 }), value: fc.uint8Array({ maxLength: 60 }) }),
)
