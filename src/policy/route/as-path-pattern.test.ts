import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type AsPathSegment, encodeBlock, AttributeFacts, formatAsPath } from '../../protocols/bgp/index.ts'
import { compileAsPathPattern } from './index.ts'

function matches(pattern: string, segments: readonly AsPathSegment[]): boolean {
  const block = encodeBlock({ asPath: segments })
  const { bytes, asPathOffset, asPathBytes } = new AttributeFacts().load(block, 0, block.length)
  return compileAsPathPattern(pattern).matches(bytes, asPathOffset, asPathBytes)
}

const sequence = (...as: number[]): AsPathSegment => ({ kind: 'sequence', as })

test.each<[pattern: string, segments: readonly AsPathSegment[], expected: boolean]>([
  ['^$', [], true],
  ['^$', [sequence(1)], false],
  ['', [sequence(1)], true],
  ['_64500_', [sequence(1, 64500, 2)], true],
  ['_64500_', [sequence(64500)], true],
  ['_6450_', [sequence(64500)], false],
  ['^64500_', [sequence(64500, 1)], true],
  ['_64500$', [sequence(1, 64500)], true],
  ['^64500$', [sequence(1, 64500)], false],
  ['^[0-9]+$', [sequence(64500)], true],
  ['^[0-9]+$', [sequence(1, 2)], false],
  ['^[0-9]+ [0-9]+$', [sequence(1, 2)], true],
  ['^64500( 64501)*$', [sequence(64500, 64501, 64501)], true],
  ['^64500( 64501)*$', [sequence(64500, 64501, 64502)], false],
  ['^(1|2)_', [sequence(2, 3)], true],
  ['_(64512|645[1-9][0-9])_', [sequence(1, 64599)], true],
  ['[^0-9 ]', [sequence(1, 2)], false],
  ['_7_', [sequence(1), { kind: 'set', as: [6, 7] }], true],
  ['\\{6,7\\}$', [sequence(1), { kind: 'set', as: [6, 7] }], true],
  ['12?3', [sequence(13)], true],
  ['^_1', [sequence(1)], true],
  ['1_$', [sequence(1)], true],
  ['4294967295', [sequence(4294967295)], true],
])('%s on %j: %s', (pattern, segments, expected) => {
  expect(matches(pattern, segments)).toBe(expected)
})

describe('patterns', () => {
  test.each(['(', ')', '*', 'a', '[1', '[9-1]', 'x|y', '\\'])('%s is refused', (pattern) => {
    expect(() => compileAsPathPattern(pattern)).toThrow(SyntaxError)
  })

  test('agree with regular expressions over the text', { timeout: 60_000 }, () => {
    const piece = fc.constantFrom('1', '2', '12', '.', '[12]', '[^1]', '(1|2)', '(12)', ' ', '_', '1*', '(2|_)+', '.*', '2?', '^', '$')
    const path: fc.Arbitrary<AsPathSegment[]> = fc.array(
      fc.record({
        kind: fc.constantFrom('sequence' as const, 'set' as const),
        as: fc.array(fc.constantFrom(1, 2, 12, 21), { minLength: 1, maxLength: 3 }),
      }),
      {
        maxLength: 3,
      },
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), path, (pieces, segments) => {
        const text = formatAsPath(segments)
        const peer = new RegExp(pieces.join('').replaceAll('_', '(?:[ {},]|^|$)'))
        expect([pieces.join(''), text, matches(pieces.join(''), segments)]).toEqual([pieces.join(''), text, peer.test(text)])
      }),
      { numRuns: 1000 },
    )
  })

  test('that would backtrack for ever are linear', { timeout: 60_000 }, () => {
    const segments = Array.from({ length: 50 }, () => sequence(...Array.from({ length: 255 }, () => 11111)))
    expect(matches('^((1+)+ ?)+$', segments)).toBe(true)
    expect(matches('^((1+)+ ?)+2$', segments)).toBe(false)
  })
})
