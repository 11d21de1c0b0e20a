import { X509Certificate } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { childrenOf, contextTag, decodeDer, DerError, encodeDer, oid, readOid, readTime, sequence, time, unsignedInteger } from './der.ts'
import { createRequest, decodePem, encodePem, PemError, readCertificate, readRequest } from './index.ts'
import { ca, caKeys, DAY, leaf, leafKeys, NAMES, NOW, spki } from './test-certificates.ts'

describe('der', () => {
  test('any object identifier is read back', () => {
    fc.assert(
      fc.property(fc.nat(1), fc.nat(39), fc.array(fc.nat()), (first, second, rest) => {
        const text = [first, second, ...rest].join('.')
        expect(readOid(decodeDer(oid(text)))).toBe(text)
      }),
    )
  })

  test('content of any length is read back', () => {
    for (const length of [0, 1, 127, 128, 255, 256, 65_535, 65_536]) {
      const content = Buffer.alloc(length, 7)
      expect(decodeDer(encodeDer(4, content)).content.equals(content)).toBe(true)
    }
  })

  test('integers have no leading zeros and are never negative', () => {
    expect(unsignedInteger(Buffer.from([0, 0, 1])).toString('hex')).toBe('020101')
    expect(unsignedInteger(Buffer.from([0x80])).toString('hex')).toBe('02020080')
    expect(unsignedInteger(Buffer.alloc(0)).toString('hex')).toBe('020100')
    expect(unsignedInteger(Buffer.from([0])).toString('hex')).toBe('020100')
  })

  test('times change their form in 2050', () => {
    expect(time(Date.UTC(2049, 11, 31, 23, 59, 59)).toString('latin1', 2)).toBe('491231235959Z')
    expect(time(Date.UTC(2050, 0, 1)).toString('latin1', 2)).toBe('20500101000000Z')
    fc.assert(
      fc.property(fc.integer({ min: -631_152_000, max: 253_402_300_799 }), (seconds) => {
        expect(readTime(decodeDer(time(seconds * 1000)))).toBe(seconds * 1000)
      }),
    )
  })

  test.each([
    ['', 'cut value'],
    ['30', 'cut value'],
    ['3002', 'cut value'],
    ['300000', '1 bytes behind the value'],
    ['3080', 'bad length'],
    ['308105', 'a length that is not the shortest'],
    ['1f8101', 'tags of several bytes are not supported'],
    ['3085ffffffffff', 'bad length'],
  ])('%s is refused', (hex, why) => {
    expect(() => decodeDer(Buffer.from(hex, 'hex'))).toThrow(new DerError(why))
  })

  test('any bytes are read or refused, as value, certificate and request', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(), (noise, at) => {
        const broken = Buffer.from(ca)
        broken.set(noise, at % (ca.length - 60))
        for (const [read, bytes] of [
          [decodeDer, noise],
          [readCertificate, broken],
          [readRequest, broken],
        ] as const) {
          try {
            read(bytes)
          } catch (error) {
            expect(error).toBeInstanceOf(DerError)
          }
        }
      }),
    )
  })

  test('deep nesting is refused', () => {
    let value: Buffer = encodeDer(5)
    for (let i = 0; i < 5000; i++) value = sequence(value)
    expect(() => readCertificate(value)).toThrow('nested deeper')
    expect(childrenOf(decodeDer(sequence(encodeDer(contextTag(3, 'constructed')))))).toHaveLength(1)
  })
})

describe('pem', () => {
  test('any bytes are read back, whatever stands around', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const text = `Bag Attributes\n${encodePem('OTHER', Buffer.from([1]))}junk\r\n${encodePem('THING', bytes).replaceAll('\n', '\r\n')}more`
        expect(decodePem(text, 'NEW THING', 'THING').equals(bytes)).toBe(true)
      }),
    )
  })

  test('a missing block is an error that names it', () => {
    expect(() => decodePem('nothing', 'CERTIFICATE')).toThrow(new PemError('no PEM block of type CERTIFICATE'))
  })
})

