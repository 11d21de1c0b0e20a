import dnsPacket from 'dns-packet'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CLASS_IN, FLAG, TYPE } from './codes.ts'
import { decodeMessage, decodeQuery } from './decode.ts'
import { encodeMessage, encodeQuery, record, recordData, type Outgoing } from './encode.ts'
import { WireFormatError, type DnsRecord } from './message.ts'
import { isWithin, labelsOf, lowerName, nameText, parseName, wireName, type WireName } from './name.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1')
const label = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)), minLength: 1, maxLength: 20 })
const names: fc.Arbitrary<WireName> = fc
  .array(fc.oneof(label, fc.constantFrom('web', 'WEB', 'svc', 'local')), { maxLength: 8 })
  .map((labels) => `${labels.map((each) => String.fromCharCode(each.length) + each).join('')}\0`)
const data = (type: number): fc.Arbitrary<Uint8Array> => {
  if (type === TYPE.A) return fc.uint8Array({ minLength: 4, maxLength: 4 })
  if (type === TYPE.CNAME || type === TYPE.PTR || type === TYPE.NS) return names.map(bytes)
  if (type === TYPE.SRV) return fc.tuple(fc.nat(65_535), names).map(([port, name]) => recordData.srv(1, 2, port, name))
  if (type === TYPE.MX) return names.map((name) => bytes(`\x00\x0a${name}`))
  if (type === TYPE.SOA) {
    return fc
      .tuple(names, names, fc.nat())
      .map(([mname, rname, serial]) => recordData.soa({ mname, rname, serial, refresh: 1, retry: 2, expire: 3, minimum: 4 }))
  }
  return fc.uint8Array({ maxLength: 60 })
}
const records: fc.Arbitrary<DnsRecord> = fc
  .constantFrom(TYPE.A, TYPE.CNAME, TYPE.PTR, TYPE.NS, TYPE.SRV, TYPE.MX, TYPE.SOA, TYPE.TXT, 4711)
  .chain((type) => fc.tuple(names, fc.nat(2 ** 31 - 1), data(type)).map(([name, ttl, each]) => record(name, type, ttl, each)))
const section = fc.array(records, { maxLength: 8 })
const plain = (found: readonly DnsRecord[]): readonly unknown[] =>
  found.map((each) => ({ ...each, name: lowerName(each.name), data: lowerName(Buffer.from(each.data).toString('latin1')) }))

