import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { expand, expandAll } from './expand.ts'

const env: Record<string, string> = { A: 'alpha', B: 'b(x)', EMPTY: '', REF: '$(A)', 'my.var': 'dotted' }
const lookup = (name: string): string | undefined => (Object.hasOwn(env, name) ? env[name] : undefined)

test.each([
  ['$(A)', 'alpha'],
  ['x$(A)y$(A)z', 'xalphayalphaz'],
  ['$(B)', 'b(x)'],
  ['$(EMPTY)|', '|'],
  ['$(UNKNOWN)', '$(UNKNOWN)'],
  ['$(my.var)', 'dotted'],
  ['$$(A)', '$(A)'],
  ['$$$(A)', '$alpha'],
  ['$$$$(A)', '$$(A)'],
  ['$$', '$'],
  ['$', '$'],
  ['a$', 'a$'],
  ['$A', '$A'],
  ['${A}', '${A}'],
  ['$(A', '$(A'],
  ['$(', '$('],
  ['$()', '$()'],
  ['$(A))', 'alpha)'],
  ['$($(A))', '$($(A))'],
  ['$(REF)', '$(A)'],
  ['foo$$bar', 'foo$bar'],
  ['$x$(A)', '$xalpha'],
  ['', ''],
])('%j expands to %j', (input, expected) => {
  expect(expand(input, lookup)).toBe(expected)
})

test('a name that Object has by nature is not a variable', () => {
  expect(expandAll(['$(constructor)', '$(A)'], env)).toEqual(['$(constructor)', 'alpha'])
})

test('text whose dollars are doubled comes back as it was', () => {
  fc.assert(fc.property(fc.string(), (text) => expand(text.replaceAll('$', '$$$$'), () => 'wrong') === text))
})