describe('certificates', () => {
  test('node:crypto reads what is issued and accepts the signature', () => {
    const certificate = new X509Certificate(leaf(NAMES))
    expect(certificate.verify(caKeys.publicKey)).toBe(true)
    expect(certificate.checkIssued(new X509Certificate(ca))).toBe(true)
    expect(certificate.checkPrivateKey(leafKeys.privateKey)).toBe(true)
    expect(certificate.subject).toBe('O=a\nO=b\nCN=web')
    expect(certificate.issuer).toBe('CN=test-ca')
    expect(certificate.ca).toBe(false)
    expect(new X509Certificate(ca).ca).toBe(true)
    expect(certificate.checkHost('web.example.com')).toBe('web.example.com')
    expect(certificate.checkIP('10.96.0.1')).toBe('10.96.0.1')
    expect(certificate.checkIP('::1')).toBe('::1')
    expect(certificate.checkIP('2001:db8::a:0:0:1')).toBe('2001:db8::a:0:0:1')
    expect(certificate.subjectAltName).toContain('URI:spiffe://cluster.local/ns/default/sa/web')
    expect([Date.parse(certificate.validFrom), Date.parse(certificate.validTo)]).toEqual([NOW, NOW + DAY])
  })

  test('what is issued is read back', () => {
    const text = fc.string({ minLength: 1, maxLength: 40 })
    const name = fc.oneof(
      fc.domain().map((value) => ({ type: 'dns' as const, value })),
      fc.ipV4().map((value) => ({ type: 'ip' as const, value })),
      fc
        .ipV6()
        .filter((value) => !value.includes('.'))
        .map((value) => ({ type: 'ip' as const, value: new URL(`http://[${value}]`).hostname.slice(1, -1) })),
      fc.webUrl().map((value) => ({ type: 'uri' as const, value })),
    )
    fc.assert(
      fc.property(
        text,
        fc.array(text, { maxLength: 3 }),
        fc.array(name, { maxLength: 5 }),
        (commonName, organizations, alternativeNames) => {
          expect(readCertificate(leaf(alternativeNames, commonName, organizations))).toMatchObject({
            subject: { commonName, organizations },
            issuer: { commonName: 'test-ca', organizations: [] },
            notBefore: NOW,
            notAfter: NOW + DAY,
            alternativeNames,
            keyUsages: ['digitalSignature', 'keyEncipherment'],
            extendedKeyUsages: ['serverAuth', 'clientAuth'],
            isCa: false,
          })
        },
      ),
      { numRuns: 50 },
    )
  })

  test('an address that is none is refused', () => {
    expect(readCertificate(leaf([{ type: 'ip', value: '::ffff:1.2.3.4' }])).alternativeNames).toEqual([
      { type: 'ip', value: '::ffff:102:304' },
    ])
    for (const value of ['1.2.3', '1.2.3.256', '1::2::3:4:5:6:7:8:9', 'x::', '1:2:3', 'fe80::1%lo', 'web']) {
      expect(() => leaf([{ type: 'ip', value }]), value).toThrow(DerError)
    }
  })
})

describe('certificate requests', () => {
  const subject = { commonName: 'system:node:n1', organizations: ['system:nodes'] }

  test('what is made is read back', () => {
    const request = readRequest(createRequest({ subject, alternativeNames: NAMES, keyUsages: ['digitalSignature'] }, leafKeys))
    expect(request).toMatchObject({ subject, alternativeNames: NAMES, keyUsages: ['digitalSignature'] })
    expect(request.publicKey.equals(spki(leafKeys.publicKey))).toBe(true)
    expect(readRequest(createRequest({ subject }, leafKeys))).toMatchObject({ subject, alternativeNames: [] })
  })

  test('a request that is not signed with its own key is refused', () => {
    expect(() => readRequest(createRequest({ subject }, { privateKey: caKeys.privateKey, publicKey: leafKeys.publicKey }))).toThrow(
      'signature of the request',
    )
  })

  test('changing any byte of what is asked for breaks it', () => {
    const der = createRequest({ subject }, leafKeys)
    const at = der.indexOf('system:node:n1')
    der[at + 13] = 0x32
    expect(() => readRequest(der)).toThrow(DerError)
  })
})
