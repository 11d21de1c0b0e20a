import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FieldBlock, HpackDecoder, HpackEncoder, HpackError, decodeHuffman, encodeHuffman, huffmanLength } from './index.ts'

type Fields = (readonly [string, string])[]
const LIMITS = { maxTableBytes: 4096, maxListBytes: 1 << 20 }
const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(/\s/g, ''), 'hex')

function fieldsOf(block: FieldBlock): Fields {
  return Array.from({ length: block.count }, (_, i) => [block.name(i), block.value(i)] as const)
}

function decode(decoder: HpackDecoder, block: Buffer): Fields {
  const fields = new FieldBlock()
  // Not at the start of its buffer, as in real life.
  const source = Buffer.concat([Buffer.from('xyz'), block, Buffer.from('tail')])
  decoder.decode(source, 3, 3 + block.length, fields)
  const decoded = fieldsOf(fields)
  // What a proxy copies says the same to a decoder that has no table at all.
  const copy = new FieldBlock()
  new HpackDecoder({ maxTableBytes: 0, maxListBytes: 1 << 20 }).decode(fields.bytes, 0, fields.length, copy)
  expect(fieldsOf(copy)).toEqual(decoded)
  return decoded
}

const REQUESTS: [string, Fields][] = [
  [
    '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
    [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', '/'],
      [':authority', 'www.example.com'],
    ],
  ],
  [
    '8286 84be 5808 6e6f 2d63 6163 6865',
    [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', '/'],
      [':authority', 'www.example.com'],
      ['cache-control', 'no-cache'],
    ],
  ],
  [
    '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
    [
      [':method', 'GET'],
      [':scheme', 'https'],
      [':path', '/index.html'],
      [':authority', 'www.example.com'],
      ['custom-key', 'custom-value'],
    ],
  ],
]
const HUFFMAN_REQUESTS = [
  '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
  '8286 84be 5886 a8eb 1064 9cbf',
  '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
]
const RESPONSES = [
  [
    '4803 3330 3258 0770 7269 7661 7465 611d',
    '4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
  ].join(''),
  '4803 3330 37c1 c0bf',
  '88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31',
]

describe('RFC 7541 appendix C', () => {
  test('C.2 fields of all kinds', () => {
    const fresh = (): HpackDecoder => new HpackDecoder(LIMITS)
    expect(decode(fresh(), bytes('400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572'))).toEqual([
      ['custom-key', 'custom-header'],
    ])
    expect(decode(fresh(), bytes('040c 2f73 616d 706c 652f 7061 7468'))).toEqual([[':path', '/sample/path']])
    expect(decode(fresh(), bytes('1008 7061 7373 776f 7264 0673 6563 7265 74'))).toEqual([['password', 'secret']])
    expect(decode(fresh(), bytes('82'))).toEqual([[':method', 'GET']])
  })

  test('C.3 requests without and C.4 with Huffman codes share a table', () => {
    const [plain, coded] = [new HpackDecoder(LIMITS), new HpackDecoder(LIMITS)]
    REQUESTS.forEach(([hex, fields], i) => {
      expect(decode(plain, bytes(hex))).toEqual(fields)
      expect(decode(coded, bytes(HUFFMAN_REQUESTS[i] as string))).toEqual(fields)
      expect(plain.tableBytes).toBe([57, 110, 164][i])
      expect(coded.tableBytes).toBe([57, 110, 164][i])
    })
  })

  test('C.5 responses evict entries of a table of 256 bytes', () => {
    const decoder = new HpackDecoder(LIMITS)
    decode(decoder, bytes('3fe1 01'))
    const decoded = RESPONSES.map((hex) => decode(decoder, bytes(hex)))
    expect(decoded[0]?.[0]).toEqual([':status', '302'])
    expect(decoded[1]).toEqual([[':status', '307'], ...(decoded[0] as Fields).slice(1)])
    expect(decoded[2]).toEqual([
      [':status', '200'],
      ['cache-control', 'private'],
      ['date', 'Mon, 21 Oct 2013 20:13:22 GMT'],
      ['location', 'https://www.example.com'],
      ['content-encoding', 'gzip'],
      ['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
    ])
    expect(decoder.tableBytes).toBe(215)
  })
})

const nameArbitrary = fc.oneof(
  fc.constantFrom('content-type', 'cookie', 'grpc-status', 'x-request-id', ':path'),
  fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/),
)
const valueArbitrary = fc.oneof(
  fc.constantFrom('', 'application/grpc', '0', '/'),
  fc.array(fc.integer({ min: 0x21, max: 0xff }), { maxLength: 300 }).map((codes) => String.fromCharCode(...codes)),
)
const fieldsArbitrary = fc.array(fc.tuple(nameArbitrary, valueArbitrary), { maxLength: 12 })

