import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { descriptorSet, oracle, RULES } from './grpc-json-fixture.ts'
import { decodeJson, encodeJson, httpStatusOf, parseJson, statusJson, Transcoder, type Json } from './index.ts'

const transcoder = new Transcoder(descriptorSet())
const { schema } = transcoder
const All = oracle.lookupType('shop.v1.All')
const json = (typeName: string, value: Json): Json =>
  decodeJson(schema, `shop.v1.${typeName}`, encodeJson(schema, `shop.v1.${typeName}`, value))
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

const float = (options: fc.DoubleConstraints = {}): fc.Arbitrary<number | string> =>
  fc.double(options).map((value) => (Number.isFinite(value) ? (Object.is(value, -0) ? 0 : value) : String(value)))
const long = (min: bigint, max: bigint): fc.Arbitrary<string> => fc.bigInt({ min, max }).map(String)
const i32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const i64 = long(-(2n ** 63n), 2n ** 63n - 1n)
const u64 = long(0n, 2n ** 64n - 1n)
const text = fc.string({ unit: 'grapheme', maxLength: 8 })
const bytes = fc.uint8Array({ maxLength: 8 }).map(base64)
const color = fc.constantFrom('COLOR_UNKNOWN', 'RED', 'BLUE')
const key = fc.stringMatching(/^[a-z]{1,4}$/)
const { inner } = fc.letrec<{ inner: { [key: string]: Json } }>((tie) => ({
  inner: fc
    .record({ text, count: i32, child: fc.option(tie('inner'), { maxDepth: 3, nil: undefined }) }, { requiredKeys: [] })
    .map((value) => clean(value as { [key: string]: Json })),
}))

/** Zeros that mean absence are left out, as in JSON's canonical form. */
function clean(value: { readonly [key: string]: Json | undefined }): { [key: string]: Json } {
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, Json] => {
      const [name, one] = entry
      if (one === undefined) return false
      if (/^(one|maybe)_/.test(name) || name === 'maybe' || name === 'inner' || name === 'child') return true
      if (Array.isArray(one)) return one.length > 0
      if (typeof one === 'object' && one !== null) return Object.keys(one).length > 0
      return one !== 0 && one !== '0' && one !== false && one !== '' && one !== 'COLOR_UNKNOWN'
    }),
  )
}

/** A message in the form of protobufjs: names in snake_case, 64 bits and bytes as text, enums by name. */
const message = fc
  .record(
    {
      a_double: float(),
      a_float: float({ noNaN: true, noDefaultInfinity: true, min: -1e30, max: 1e30 }).map((value) => Math.fround(Number(value))),
      an_int32: i32,
      an_int64: i64,
      a_uint32: u32,
      a_uint64: u64,
      a_sint32: i32,
      a_sint64: i64,
      a_fixed32: u32,
      a_fixed64: u64,
      a_sfixed32: i32,
      a_sfixed64: i64,
      a_bool: fc.boolean(),
      a_string: text,
      some_bytes: bytes,
      color,
      inner,
      ints: fc.array(i32, { maxLength: 4 }),
      longs: fc.array(i64, { maxLength: 4 }),
      doubles: fc.array(float(), { maxLength: 4 }),
      strings: fc.array(text, { maxLength: 4 }),
      inners: fc.array(inner, { maxLength: 3 }),
      colors: fc.array(color, { maxLength: 4 }),
      bools: fc.array(fc.boolean(), { maxLength: 4 }),
      fixeds: fc.array(u32, { maxLength: 4 }),
      loose: fc.array(i32, { maxLength: 4 }),
      counts: fc.dictionary(key, i32, { maxKeys: 3, noNullPrototype: true }),
      ids: fc.dictionary(i32.map(String), text, { maxKeys: 3, noNullPrototype: true }),
      sides: fc.record({ true: inner, false: inner }, { requiredKeys: [] }),
      paints: fc.dictionary(key, color, { maxKeys: 3, noNullPrototype: true }),
      choice: fc.option(fc.oneof(fc.record({ one_text: text }), fc.record({ one_number: i32 }), fc.record({ one_inner: inner })), {
        nil: undefined,
      }),
      maybe: i32,
      maybe_text: text,
    },
    { requiredKeys: [] },
  )
  .map(({ choice, ...rest }) => clean({ ...rest, ...choice } as { [key: string]: Json }))

