import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  checkLabelName,
  checkLabelValue,
  checkPathSegmentName,
  checkQualifiedName,
  checkServiceName,
  checkSubdomainName,
  generateName,
  type NameCheck,
  randomSuffix,
  safeEncode,
} from './names.ts'

describe('bad input case 10: names', () => {
  test.each<[string, NameCheck, string, boolean]>([
    ['subdomain', checkSubdomainName, 'web', true],
    ['subdomain', checkSubdomainName, 'a.b-c.9', true],
    ['subdomain', checkSubdomainName, 'x'.repeat(253), true],
    ['subdomain', checkSubdomainName, 'x'.repeat(254), false],
    ['subdomain', checkSubdomainName, '', false],
    ['subdomain', checkSubdomainName, '..', false],
    ['subdomain', checkSubdomainName, 'a/b', false],
    ['subdomain', checkSubdomainName, 'Web', false],
    ['subdomain', checkSubdomainName, 'a..b', false],
    ['subdomain', checkSubdomainName, '-a', false],
    ['subdomain', checkSubdomainName, 'a\n', false],
    ['subdomain', checkSubdomainName, 'ü', false],
    ['label', checkLabelName, '9-a', true],
    ['label', checkLabelName, 'a.b', false],
    ['label', checkLabelName, 'x'.repeat(64), false],
    ['service', checkServiceName, 'a-9', true],
    ['service', checkServiceName, '9-a', false],
    ['path segment', checkPathSegmentName, 'system:masters', true],
    ['path segment', checkPathSegmentName, '.', false],
    ['path segment', checkPathSegmentName, '..', false],
    ['path segment', checkPathSegmentName, 'a/b', false],
    ['path segment', checkPathSegmentName, 'a%2f', false],
    ['qualified', checkQualifiedName, 'app', true],
    ['qualified', checkQualifiedName, 'example.com/My_name.1', true],
    ['qualified', checkQualifiedName, '/a', false],
    ['qualified', checkQualifiedName, 'a/', false],
    ['qualified', checkQualifiedName, 'a/b/c', false],
    ['qualified', checkQualifiedName, 'Example.com/a', false],
    ['qualified', checkQualifiedName, '__proto__', false],
    ['qualified', checkQualifiedName, `a/${'x'.repeat(64)}`, false],
    ['label value', checkLabelValue, '', true],
    ['label value', checkLabelValue, 'A.b_c-1', true],
    ['label value', checkLabelValue, 'a b', false],
    ['label value', checkLabelValue, 'x'.repeat(64), false],
  ])('%s: %s', (_, check, name, good) => {
    expect(check(name).length === 0).toBe(good)
  })

  test('the text names the rule as upstream does', () => {
    expect(checkSubdomainName('Web')[0]).toMatch(
      /^a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '\.'/,
    )
    expect(checkSubdomainName('x'.repeat(254))).toEqual(['must be no more than 253 characters'])
    expect(checkQualifiedName('/a')).toEqual(['prefix part must be non-empty'])
  })

  test('long hostile names take no time', () => {
    const start = performance.now()
    for (const check of [checkSubdomainName, checkLabelName, checkQualifiedName, checkLabelValue]) check(`${'a-'.repeat(500_000)}!`)
    expect(performance.now() - start).toBeLessThan(200)
  })
})

describe('generated names', () => {
  test('have five safe characters behind the base and stay within 63', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 0, max: 80 }), (seed, length) => {
        let state = seed
        const random = (): number => (state = (state * 16_807 + 11) % 2_147_483_647) / 2_147_483_647
        const name = generateName('a'.repeat(length), random)
        expect(name).toMatch(/^a*[bcdfghjklmnpqrstvwxz2456789]{5}$/)
        expect(name.length).toBe(Math.min(length, 58) + 5)
      }),
    )
  })

  test('use every character of the alphabet, first to last', () => {
    expect([randomSuffix(2, () => 0), randomSuffix(2, () => 0.999_999)]).toEqual(['bb', '99'])
  })

  test('encoding is stable and safe', () => {
    expect(safeEncode('4294967295')).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]{10}$/)
    expect(safeEncode('123')).toBe(safeEncode('123'))
  })
})
