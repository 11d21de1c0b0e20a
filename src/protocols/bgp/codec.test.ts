import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { capability, nlri, update, u32 } from './arbitraries.ts'
import {
  bodyOf,
  countNlri,
  decodeNlri,
  decodeNotification,
  decodeOpen,
  decodeRouteRefresh,
  decodeUpdate,
  encodeEndOfRib,
  encodeNlri,
  encodeNotification,
  encodeOpen,
  encodeRouteRefresh,
  encodeShutdownText,
  encodeUpdate,
  frameMessage,
  isFault,
  KEEPALIVE_BYTES,
  nextFrame,
  shutdownText,
  type WireOptions,
} from './index.ts'

/** Of a machine that has other things to do. */
const PATIENCE_MS = 120_000

const internal: WireOptions = {
  fourOctetAs: true,
  addPathReceive: [],
  families: [4, 6],
  extendedNextHop: true,
  internal: true,
  maxMessageBytes: 65535,
}

describe('what is written is read', { timeout: PATIENCE_MS }, () => {
  test('OPEN, beyond 255 bytes of parameters too', () => {
    const value = fc.record({
      as: fc.integer({ min: 1, max: 65535 }),
      holdTimeSeconds: fc.constantFrom(0, 3, 90, 65535),
      routerId: fc.integer({ min: 1, max: 0xffffffff }),
      capabilities: fc.array(capability, { maxLength: 20 }),
    })
    fc.assert(
      fc.property(value, (open) => {
        expect(decodeOpen(bodyOf(encodeOpen(open)))).toEqual({ type: 'open', version: 4, ...open })
      }),
    )
  })

  test.each([false, true])('UPDATE with 4-byte AS numbers, path identifiers: %s', (addPath) => {
    const options = { ...internal, addPathReceive: addPath ? ([4, 6] as const) : [] }
    fc.assert(
      fc.property(update({ addPath }), (message) => {
        const bytes = encodeUpdate(message, { fourOctetAs: true, addPath: options.addPathReceive })
        expect(decodeUpdate(bodyOf(bytes), options)).toMatchObject({
          message: { type: 'update', ...message },
          treatAsWithdraw: false,
          errors: [],
        })
      }),
    )
  })

  test('UPDATE with 2-byte AS numbers, the long ones through AS4_PATH and AS4_AGGREGATOR', () => {
    fc.assert(
      fc.property(update({ addPath: false, mergeablePath: true }), (message) => {
        // AS4_PATH is ignored beside an AGGREGATOR of a 2-byte speaker (RFC 6793 4.2.3), which this sender is not
        const { aggregator, ...attributes } = message.attributes
        const long = message.attributes.asPath?.some(({ as }) => as.some((one) => one > 65535))
        const sent = { ...message, attributes: aggregator && (aggregator.as > 65535 || !long) ? message.attributes : attributes }
        const bytes = encodeUpdate(sent, { fourOctetAs: false, addPath: [] })
        expect(decodeUpdate(bodyOf(bytes), { ...internal, fourOctetAs: false })).toMatchObject({ message: sent, errors: [] })
      }),
    )
  })

  test('prefixes', () => {
    fc.assert(
      fc.property(fc.array(nlri(6, true)), (list) => {
        const bytes = encodeNlri(list, true)
        expect(countNlri(bytes, 0, bytes.length, 6, true)).toBe(list.length)
        expect(decodeNlri(bytes, 0, bytes.length, 6, true)).toEqual(list)
      }),
    )
  })

  test('NOTIFICATION and ROUTE-REFRESH', () => {
    const data = Uint8Array.of(1, 2, 3)
    expect(decodeNotification(bodyOf(encodeNotification({ code: 6, subcode: 4, data })))).toEqual({
      type: 'notification',
      code: 6,
      subcode: 4,
      data,
    })
    expect(decodeRouteRefresh(bodyOf(encodeRouteRefresh({ afi: 2, safi: 1, subtype: 2 })))).toEqual({
      type: 'route-refresh',
      afi: 2,
      safi: 1,
      subtype: 2,
    })
    expect(decodeRouteRefresh(Uint8Array.of(1))).toMatchObject({ code: 7, subcode: 1 })
  })

  test('End-of-RIB of both families', () => {
    expect(decodeUpdate(bodyOf(encodeEndOfRib(4)), internal)).toMatchObject({ endOfRib: 4 })
    expect(decodeUpdate(bodyOf(encodeEndOfRib(6)), internal)).toMatchObject({ endOfRib: 6 })
  })

  test('the text of a shutdown, also inside a hard reset, cut to 255 bytes at a character', () => {
    const data = encodeShutdownText('maintenance\nat noon')
    expect(shutdownText({ type: 'notification', code: 6, subcode: 2, data })).toBe('maintenance?at noon')
    expect(shutdownText({ type: 'notification', code: 6, subcode: 9, data: Uint8Array.of(6, 2, ...data) })).toBe('maintenance?at noon')
    expect(shutdownText({ type: 'notification', code: 6, subcode: 1, data })).toBeUndefined()
    const long = encodeShutdownText('ä'.repeat(200))
    expect(long.length).toBe(255)
    expect(shutdownText({ type: 'notification', code: 6, subcode: 4, data: long })).toBe('ä'.repeat(127))
  })
})