const camel = (name: string): string => name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
const camelised = (value: { readonly [key: string]: Json }): { [key: string]: Json } =>
  Object.fromEntries(Object.entries(value).map(([name, one]) => [camel(name), one]))
const OBJECT = { longs: String, enums: String, bytes: String, json: true }

/** protobufjs does not take the text of NaN and the infinities. */
function numbersOf(value: Json): unknown {
  if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return Number(value)
  return value
}

describe('the JSON of messages', () => {
  it('becomes bytes that protobufjs reads the same, in either spelling of names', () => {
    fc.assert(
      fc.property(message, fc.boolean(), (value, isCamel) => {
        const ours = encodeJson(schema, 'shop.v1.All', isCamel ? camelised(value) : value)
        expect(All.toObject(All.decode(ours), OBJECT)).toEqual(value)
      }),
      { numRuns: 300 },
    )
  })

  it('comes from bytes that protobufjs wrote', () => {
    fc.assert(
      fc.property(message, (value) => {
        // protobufjs takes the text of a key for true, whatever it says
        const { a_double: double, doubles, sides: _, ...rest } = value
        const theirs = All.encode(
          All.fromObject({
            ...rest,
            ...(double === undefined ? {} : { a_double: numbersOf(double) }),
            ...(doubles === undefined ? {} : { doubles: (doubles as Json[]).map(numbersOf) }),
          }),
        ).finish()
        const got = decodeJson(schema, 'shop.v1.All', theirs) as { aFloat?: number }
        // the shortest text of 32 bits; its number is another one than that of 64
        if (got.aFloat !== undefined) got.aFloat = Math.fround(got.aFloat)
        const { sides: __, ...expected } = camelised(value)
        expect(got).toEqual(expected)
      }),
      { numRuns: 300 },
    )
  })

  it('survives bytes that are no message', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.constantFrom('All', 'Known', 'Book'), (raw, name) => {
        try {
          JSON.stringify(decodeJson(schema, `shop.v1.${name}`, raw))
        } catch (error) {
          expect((error as Error).name).toBe('GrpcJsonError')
        }
      }),
      { numRuns: 1_000 },
    )
  })

  it('survives JSON that is none of it', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom(...schema.message('shop.v1.All').byName.keys()), fc.jsonValue(), {
          maxKeys: 5,
          noNullPrototype: true,
        }),
        (value) => {
          try {
            All.decode(encodeJson(schema, 'shop.v1.All', value as Json))
          } catch (error) {
            expect((error as Error).name).toBe('GrpcJsonError')
          }
        },
      ),
      { numRuns: 1_000 },
    )
  })

  it.each<[Json, Json]>([
    [{ anInt32: '12' }, { anInt32: 12 }],
    [{ anInt32: 1e2 }, { anInt32: 100 }],
    [{ anInt32: '1e2' }, { anInt32: 100 }],
    [{ anInt64: 5 }, { anInt64: '5' }],
    [
      { aFloat: '0.1', aDouble: '-Infinity' },
      { aFloat: 0.1, aDouble: '-Infinity' },
    ],
    [{ someBytes: '-_-_' }, { someBytes: '+/+/' }],
    [{ someBytes: 'AQ' }, { someBytes: 'AQ==' }],
    [
      { color: 1, colors: [-2, 7] },
      { color: 'RED', colors: ['BLUE', 7] },
    ],
    [{ maybe: null, inner: null, ints: null, nobody: { a: 1 } }, {}],
    [
      { maybe: 0, oneNumber: 0, anInt32: 0 },
      { oneNumber: 0, maybe: 0 },
    ],
  ])('%j is %j', (given, canonical) => expect(json('All', given)).toEqual(canonical))

  it.each<[Json, string]>([
    [{ inners: [{}, { count: 'x' }] }, 'inners[1].count: is a whole number from -2147483648 to 2147483647, not "x"'],
    [{ counts: { a: 1.5 } }, 'counts.a: is a whole number from -2147483648 to 2147483647, not 1.5'],
    [{ aUint32: -1 }, 'aUint32: is a whole number from 0 to 4294967295, not -1'],
    [
      { anInt64: '9223372036854775808' },
      'anInt64: is a whole number from -9223372036854775808 to 9223372036854775807, not "9223372036854775808"',
    ],
    [{ aFloat: 1e300 }, 'aFloat: is a float, not 1e+300'],
    [{ color: 'GREEN' }, 'color: is one of COLOR_UNKNOWN, RED, BLUE, not "GREEN"'],
    [{ someBytes: 'a' }, 'someBytes: is bytes in base64, not "a"'],
    [{ aBool: 'true' }, 'aBool: is true or false, not "true"'],
    [{ ints: 1 }, 'ints: is a list, not 1'],
    [{ sides: { maybe: {} } }, 'sides.maybe: is true or false, not "maybe"'],
    [{ oneText: 'a', oneNumber: 1 }, 'oneNumber: excludes oneText: only one of them may be given'],
    [{ anInt32: 1, an_int32: 2 }, 'an_int32: is given twice, in both spellings'],
    [[1], 'is an object, not a list'],
  ])('refuses %j: %s', (given, reason) => expect(() => json('All', given)).toThrow(reason))

  it('goes only so deep', () => {
    const nest = (depth: number): Json => (depth === 0 ? {} : { child: nest(depth - 1) })
    expect(json('Inner', nest(90))).toEqual(nest(90))
    expect(() => json('Inner', nest(200))).toThrow(/nested deeper than 100 levels/)
    let raw = Buffer.alloc(0)
    for (let i = 0; i < 200; i++)
      raw = Buffer.concat([Buffer.from([18, ...(raw.length < 128 ? [raw.length] : [(raw.length % 128) + 128, raw.length >> 7])]), raw])
    expect(() => decodeJson(schema, 'shop.v1.Inner', raw)).toThrow(/nested deeper than 100 levels/)
  })
})