describe('encoder and decoder', () => {
  test.each([
    ['static table', {}],
    ['Huffman', { huffman: true }],
    ['small dynamic table', { tableBytes: 200 }],
    ['dynamic table and Huffman', { tableBytes: 4096, huffman: true }],
  ])('what was encoded comes back: %s', (_, options) => {
    fc.assert(
      fc.property(fc.array(fieldsArbitrary, { maxLength: 6 }), (blocks) => {
        const [encoder, decoder] = [new HpackEncoder(options), new HpackDecoder(LIMITS)]
        for (const fields of blocks) expect(decode(decoder, encoder.encode(fields))).toEqual(fields)
      }),
    )
  })

  test('Huffman codes of any octets come back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => {
        const text = Buffer.from(octets).toString('latin1')
        const coded = Buffer.alloc(huffmanLength(text))
        expect(encodeHuffman(text, coded, 0)).toBe(coded.length)
        const back = Buffer.alloc(octets.length + 8)
        expect(back.subarray(0, Math.abs(decodeHuffman(coded, 0, coded.length, back, 0)))).toEqual(Buffer.from(octets))
      }),
    )
  })

  test('any bytes give fields or a HpackError, in bounded memory', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 120 }), { maxLength: 4 }), (blocks) => {
        const decoder = new HpackDecoder(LIMITS)
        for (const block of blocks) {
          const fields = new FieldBlock()
          try {
            decoder.decode(Buffer.from(block), 0, block.length, fields)
            for (let i = 0; i < fields.count; i++) fields.value(i)
          } catch (error) {
            expect(error).toBeInstanceOf(HpackError)
            return
          }
          expect(decoder.tableBytes).toBeLessThanOrEqual(4096)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('bad blocks', () => {
  const table = (entries: number): string => '40 0161 0162'.repeat(entries)
  test.each([
    ['index 0', '80', /index 0/],
    ['an index beyond the table', `${table(1)} bf`, /index 63, the table ends at 62/],
    ['a number that never ends', `ff${'ff'.repeat(10)}`, /more than four bytes/],
    ['a block that ends in a number', 'ff80', /ends inside a number/],
    ['a name longer than the block', '40 0a61', /name is longer/],
    ['a value longer than the block', '40 0161 0a62', /value is longer/],
    ['a block that ends after a name', '40 0161', /ends inside a field/],
    ['a table larger than allowed', '3fe1ff03', /was chosen, 4096 is allowed/],
    ['a table size after a field', '82 20', /must be the first/],
    ['Huffman padding of eight bits', '40 0161 82 1fff', /padded/],
    ['Huffman padding of zeros', '40 0161 81 18', /padded/],
    ['the Huffman code of end-of-string', '40 0161 84 ffffffff', /end-of-string/],
  ])('%s is an error', (_, hex, message) => {
    expect(() => decode(new HpackDecoder(LIMITS), bytes(hex))).toThrow(message)
  })

  test.each([
    ['an upper-case name', '00 0141 0162', /names cannot have/],
    ['a name with a space', '00 0320612e 0162', /names cannot have/],
    ['an empty name', '00 00 0162', /names cannot have/],
    ['a line feed in a value', '00 0161 03620a63', /NUL, LF or CR/],
    ['a Huffman coded carriage return', '00 0161 84 fffffff7', /NUL, LF or CR/],
    ['a value with a space in front', '00 0161 022062', /white space/],
  ])('%s is noted', (_, hex, fault) => {
    const block = new FieldBlock()
    const source = bytes(hex)
    new HpackDecoder(LIMITS).decode(source, 0, source.length, block)
    expect(block.fault).toMatch(fault)
  })

  test('a fault is noted again when its entry is used again', () => {
    const decoder = new HpackDecoder(LIMITS)
    const [first, second] = [new FieldBlock(), new FieldBlock()]
    decoder.decode(bytes('40 0161 03620a63'), 0, 7, first)
    decoder.decode(bytes('be'), 0, 1, second)
    expect(second.fault).toMatch(/NUL, LF or CR/)
  })

  test('a header bomb keeps to the limit and the table stays right', () => {
    const decoder = new HpackDecoder({ maxTableBytes: 4096, maxListBytes: 8192 })
    const bomb = Buffer.concat([bytes('40 0161 7f a11e'), Buffer.alloc(4000, 98), Buffer.alloc(20_000, 0xbe)])
    const block = new FieldBlock()
    decoder.decode(bomb, 0, bomb.length, block)
    expect(block.isTooLarge).toBe(true)
    expect(block.length).toBeLessThan(9000)
    expect(decode(decoder, bytes('be'))[0]?.[1] === 'b'.repeat(4000)).toBe(true)
  })
})
