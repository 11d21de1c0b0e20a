import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { LineSplitter } from './line-splitter.ts'

const line = fc.string({ maxLength: 20 }).map((text) => text.replaceAll('\n', ' '))

test('gives the same lines however the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), line, fc.array(fc.nat(200), { maxLength: 10 }), (lines, rest, cuts) => {
      const bytes = Buffer.from(lines.map((one) => `${one}\n`).join('') + rest)
      const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)
      const splitter = new LineSplitter()
      const got = at.slice(1).flatMap((end, i) => splitter.push(bytes.subarray(at[i], end)))
      expect(got.map(String)).toEqual(lines)
      expect(splitter.partialBytes).toBe(Buffer.byteLength(rest))
    }),
  )
})

test('refuses a line that never ends', () => {
  const splitter = new LineSplitter(10)
  splitter.push(Buffer.from('12345678'))
  expect(() => splitter.push(Buffer.from('901'))).toThrow(RangeError)
})