/** With the nearest numbers for bigints. */
function numbered(value: Json): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (typeof value !== 'object' || value === null) return value
  return Array.isArray(value) ? value.map(numbered) : Object.fromEntries(Object.entries(value).map(([name, one]) => [name, numbered(one)]))
}

describe('large numbers', () => {
  it('keep their digits', () => {
    const text =
      '{"anInt64": 9223372036854775807, "longs": [-9007199254740993, 1], "names": {"-9007199254740993": "a 9223372036854775807"}}'
    expect(json('All', parseJson(text))).toEqual({
      anInt64: '9223372036854775807',
      longs: ['-9007199254740993', '1'],
      names: { '-9007199254740993': 'a 9223372036854775807' },
    })
    expect(parseJson('[1.2345678901234567890, 1e300, 123456789012345678901234]')).toEqual([
      1.2345678901234567,
      1e300,
      123456789012345678901234n,
    ])
    fc.assert(
      fc.property(fc.json(), fc.bigInt({ min: 10n ** 16n, max: 10n ** 20n }), (value, large) => {
        const [rest, last] = parseJson(`[${value},${large}]`) as [Json, Json]
        expect([numbered(rest), last]).toEqual([JSON.parse(value), large])
      }),
    )
  })

  it('are not made of text', () => {
    for (const text of ['["\\u0000#12345678901234567"]', '["a\\"1234567890123456789"]']) expect(parseJson(text)).toEqual(JSON.parse(text))
  })
})