describe('messages', () => {
  test('what is encoded decodes to the same, but for the case of names that share bytes', () => {
    fc.assert(
      fc.property(names, section, section, section, fc.option(fc.boolean()), (name, answers, authorities, additionals, dnssecOk) => {
        const question = { name, type: TYPE.A, class: CLASS_IN }
        const edns = dnssecOk === null ? undefined : { udpBytes: 1232, version: 0, dnssecOk }
        const message: Outgoing = { id: 7, flags: FLAG.QR, rcode: 3, question, answers, authorities, additionals, edns }
        const found = decodeMessage(encodeMessage(message))
        expect(found).toMatchObject({ id: 7, flags: FLAG.QR | 3, rcode: 3, questions: [question] })
        expect(plain(found.answers)).toEqual(plain(answers))
        expect(plain(found.authorities)).toEqual(plain(authorities))
        expect(plain(found.additionals)).toEqual(plain(additionals))
        expect(found.edns?.dnssecOk).toBe(edns?.dnssecOk)
      }),
    )
  })

  test('no message is longer than it may be, and each can be read', () => {
    fc.assert(
      fc.property(section, section, fc.integer({ min: 300, max: 900 }), (answers, additionals, maxBytes) => {
        const question = { name: wireName('a.b'), type: TYPE.A, class: CLASS_IN }
        const edns = { udpBytes: 1232, version: 0, dnssecOk: false }
        const encoded = encodeMessage({ id: 1, flags: FLAG.QR, rcode: 0, question, answers, additionals, edns }, maxBytes)
        expect(encoded.length).toBeLessThanOrEqual(maxBytes)
        const found = decodeMessage(encoded)
        expect((found.flags & FLAG.TC) !== 0).toBe(found.answers.length < answers.length)
        expect(plain(found.answers)).toEqual(plain(answers.slice(0, found.answers.length)))
      }),
    )
  })

  test('any bytes are read or refused by name, in bounded time', () => {
    const header = fc.tuple(fc.constantFrom(0, 0x8180), fc.nat(3), fc.nat(4), fc.nat(4), fc.nat(4)).map(([flags, ...counts]) => {
      const out = Buffer.alloc(12)
      out.writeUInt16BE(flags, 2)
      counts.forEach((count, i) => out.writeUInt16BE(count, 4 + 2 * i))
      return out
    })
    const body = fc.array(fc.oneof(fc.nat(255), fc.constantFrom(0, 0xc0, 12, 13, 1, 41)), { maxLength: 200 })
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 300 }),
          fc.tuple(header, body).map(([head, rest]) => Buffer.concat([head, Buffer.from(rest)])),
        ),
        (input) => {
          for (const decode of [decodeQuery, decodeMessage]) {
            try {
              decode(input)
            } catch (error) {
              expect(error).toBeInstanceOf(WireFormatError)
            }
          }
        },
      ),
      { numRuns: 3000 },
    )
  })

  test('a name that points to itself, ahead, or into the header is refused', () => {
    const query = (...name: number[]): Uint8Array => Uint8Array.of(0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...name, 0, 1, 0, 1)
    for (const pointer of [
      [0xc0, 12],
      [0xc0, 14],
      [0xc0, 4],
      [1, 97, 0xc0, 12],
      [0x40, 0],
    ])
      expect(() => decodeQuery(query(...pointer))).toThrow(WireFormatError)
  })

  test('a count that the bytes cannot hold is refused before memory is taken', () => {
    const bomb = Buffer.alloc(12)
    bomb.writeUInt16BE(1, 4)
    for (const at of [6, 8, 10]) bomb.writeUInt16BE(65_535, at)
    expect(() => decodeMessage(bomb)).toThrow(WireFormatError)
  })

  test('another implementation reads ours', () => {
    const name = wireName('_http._tcp.web.shop.svc.cluster.local')
    const target = wireName('web.shop.svc.cluster.local')
    const encoded = encodeMessage({
      id: 9,
      flags: FLAG.QR | FLAG.AA,
      rcode: 0,
      question: { name, type: TYPE.SRV, class: CLASS_IN },
      answers: [record(name, TYPE.SRV, 5, recordData.srv(0, 100, 80, target))],
      additionals: [record(target, TYPE.A, 5, Uint8Array.of(10, 96, 0, 7))],
    })
    const found = dnsPacket.decode(encoded)
    expect(found.answers?.[0]).toMatchObject({ type: 'SRV', data: { port: 80, weight: 100, target: 'web.shop.svc.cluster.local' } })
    expect(found.additionals?.[0]).toMatchObject({ name: 'web.shop.svc.cluster.local', type: 'A', data: '10.96.0.7' })
    // names that stand in the message already take two bytes
    expect(encoded.length).toBe(12 + (name.length + 4) + (2 + 10 + 6 + target.length) + (2 + 14))
  })

  test('ours reads another implementation', () => {
    const encoded = dnsPacket.encode({
      id: 5,
      type: 'query',
      flags: dnsPacket.RECURSION_DESIRED,
      questions: [{ type: 'AAAA', name: 'Web.shop' }],
      additionals: [
        {
          type: 'OPT',
          name: '.',
          udpPayloadSize: 4096,
          flags: dnsPacket.DNSSEC_OK,
          extendedRcode: 0,
          ednsVersion: 0,
          flag_do: true,
          options: [],
        },
      ],
    })
    expect(decodeQuery(encoded)).toMatchObject({
      id: 5,
      flags: FLAG.RD,
      question: { name: wireName('Web.shop'), type: TYPE.AAAA, class: CLASS_IN },
      edns: { udpBytes: 4096, version: 0, dnssecOk: true },
    })
    const own = encodeQuery(3, { name: wireName('a.b'), type: TYPE.A, class: CLASS_IN }, { flags: FLAG.RD })
    expect(dnsPacket.decode(own).questions).toMatchObject([{ name: 'a.b', type: 'A' }])
  })
})

describe('names', () => {
  test('text and back', () => {
    fc.assert(
      fc.property(names, (name) => {
        expect(parseName(nameText(name))).toBe(name)
      }),
    )
  })

  test.each(['a..b', '.a', 'a'.repeat(64), `${'abcdefgh.'.repeat(32)}x`, 'a\\', 'a\\999', 'ä€'])('%s is no name', (text) => {
    expect(parseName(text)).toBeUndefined()
  })

  test('within a zone: only at the edge of a label', () => {
    const zone = wireName('cluster.local')
    expect(isWithin(wireName('a.cluster.local'), zone)).toBe(true)
    expect(isWithin(zone, zone)).toBe(true)
    expect(isWithin(wireName('xcluster.local'), zone)).toBe(false)
    // one label that ends with the bytes of the zone
    const tricky = `x${zone}`.slice(0, -1)
    expect(isWithin(`${String.fromCharCode(tricky.length)}${tricky}\0`, zone)).toBe(false)
    expect(labelsOf(wireName('a.b.'))).toEqual(['a', 'b'])
  })

  test('only A to Z have another case', () => expect(lowerName(`\x02\xc0Z\0`)).toBe(`\x02\xc0z\0`))
})
