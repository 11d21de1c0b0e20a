import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { pods } from '../core/v1/pod.ts'
import type { KubeObject } from './object.ts'
import { fieldSelectorMatcher, formatFieldSelector, parseFieldSelector, requiredField } from './field-selector.ts'

const KIND = { fieldSelectors: { 'spec.nodeName': (object: KubeObject): string => (object as { nodeName?: string }).nodeName ?? '' } }
const OBJECT = { metadata: { name: 'web', namespace: 'prod' }, nodeName: 'n1' }

describe('field selectors', () => {
  test.each([
    ['', true],
    ['metadata.name=web', true],
    ['metadata.name==web,metadata.namespace=prod', true],
    ['metadata.name=web,', true],
    ['metadata.name!=web', false],
    ['spec.nodeName=n1', true],
    ['spec.nodeName=', false],
    ['spec.nodeName!=', true],
  ])('%s -> %s', (text, expected) => {
    expect(fieldSelectorMatcher(parseFieldSelector(text), KIND)(OBJECT)).toBe(expected)
  })

  test('an unknown field is refused, even one that objects inherit', () => {
    for (const key of ['spec.other', 'constructor', '__proto__']) {
      expect(() => fieldSelectorMatcher(parseFieldSelector(`${key}=x`), KIND)).toThrow(`field label not supported: ${key}`)
    }
    expect(() => fieldSelectorMatcher(parseFieldSelector('spec.bogus=x'), pods)).toThrow('field label not supported: spec.bogus')
  })

  test.each(['name', 'a=b=c', 'a=b\\', 'a=\\b'])('%s is refused', (text) => {
    expect(() => parseFieldSelector(text)).toThrow(/invalid selector/)
  })

  test('gives the value that a field must have', () => {
    const selector = parseFieldSelector('metadata.namespace!=a,metadata.name=web')
    expect(requiredField(selector, 'metadata.name')).toBe('web')
    expect(requiredField(selector, 'metadata.namespace')).toBeUndefined()
  })

  test('whatever is written is read back', () => {
    const requirement = fc.record({
      key: fc.constantFrom('a', 'b.c'),
      op: fc.constantFrom('=' as const, '!=' as const),
      value: fc.string({ unit: fc.constantFrom(...Array.from('x,=\\!')) }),
    })
    fc.assert(
      fc.property(fc.array(requirement, { minLength: 1 }), (requirements) => {
        // `a=` followed by an escaped `=` is fine, but a value cannot make the operator `==`
        expect(parseFieldSelector(formatFieldSelector({ requirements }))).toEqual({ requirements })
      }),
    )
  })
})