describe('well-known types', () => {
  it.each<[string, Json, Json]>([
    ['time', '2030-01-31T12:00:00.120Z', { seconds: String(Date.UTC(2030, 0, 31, 12) / 1000), nanos: 120_000_000 }],
    ['time', '0001-01-01T00:00:00Z', { seconds: '-62135596800' }],
    ['time', '1969-12-31T23:59:59.000000001Z', { seconds: '-1', nanos: 1 }],
    ['span', '-1.500s', { seconds: '-1', nanos: -500_000_000 }],
    ['span', '-0.000001s', { nanos: -1000 }],
    ['span', '315576000000s', { seconds: '315576000000' }],
    ['mask', 'a.fooBar,b', { paths: ['a.foo_bar', 'b'] }],
    ['wrappedLong', '-7', { value: '-7' }],
    ['wrappedText', '', {}],
    ['wrappedBool', false, {}],
    ['wrappedDouble', 'NaN', { value: 'NaN' }],
    ['wrappedList', [0, 1], [{}, { value: 1 }]],
    ['empty', {}, {}],
    ['value', null, { nullValue: 'NULL_VALUE' }],
    ['value', 1.5, { numberValue: 1.5 }],
    ['list', [true, 'x'], { values: [{ boolValue: true }, { stringValue: 'x' }] }],
    ['object', { a: { b: [] } }, { fields: { a: { structValue: { fields: { b: { listValue: {} } } } } } }],
  ])('%s: %j', (name, given, theirs) => {
    const known = oracle.lookupType('shop.v1.Known')
    const raw = encodeJson(schema, 'shop.v1.Known', { [name]: given })
    const snake = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    expect(known.toObject(known.decode(raw), OBJECT)).toEqual({ [snake]: theirs })
    expect(decodeJson(schema, 'shop.v1.Known', raw)).toEqual({ [name]: given })
  })

  it('any JSON is a value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        // what JSON tells of it: zero has no sign there
        const plain = JSON.parse(JSON.stringify(value)) as Json
        expect(json('Known', { value: plain, object: { a: plain } })).toEqual({ value: plain, object: { a: plain } })
      }),
    )
  })

  it('an Any says its type', () => {
    const book = { '@type': 'type.googleapis.com/shop.v1.Book', name: 'a', pages: '3' }
    const span = { '@type': 'type.googleapis.com/google.protobuf.Duration', value: '1s' }
    expect([json('Known', { any: book }), json('Known', { any: span }), json('Known', { any: {} })]).toEqual([
      { any: book },
      { any: span },
      { any: {} },
    ])
    expect(() => json('Known', { any: { '@type': 'x/no.Such' } })).toThrow('any: the descriptors say nothing of no.Such')
    expect(() => json('Known', { any: { a: 1 } })).toThrow('has the URL of its type')
  })

  it.each<[string, Json]>([
    ['time', '2030-13-01T00:00:00Z'],
    ['time', '2030-01-01'],
    ['time', '0000-12-31T23:59:59Z'],
    ['span', '1'],
    ['span', '315576000001s'],
    ['mask', 'foo_bar'],
    ['wrappedLong', 1.5],
  ])('refuses %s: %j', (name, value) => expect(() => json('Known', { [name]: value })).toThrow(new RegExp(`^${name}: is `)))
})