describe('framing', () => {
  test.each([
    ['a wrong marker', (m: Uint8Array) => (m[3] = 0), 1, 1],
    ['an unknown type', (m: Uint8Array) => (m[18] = 9), 1, 3],
    ['a length below the header', (m: Uint8Array) => (m[17] = 18), 1, 2],
    ['a KEEPALIVE with a body', (m: Uint8Array) => (m[17] = 20), 1, 2],
  ])('refuses %s', (_, spoil, code, subcode) => {
    const message = KEEPALIVE_BYTES.slice()
    spoil(message)
    expect(nextFrame(message, 0, message.length, 4096)).toMatchObject({ code, subcode })
  })

  test('takes long UPDATEs only when both sides agreed', () => {
    const message = frameMessage(2, new Uint8Array(5000))
    expect(nextFrame(message, 0, message.length, 4096)).toMatchObject({ code: 1, subcode: 2 })
    expect(nextFrame(message, 0, message.length, 65535)).toMatchObject({ start: 0, end: 5019 })
  })

  test('waits for more, and finds messages in a row', () => {
    const two = Uint8Array.from([...KEEPALIVE_BYTES, ...encodeEndOfRib(4)])
    expect(nextFrame(two, 0, 18, 4096)).toBeUndefined()
    expect(nextFrame(two, 0, two.length, 4096)).toEqual({ type: 4, start: 0, end: 19 })
    expect(nextFrame(two, 19, two.length, 4096)).toEqual({ type: 2, start: 19, end: 42 })
  })
})

describe('any bytes', { timeout: PATIENCE_MS }, () => {
  const options = fc.constantFrom<WireOptions>(
    internal,
    { ...internal, internal: false },
    { ...internal, fourOctetAs: false, addPathReceive: [4, 6] },
    { ...internal, families: [4], extendedNextHop: false },
  )

  test('never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), options, (bytes, wire) => {
        decodeOpen(bytes)
        decodeNotification(bytes)
        decodeRouteRefresh(bytes)
        nextFrame(bytes, 0, bytes.length, 4096)
        decodeUpdate(bytes, wire)
      }),
      { numRuns: 2000 },
    )
  })

  test('in a good UPDATE give an error value or an UPDATE that can be written again', () => {
    const spoils = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(update({ addPath: false }), spoils, options, (message, changes, wire) => {
        const body = bodyOf(encodeUpdate(message, { fourOctetAs: true, addPath: [] }))
        for (const [at, value] of changes) body[at % body.length] = value
        const read = decodeUpdate(body, wire)
        if (isFault(read)) {
          expect(read.code).toBe(3)
          return
        }
        const again = decodeUpdate(bodyOf(encodeUpdate(read.message, { fourOctetAs: true, addPath: wire.addPathReceive })), {
          ...wire,
          fourOctetAs: true,
        })
        expect(isFault(again) && again.reason).toBe(false)
        expect(again).toMatchObject({ message: { withdrawn: read.message.withdrawn, announced: read.message.announced } })
      }),
      { numRuns: 2000 },
    )
  })

  test('in an OPEN with changed bytes never throw', () => {
    fc.assert(
      fc.property(fc.array(capability, { maxLength: 12 }), fc.nat(), fc.nat(255), u32, (capabilities, at, value, id) => {
        const body = bodyOf(encodeOpen({ as: 1, holdTimeSeconds: 90, routerId: id, capabilities }))
        body[at % body.length] = value
        decodeOpen(body)
      }),
    )
  })
})
