import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeJson, encodeJson, JsonError } from './json.ts'

const decode = (text: string, maxDepth?: number): ReturnType<typeof decodeJson> =>
  decodeJson(Buffer.from(text), maxDepth === undefined ? {} : { maxDepth })

function refused(body: string | Uint8Array, maxDepth?: number): JsonError {
  try {
    decodeJson(typeof body === 'string' ? Buffer.from(body) : body, maxDepth === undefined ? {} : { maxDepth })
  } catch (error) {
    if (error instanceof JsonError) return error
    throw error
  }
  throw new Error('was accepted')
}

describe('decodeJson', () => {
  test('agrees with the native parser on any value, written tightly or with space', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(0, 2), (value, indent) => {
        const text = JSON.stringify(value, null, indent)
        const { value: decoded, duplicates } = decode(text)
        expect([asNumbers(decoded), duplicates]).toEqual([JSON.parse(text), []])
      }),
    )
  })

  test('the careful parser agrees with the native one', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        // 1e0 sends the text down the careful path
        const text = `[1e0,${JSON.stringify(value)}]`
        expect(asNumbers(decode(text).value)).toEqual(JSON.parse(text))
      }),
    )
  })

  test('broken text is refused exactly where the native parser refuses it', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...Array.from('{}[],:"ab\\u0019.e-+ \ttrue')) }), (text) => {
        let native: unknown
        let ok = true
        try {
          native = JSON.parse(text)
        } catch {
          ok = false
        }
        if (ok) expect(asNumbers(decode(text).value)).toEqual(native)
        else expect(refused(text)).toBeInstanceOf(JsonError)
      }),
      { numRuns: 1000 },
    )
  })

  test.each([
    ['', 'unexpected end of JSON input', 1, 1],
    ['{"a": }', "invalid character '}' looking for beginning of value", 1, 7],
    ['{"a": 1,}', "invalid character '}' looking for beginning of object key string", 1, 9],
    ['{"a" 1}', "invalid character '1' after object key", 1, 6],
    ['[1 2]', "invalid character '2' after array element", 1, 4],
    ['{\n  "a": 1\n  "b": 2\n}', `invalid character '"' after object key:value pair`, 3, 3],
    ['{} x', "invalid character 'x' after top-level value", 1, 4],
    ['"a\u0000b"', "invalid character '\\x00' in string literal", 1, 3],
    ['"a\nb"', "invalid character '\\n' in string literal", 1, 3],
    ['01', "invalid character '1' after top-level value", 1, 2],
    ['-', 'unexpected end of JSON input', 1, 2],
    ['"\\x"', "invalid character 'x' in string escape code", 1, 3],
    ['"\\u12g4"', "invalid character 'g' in \\u hexadecimal character escape", 1, 6],
    ['nul', "invalid character 'n' looking for beginning of value", 1, 1],
  ])('%j is refused with its place', (text, why, line, column) => {
    const error = refused(text)
    expect(error).toMatchObject({ code: 'syntax', line, column })
    expect(error.message).toBe(`${why} (line ${line}, column ${column})`)
  })
})

describe('duplicate keys', () => {
  test.each([
    ['{"a":1,"a":2}', { a: 2 }, ['a']],
    ['{"spec":{"replicas":1,"x":{},"replicas":2}}', { spec: { replicas: 2, x: {} } }, ['spec.replicas']],
    ['{"items":[{},{"name":"a","name":"b"}]}', { items: [{}, { name: 'b' }] }, ['items[1].name']],
    ['{"a":1,"a":2,"a":3,"b":{"c":1,"c":1}}', { a: 3, b: { c: 1 } }, ['a', 'b.c']],
    ['{"a":1,"\\u0061":2}', { a: 2 }, ['a']],
    ['{"":1,"":2}', { '': 2 }, ['']],
  ])('%s', (text, value, duplicates) => {
    expect(decode(text)).toEqual({ value, duplicates })
  })

  test('the same key in different objects is none', () => {
    expect(decode('{"a":{"a":[{"a":1},{"a":2}]},"b":"\\"a\\":1"}').duplicates).toEqual([])
  })

  test('are found wherever they are planted', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }), fc.nat(), (object, pick) => {
        const keys = Object.keys(object)
        const key = keys[pick % keys.length] as string
        const text = `{"in":[${JSON.stringify(object).slice(0, -1)},${JSON.stringify(key)}:null}]}`
        expect(decode(text).duplicates).toHaveLength(1)
      }),
    )
  })

  test('the list is bounded', () => {
    const text = `{${Array.from({ length: 500 }, (_, i) => `"k${i}":1,"k${i}":2`).join(',')}}`
    expect(decode(text).duplicates).toHaveLength(100)
  })
})