describe('requests', () => {
  const call = (method: string, path: string, body?: Json, input = 'GetBookRequest') => {
    const found = transcoder.find(method, path)
    if (!found) return undefined
    const raw = found.encode(Buffer.from(body === undefined ? '' : JSON.stringify(body)))
    return [found.path.slice('/shop.v1.Library/'.length), decodeJson(schema, `shop.v1.${input}`, raw)]
  }

  it('mean a method by their path', () => {
    expect(call('GET', '/v1/shelves/a%2Fb/books/c')).toEqual(['GetBook', { name: 'shelves/a%2Fb/books/c' }])
    expect(call('GET', '/v1/any/x/y%20z')).toEqual(['GetBook', { name: 'x/y z' }])
    expect(call('GET', '/v1/any/')).toEqual(['GetBook', {}])
    expect(call('FIND', '/v1/find/a%2Fb:c')).toEqual(['GetBook', { filter: { title: 'a/b:c' } }])
    expect(call('GET', '/v1/books')).toEqual(['ListBooks', {}])
    expect(call('GET', '/v1/books:watch')).toEqual(['WatchBooks', {}])
    for (const [method, path] of [
      ['POST', '/v1/shelves/a/books/b'],
      ['GET', '/v1/shelves/a/books/b/c'],
      ['GET', '/v1/shelves//books/b'],
      ['POST', '/v1/books:send'],
      ['POST', '/shop.v1.Library/Plain'],
      ['GET', '/v1'],
      ['GET', '/'],
      ['OPTIONS', '*'],
      ['GET', `/v1/any${'/a'.repeat(300)}`],
    ] as const)
      expect([path, call(method, path)]).toEqual([path, undefined])
  })

  it('give fields by their query', () => {
    expect(call('GET', '/v1/books?view_mode=a+b&pages=1&pages=2&filter.isOpen=true&deep=false&filter.next.color=RED&max_age=1.5s')).toEqual(
      ['ListBooks', { viewMode: 'a b', pages: [1, 2], filter: { isOpen: true, next: { color: 'RED' } }, maxAge: '1.500s' }],
    )
    for (const deep of ['1', 'TRUE', 'yes']) expect(call('GET', `/v1/books?deep=${deep}`)).toEqual(['ListBooks', { deep: true }])
    for (const [query, reason] of [
      ['nobody=1', 'nobody: shop.v1.GetBookRequest has no field "nobody"'],
      ['name=a&name=b', 'name: is given more than once'],
      ['name.x=1', 'name.x: the field name of shop.v1.GetBookRequest has no fields of its own'],
      ['filter=1', 'filter: is a message, which no text is'],
      ['deep=2', 'deep: is true or false, not "2"'],
      ['pages=x', 'pages[0]: is a whole number'],
    ] as const)
      expect(() => call('GET', `/v1/books?${query}`)).toThrow(reason)
  })

  it('give fields by their body, and the path has the last word', () => {
    expect(call('POST', '/v1/books', { title: 'T', tags: ['a'] }, 'Book')).toEqual(['AddBook', { title: 'T', tags: ['a'] }])
    expect(call('PUT', '/v1/shelves/s/books/b?dry_run=true', { name: 'forged', title: 'T' }, 'PutBookRequest')).toEqual([
      'PutBook',
      { shelf: 's', book: { name: 'b', title: 'T' }, dryRun: true },
    ])
    expect(call('PATCH', '/v1/shelves/s:move', { shelf: 'forged', book: { next: { next: {} } } }, 'PutBookRequest')).toEqual([
      'PutBook',
      { shelf: 's', book: { next: { next: {} } } },
    ])
    expect(call('POST', '/v1/books', undefined, 'Book')).toEqual(['AddBook', {}])
    expect(() => call('POST', '/v1/books', [], 'Book')).toThrow('is an object, not a list')
    expect(() => transcoder.find('POST', '/v1/books')?.encode(Buffer.from('{'))).toThrow('this is no JSON')
    expect(call('POST', '/v1/books', JSON.parse('{"__proto__": {"title": "x"}, "title": "T"}') as Json, 'Book')).toEqual([
      'AddBook',
      { title: 'T' },
    ])
  })

  it('may have a body of any kind, and get one', () => {
    const file = oracle.lookupType('shop.v1.File')
    const put = transcoder.find('PUT', '/v1/files/a')
    const raw = put?.encode(Buffer.from([0, 255]), 'image/png') ?? Buffer.alloc(0)
    expect(file.toObject(file.decode(raw), OBJECT)).toEqual({ name: 'a', body: { content_type: 'image/png', data: 'AP8=' } })
    const answer = oracle
      .lookupType('google.api.HttpBody')
      .encode({ content_type: 'text/css', data: Buffer.from('x') })
      .finish()
    expect(put?.decode(answer)).toEqual({ contentType: 'text/css', bytes: Buffer.from('x'), isRaw: true })
    expect(transcoder.find('GET', '/v1/files/a')?.decode(raw)).toEqual({
      contentType: 'image/png',
      bytes: Buffer.from([0, 255]),
      isRaw: true,
    })
  })

  it('are answered with the message, or a field of it', () => {
    const books = encodeJson(schema, 'shop.v1.Books', { books: [{ name: 'a' }], nextToken: 'n' })
    const list = transcoder.find('GET', '/v1/books')
    expect(list?.decode(books).bytes.toString()).toBe('[{"name":"a"}]')
    expect(list?.decode(Buffer.alloc(0)).bytes.toString()).toBe('[]')
    const book = encodeJson(schema, 'shop.v1.Book', { readAt: '2030-01-01T00:00:00Z' })
    expect(transcoder.find('GET', '/v1/any/a')?.decode(book)).toEqual({
      contentType: 'application/json',
      bytes: Buffer.from('{"readAt":"2030-01-01T00:00:00Z"}'),
      isRaw: false,
    })
  })
})

