import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BFD_STATES, decodeBfdPacket, encodeBfdPacket, type BfdPacket } from './packet.ts'

const number32 = (min = 0): fc.Arbitrary<number> => fc.integer({ min, max: 0xffff_ffff })
const packets: fc.Arbitrary<BfdPacket> = fc.record({
  diagnostic: fc.integer({ min: 0, max: 31 }),
  state: fc.constantFrom(...BFD_STATES),
  poll: fc.boolean(),
  final: fc.boolean(),
  controlPlaneIndependent: fc.boolean(),
  demand: fc.boolean(),
  detectMultiplier: fc.integer({ min: 1, max: 255 }),
  myDiscriminator: number32(1),
  yourDiscriminator: number32(1),
  desiredMinTxMicroseconds: number32(),
  requiredMinRxMicroseconds: number32(),
  requiredMinEchoRxMicroseconds: number32(),
})

const sample: BfdPacket = {
  diagnostic: 0,
  state: 'Down',
  poll: false,
  final: false,
  controlPlaneIndependent: false,
  demand: false,
  detectMultiplier: 3,
  myDiscriminator: 1,
  yourDiscriminator: 0,
  desiredMinTxMicroseconds: 1_000_000,
  requiredMinRxMicroseconds: 300_000,
  requiredMinEchoRxMicroseconds: 0,
}
const changed = (at: number, byte: number): Uint8Array => encodeBfdPacket(sample).map((old, i) => (i === at ? byte : old))

describe('BFD packets', () => {
  test('are read as they were written', () => {
    fc.assert(
      fc.property(packets, (packet) => {
        expect(decodeBfdPacket(encodeBfdPacket(packet))).toEqual(packet)
      }),
    )
  })

  test('any bytes are read or refused', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => void decodeBfdPacket(bytes)))
  })

  test.each([
    ['too short', encodeBfdPacket(sample).subarray(0, 23)],
    ['of another version', changed(0, 0)],
    ['with authentication', changed(1, 0x44)],
    ['multipoint', changed(1, 0x41)],
    ['with a detection multiplier of 0', changed(2, 0)],
    ['longer than what was received', changed(3, 25)],
    ['from discriminator 0', changed(7, 0)],
    ['Up, but for nobody', changed(1, 0xc0)],
  ])('are refused when they are %s', (_what, bytes) => {
    expect(decodeBfdPacket(bytes)).toBeUndefined()
  })

  test('have the form of RFC 5880', () => {
    expect(Buffer.from(encodeBfdPacket(sample)).toString('hex')).toBe('204003180000000100000000000f4240000493e000000000')
  })
})