describe('bad input case 3: depth', () => {
  const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)

  test('500 levels are accepted, 501 refused, brackets in strings do not count', () => {
    expect(() => decode(nested(500))).not.toThrow()
    expect(refused(nested(501))).toMatchObject({ code: 'depth' })
    expect(() => decode(`["${'['.repeat(2000)}"]`)).not.toThrow()
    expect(refused('{"a":{"b":1}}', 1)).toMatchObject({ code: 'depth', column: 6 })
  })

  test('5,000 and 1,000,000 levels are a depth error, never a stack overflow', () => {
    for (const depth of [5000, 1_000_000]) {
      const error = refused(nested(depth))
      expect(error.code).toBe('depth')
      expect(error.message).toMatch(/exceeded max depth 500/)
    }
    expect(refused('{"a":'.repeat(5000)).code).toBe('depth')
  })
})

describe('bad input case 4: __proto__', () => {
  test('is an ordinary own property on both paths', () => {
    for (const text of ['{"__proto__":{"x":1}}', '{"__proto__":{"x":1},"n":1e0}']) {
      const value = decode(text).value as Record<string, unknown>
      expect(Object.hasOwn(value, '__proto__')).toBe(true)
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
      expect((value as { x?: unknown }).x).toBeUndefined()
      expect(encodeJson(value)).toContain('"__proto__":{"x":1}')
    }
    expect(({} as { x?: unknown }).x).toBeUndefined()
  })
})

describe('bad input case 8: 64-bit integers', () => {
  test.each(['9223372036854775807', '-9223372036854775808', '9007199254740993', '-9007199254740993', '9007199254740992'])(
    '%s comes back exactly',
    (digits) => {
      const { value } = decode(`{"a":[${digits}]}`)
      expect(value).toEqual({ a: [BigInt(digits)] })
      expect(encodeJson(value)).toBe(`{"a":[${digits}]}`)
    },
  )

  test('safe integers and fractions stay numbers', () => {
    expect(decode('[9007199254740991,1.0,-0.5,1e3,12345678901234567.5]').value).toEqual([
      9007199254740991, 1, -0.5, 1000, 12345678901234568,
    ])
  })

  test('integers beyond int64 become floats, as upstream has it; beyond a double they are refused', () => {
    expect(decode('[9223372036854775808]').value).toEqual([9223372036854775808])
    expect(decode(`[1${'0'.repeat(300)}]`).value).toEqual([1e300])
    expect(refused('[1e400]')).toMatchObject({ code: 'number' })
    expect(refused(`[${'9'.repeat(1_000_000)}]`)).toMatchObject({ code: 'number' })
  })
})

describe('bad input case 9: text', () => {
  test.each([
    ['a stray continuation byte', [0x22, 0x80, 0x22]],
    ['a cut sequence', [0x22, 0xe2, 0x82, 0x22]],
    ['an overlong form', [0x22, 0xc0, 0xaf, 0x22]],
    ['an encoded surrogate', [0x22, 0xed, 0xa0, 0x80, 0x22]],
  ])('%s is refused', (_, bytes) => {
    expect(refused(Uint8Array.from(bytes))).toMatchObject({ code: 'utf8', column: 2 })
  })

  test('a byte order mark is refused', () => {
    expect(refused('\uFEFF{}')).toMatchObject({ code: 'bom' })
  })

  test.each(['"\\ud800"', '"\\udc00"', '"\\ud800x"', '"\\ud800\\ud800"', '{"\\uD800":1}'])('%s is refused: half a character', (text) => {
    expect(refused(text)).toMatchObject({ code: 'surrogate' })
  })

  test('whole characters are kept', () => {
    expect(decode('"\\ud83d\\ude00 😀 \\u00e9 \\u0000"').value).toBe('😀 😀 é \u0000')
    expect(decode('"é"').value).toBe('é')
  })

  test('any bytes are decoded or refused with a code', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
        try {
          decodeJson(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(JsonError)
        }
      }),
    )
  })
})

describe('encodeJson', () => {
  test('writes what JSON.stringify writes, and bigint as integer', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => encodeJson(value) === JSON.stringify(value)))
    expect(encodeJson({ a: undefined, b: [undefined, 1n], c: { d: 2n, e: 'x"\n' }, f: null })).toBe(
      '{"b":[null,1],"c":{"d":2,"e":"x\\"\\n"},"f":null}',
    )
    expect(encodeJson(undefined)).toBe('null')
  })

  test('whatever it writes is read back the same', () => {
    const tree = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 4 },
        fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
        fc.string(),
        fc.integer(),
        fc.array(tie('node')),
        fc.dictionary(fc.string(), tie('node')),
      ),
    })).node
    fc.assert(
      fc.property(tree, (value) => {
        const text = encodeJson(value)
        expect(encodeJson(decode(text).value)).toBe(text)
      }),
    )
  })

  test('a cycle is an error, not an endless loop', () => {
    const value: Record<string, unknown> = { n: 1n }
    value['self'] = value
    expect(() => encodeJson(value)).toThrow()
  })
})

/** With every bigint as the double that the native parser would give. */
function asNumbers(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (typeof value !== 'object' || value === null) return value
  return Array.isArray(value)
    ? value.map(asNumbers)
    : Object.fromEntries(Object.entries(value).map(([key, item]) => [key, asNumbers(item)]))
}
