import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isStatus, messageOf } from '../../base/errors.ts'
import { formatLabelSelector, formatRequirement, labelSelectorMatcher, parseLabelRequirements, parseLabelSelector } from './selector.ts'

const LABELS = { app: 'web', tier: 'front', n: '5', 'example.com/zone': 'a', empty: '' }

describe('label selector text', () => {
  test.each([
    ['', true],
    ['  ', true],
    ['app=web', true],
    ['app==web', true],
    ['app = web , tier=front', true],
    ['app=db', false],
    ['app!=db', true],
    ['app!=web', false],
    ['missing!=x', true],
    ['app in (db, web)', true],
    ['app in (db)', false],
    ['app in(db,web)', true],
    ['app notin (db)', true],
    ['app notin (web)', false],
    ['missing notin (a)', true],
    ['missing in (a)', false],
    ['app', true],
    ['missing', false],
    ['!missing', true],
    ['! missing', true],
    ['!app', false],
    ['empty=', true],
    ['empty', true],
    ['empty=,app=web', true],
    ['empty in ()', true],
    ['empty in (a,)', true],
    ['app in (,)', false],
    ['n>4', true],
    ['n>5', false],
    ['n<6', true],
    ['app>4', false],
    ['missing<6', false],
    ['example.com/zone=a', true],
    ['constructor', false],
    ['!constructor', true],
    ['in in (in)', false],
  ])('%s -> %s', (text, expected) => {
    expect(parseLabelSelector(text)(LABELS)).toBe(expected)
  })

  test.each([
    ['a,,b', /unable to parse requirement: found ','/],
    ['a,', /found '', expected: identifier after ','/],
    [',a', /found ',', expected: identifier/],
    ['a in', /found '' expected: '\('/],
    ['a in (b', /found '', expected: ',' or '\)'/],
    ['a=b=c', /found '=', expected: ',' or 'end of string'/],
    ['a b', /found 'b', expected: in, notin, =, ==, !=, gt, lt/],
    ['!a=b', /found '='/],
    ['=a', /found '=', expected: identifier/],
    ['a=b!', /found '!'/],
    ['a>x', /must be an integer/],
    ['-a=b', /key: Invalid value: "-a": name part must consist of/],
    ['a/b/c', /a qualified name must consist of/],
    ['a=@', /values\[0\]\[a\]: Invalid value: "@": a valid label must be an empty string/],
    [`a=${'x'.repeat(64)}`, /must be no more than 63 characters/],
  ])('%s is refused', (text, message) => {
    expect.assertions(2)
    try {
      parseLabelSelector(text)
    } catch (error) {
      expect(isStatus(error, 'BadRequest')).toBe(true)
      expect(messageOf(error)).toMatch(message)
    }
  })

  test('any text is either compiled or refused as a bad request', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...Array.from('ab,=!<>() in')) }), (text) => {
        try {
          expect(typeof parseLabelSelector(text)({})).toBe('boolean')
        } catch (error) {
          expect(isStatus(error, 'BadRequest'), text).toBe(true)
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('label selector objects', () => {
  test('absent selects nothing, empty selects everything', () => {
    expect(labelSelectorMatcher(undefined)(LABELS)).toBe(false)
    expect(labelSelectorMatcher({})(undefined)).toBe(true)
  })

  test('labels and expressions must all hold', () => {
    const match = labelSelectorMatcher({
      matchLabels: { app: 'web' },
      matchExpressions: [
        { key: 'tier', operator: 'In', values: ['front', 'back'] },
        { key: 'tier', operator: 'NotIn', values: ['db'] },
        { key: 'n', operator: 'Exists' },
        { key: 'old', operator: 'DoesNotExist' },
      ],
    })
    expect(match(LABELS)).toBe(true)
    expect(match({ ...LABELS, old: '1' })).toBe(false)
    expect(match({ ...LABELS, tier: 'db' })).toBe(false)
    expect(match({ tier: 'front', n: '1' })).toBe(false)
  })

  test('an unknown operator is refused', () => {
    expect(() => labelSelectorMatcher({ matchExpressions: [{ key: 'a', operator: 'Like' }] })).toThrow(
      '"Like" is not a valid label selector operator',
    )
  })

  test('are written as sorted text', () => {
    const selector = {
      matchLabels: { b: '1', a: '2' },
      matchExpressions: [
        { key: 'aa', operator: 'In', values: ['y', 'x'] },
        { key: 'c', operator: 'DoesNotExist' },
      ],
    }
    expect(formatLabelSelector(selector)).toBe('a=2,aa in (x,y),b=1,!c')
    expect(formatLabelSelector({})).toBe('')
  })

  test('text and requirements agree', () => {
    const word = fc.stringMatching(/^[a-z]([a-z0-9.]{0,5}[a-z0-9])?$/)
    const requirement = fc.oneof(
      fc.record({ key: word, operator: fc.constantFrom('=' as const, '!=' as const), values: fc.tuple(word) }),
      fc.record({
        key: word,
        operator: fc.constantFrom('in' as const, 'notin' as const),
        values: fc.uniqueArray(word, { minLength: 1, maxLength: 3 }).map((a) => a.sort()),
      }),
      fc.record({ key: word, operator: fc.constantFrom('exists' as const, '!' as const), values: fc.constant([]) }),
      fc.record({ key: word, operator: fc.constantFrom('<' as const, '>' as const), values: fc.tuple(fc.integer().map(String)) }),
    )
    fc.assert(
      fc.property(requirement, (value) => {
        // a negative number is no label value, so it cannot be written
        fc.pre(!value.values[0]?.startsWith('-'))
        expect(parseLabelRequirements(formatRequirement(value))).toEqual([value])
      }),
    )
  })
})
