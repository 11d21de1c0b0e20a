import { expect, test } from 'vitest'
import { planTagged } from './plan-tagged.ts'

type Entry = readonly [key: string, value: number]

test.each<[string, readonly Entry[], readonly Entry[], readonly Entry[], readonly Entry[]]>([
  ['nothing', [], [], [], []],
  ['all new', [['a', 1]], [], [['a', 1]], []],
  ['right', [['a', 1]], [['a', 1]], [], []],
  ['another value', [['a', 1]], [['a', 2]], [['a', 1]], []],
  ['not wanted', [], [['a', 2]], [], [['a', 2]]],
  [
    'some of each',
    [
      ['a', 1],
      ['b', 1],
      ['c', 1],
    ],
    [
      ['b', 1],
      ['c', 2],
      ['d', 1],
    ],
    [
      ['a', 1],
      ['c', 1],
    ],
    [['d', 1]],
  ],
])('%s', (_name, wanted, found, put, remove) => {
  expect(
    planTagged(
      wanted,
      found,
      ([key]) => key,
      ([, value]) => String(value),
    ),
  ).toEqual({ put, remove })
})