describe('rules', () => {
  it.each([
    [{ GetBook: { get: '/v1/{nobody}' } }, '/shop.v1.Library/GetBook: shop.v1.GetBookRequest has no field "nobody"'],
    [{ GetBook: { get: '/v1/{pages}' } }, 'a path gives no value to the field pages'],
    [{ GetBook: { get: 'v1' } }, 'does not begin with /'],
    [{ GetBook: { get: '/v1/**/a' } }, 'goes on behind **'],
    [{ GetBook: { get: '/v1/a*' } }, 'neither text nor *'],
    [{ GetBook: { get: '/v1/{name' } }, 'cannot be read'],
    [{ GetBook: { get: '/v1/{name}x' } }, 'between a segment and the next /'],
    [{ AddBook: { post: '/v1', body: 'nobody' } }, 'shop.v1.Book has no field "nobody"'],
  ])('%j is refused: %s', (rules, reason) => expect(() => new Transcoder(descriptorSet(rules))).toThrow(reason))

  it('are those of the services that are named', () => {
    expect(() => new Transcoder(descriptorSet(), ['shop.v1.Nobody'])).toThrow('the descriptors have no service shop.v1.Nobody')
    expect(new Transcoder(descriptorSet(), ['shop.v1.Library']).find('GET', '/v1/books')?.path).toBe('/shop.v1.Library/ListBooks')
    expect(() => new Transcoder(Buffer.from('rubbish'))).toThrow(/no FileDescriptorSet.*protoc/)
    expect(Object.keys(RULES)).toContain('SendBooks')
  })
})

describe('statuses', () => {
  it('are those of HTTP', () => {
    expect([0, 3, 5, 7, 14, 16, 99].map(httpStatusOf)).toEqual([200, 400, 404, 403, 503, 401, 500])
  })

  it('say what the descriptors can tell of their details', () => {
    const any = (typeName: string, raw: Uint8Array): Uint8Array =>
      oracle
        .lookupType('google.protobuf.Any')
        .encode({ type_url: `x/${typeName}`, value: raw })
        .finish()
    const known = any('shop.v1.Book', encodeJson(schema, 'shop.v1.Book', { name: 'a' }))
    const unknown = any('no.Such', Buffer.alloc(0))
    const details = Buffer.concat([known, unknown].map((raw) => Buffer.concat([Buffer.from([26, raw.length]), raw])))
    expect(statusJson(schema, 5, 'no', details)).toEqual({ code: 5, message: 'no', details: [{ '@type': 'x/shop.v1.Book', name: 'a' }] })
    expect(statusJson(schema, 5, 'no', Buffer.from('rubbish'))).toEqual({ code: 5, message: 'no' })
  })
})
