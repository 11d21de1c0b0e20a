import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  formatBytes,
  formatMillis,
  formatQuantity,
  parseQuantity,
  QuantityError,
  quantityMillis,
  quantityValue,
  subtractQuantities,
} from './quantity.ts'

describe('canonical form', () => {
  test.each([
    ['0', '0'],
    ['0Ki', '0'],
    ['-0', '0'],
    ['1', '1'],
    ['+1', '1'],
    ['-1', '-1'],
    ['0.5', '500m'],
    ['.5', '500m'],
    ['1.', '1'],
    ['1000m', '1'],
    ['1500m', '1500m'],
    ['0.001', '1m'],
    ['100u', '100u'],
    ['1000u', '1m'],
    ['1n', '1n'],
    ['0.1n', '1n'],
    ['-0.1n', '-1n'],
    ['1000', '1k'],
    ['1500', '1500'],
    ['12000000', '12M'],
    ['12e6', '12e6'],
    ['12E6', '12e6'],
    ['1e-3', '1e-3'],
    ['1.5e3', '1500'],
    ['1E', '1E'],
    ['1e3', '1e3'],
    ['1024Ki', '1Mi'],
    ['1000Ki', '1000Ki'],
    ['1.5Gi', '1536Mi'],
    ['0.5Ki', '512'],
    ['0.1Gi', '107374182400m'],
    ['1023Mi', '1023Mi'],
    ['128974848', '128974848'],
    ['1Ei', '1Ei'],
    ['8Ei', '9223372036854775807'],
    ['99999999999999999999', '9223372036854775807'],
    ['-1e999999999', '-9223372036854775807'],
    ['1e-999999999', '1e-9'],
    ['0e999999999', '0'],
  ])('%s is %s', (text, expected) => {
    expect(canonicalQuantity(text)).toBe(expected)
  })

  test.each([
    '',
    ' 1',
    '1 ',
    'abc',
    '1KB',
    '1ki',
    '1K',
    'm',
    '.',
    '-',
    '--1',
    '1.2.3',
    '1e',
    '1eMi',
    '0x10',
    '1_000',
    'Infinity',
    '1'.repeat(129),
  ])('%j is refused', (text) => {
    // `1e` is upstream's exa written wrongly, not an exponent
    expect(() => parseQuantity(text)).toThrow(QuantityError)
  })

  test('is stable and loses nothing', () => {
    fc.assert(
      fc.property(
        fc.bigInt(-(2n ** 90n), 2n ** 90n),
        fc.constantFrom('DecimalSI' as const, 'BinarySI' as const, 'DecimalExponent' as const),
        (raw, format) => {
          const limit = (2n ** 63n - 1n) * 1_000_000_000n
          const nanos = raw > limit ? limit : raw < -limit ? -limit : raw
          const text = formatQuantity({ nanos, format })
          expect(parseQuantity(text).nanos).toBe(nanos)
          expect(canonicalQuantity(text)).toBe(text)
        },
      ),
    )
  })

  test('any text is a quantity or refused with a code', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...Array.from('0159.+-eEinumkMGKP ')) }), (text) => {
        try {
          expect(canonicalQuantity(canonicalQuantity(text))).toBe(canonicalQuantity(text))
        } catch (error) {
          expect(error).toBeInstanceOf(QuantityError)
        }
      }),
    )
  })
})

describe('arithmetic', () => {
  test.each([
    ['100m', 100, 1],
    ['1', 1000, 1],
    ['1.5', 1500, 2],
    ['0.0001', 1, 1],
    ['64Mi', 67_108_864_000, 67_108_864],
    ['-1.5', -1500, -2],
    ['2k', 2_000_000, 2000],
  ])('%s is %d thousandths and %d whole', (text, millis, value) => {
    expect(quantityMillis(text)).toBe(millis)
    expect(quantityValue(text)).toBe(value)
  })

  test('the fast path and the exact path agree', () => {
    fc.assert(
      fc.property(fc.nat(999_999_999), fc.constantFrom('', 'm'), (count, suffix) => {
        const exact = Number(parseQuantity(`${count}${suffix}`).nanos) / 1e6
        expect(quantityMillis(`${count}${suffix}`)).toBe(exact)
      }),
    )
  })

  test('sums keep the family of the first that is not zero', () => {
    expect(addQuantities('1Gi', '512Mi')).toBe('1536Mi')
    expect(addQuantities('0', '512Mi')).toBe('512Mi')
    expect(addQuantities('1', '500m')).toBe('1500m')
    expect(addQuantities('1', '1Ki')).toBe('1025')
    expect(subtractQuantities('1Gi', '1Gi')).toBe('0')
    expect(subtractQuantities('100m', '1')).toBe('-900m')
  })

  test('comparison follows the value, not the text', () => {
    expect(compareQuantities('1000m', '1')).toBe(0)
    expect(compareQuantities('1Ki', '1k')).toBe(1)
    expect(compareQuantities('9007199254740993', '9007199254740992')).toBe(1)
    expect(compareQuantities('-1', '0')).toBe(-1)
  })

  test('numbers are printed as users write them', () => {
    expect([formatBytes(1_048_576), formatBytes(1000), formatMillis(1500), formatMillis(2000), formatMillis(0.2)]).toEqual([
      '1Mi',
      '1k',
      '1500m',
      '2',
      '1m',
    ])
  })
})
