import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { isStatus } from '../../../base/errors.ts'
import { normalizePath, segmentsOf } from './normalize-path.ts'

test.each([
  ['/', '/'],
  ['/api', '/api'],
  ['/api/', '/api'],
  ['/api/v1/%70ods', '/api/v1/pods'],
  ['/api/v1/nodes/a%3Ab', '/api/v1/nodes/a:b'],
  ['/api/v1/nodes/a b'.replace(' ', '%20'), '/api/v1/nodes/a%20b'],
  ['/api/v1/nodes/%c3%a9', '/api/v1/nodes/%C3%A9'],
  ['/api/v1/.hidden', '/api/v1/.hidden'],
  ['/api/v1/...', '/api/v1/...'],
])('%s is %s', (path, normal) => {
  expect(normalizePath(path)).toBe(normal)
})

test.each([
  '',
  'api',
  '*',
  '//',
  '/api//v1',
  '/api/v1//',
  '/./api',
  '/api/..',
  '/api/%2e%2e/x',
  '/api/%2E/x',
  '/api/.%2e/x',
  '/a%2fb',
  '/a%2Fb',
  '/a%5cb',
  '/a\\b',
  '/a%00',
  '/a%0a',
  '/a%7f',
  '/a%',
  '/a%zz',
  '/a%ff',
  '/a b',
  '/a?b',
  '/a#b',
  '/é',
])('%j is refused', (path) => {
  expect(() => normalizePath(path)).toThrow(expect.toSatisfy((error: unknown) => isStatus(error, 'BadRequest')))
})

test('normalizing twice changes nothing, and no two readings of the result differ', () => {
  const segment = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  const path = fc.array(segment, { minLength: 1, maxLength: 6 }).map((segments) => `/${segments.map(encode).join('/')}`)
  fc.assert(
    fc.property(path, (given) => {
      const normal = tryNormalize(given)
      if (normal === undefined) return
      expect(normalizePath(normal)).toBe(normal)
      expect(new URL(normal, 'http://x').pathname).toBe(normal)
      expect(segmentsOf(normal)).toEqual(given.slice(1).split('/').map(decodeURIComponent))
    }),
  )
})

function encode(segment: string): string {
  return segment.isWellFormed() ? encodeURIComponent(segment) : 'x'
}

function tryNormalize(path: string): string | undefined {
  try {
    return normalizePath(path)
  } catch (error) {
    expect(isStatus(error, 'BadRequest')).toBe(true)
    return undefined
  }
}
