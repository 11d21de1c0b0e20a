import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { didYouMean, editDistance, nearest } from './did-you-mean.ts'

test.each([
  ['', '', 0],
  ['pods', 'pods', 0],
  ['pdos', 'pods', 1],
  ['pod', 'pods', 1],
  ['deploymnets', 'deployments', 1],
  ['svc', 'secret', 3],
])('distance of "%s" and "%s" is %i', (a, b, distance) => {
  expect(editDistance(a, b, 2)).toBe(distance)
})

test('distance does not depend on the order', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }), (a, b) => editDistance(a, b, 3) === editDistance(b, a, 3)),
  )
})

test.each([
  ['pdos', ['pods', 'nodes'], ['pods']],
  ['replica', ['replicas', 'selector'], ['replicas']],
  ['x', ['y', 'z'], []],
  ['pods', ['pods', 'pod'], []],
  ['Pods', ['pods'], ['pods']],
  ['something', ['pods'], []],
])('nearest to %s among %j', (word, candidates, found) => {
  expect(nearest(word, candidates)).toEqual(found)
})

test('suggests in words', () => {
  expect(didYouMean('nod', ['node', 'pod'])).toBe('did you mean "node" or "pod"?')
  expect(didYouMean('zzzzzz', ['node'])).toBeUndefined()
})
