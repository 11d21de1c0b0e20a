import { expect, test } from 'vitest'
import { StatusError } from '../base/errors.ts'
import {
  INITIAL_REFLECTOR_STATE as initial,
  classifyReflectorError,
  nextReflectorState,
  type ReflectorOutcome,
  type ReflectorState,
} from './reflector-state.ts'

const watching: ReflectorState = { step: 'watch', resourceVersion: '10', watchList: true, failures: 0 }
const old: ReflectorState = { ...watching, watchList: false }
const long = 60_000

test.each<[string, ReflectorState, ReflectorOutcome, Partial<ReflectorState>]>([
  [
    'a refused WatchList falls back to a list at once',
    initial,
    { type: 'refused', livedMs: 1 },
    { step: 'list', resourceVersion: '0', watchList: false, failures: 0 },
  ],
  [
    'a list is followed by a watch from its revision',
    { ...old, step: 'list' },
    { type: 'listed', resourceVersion: '7' },
    { step: 'watch', resourceVersion: '7' },
  ],
  [
    'a WatchList that became complete resumes as a watch',
    initial,
    { type: 'ended', resourceVersion: '12', livedMs: long },
    { step: 'watch', resourceVersion: '12', failures: 0 },
  ],
  [
    'a WatchList that broke before it was complete begins again',
    initial,
    { type: 'failed', livedMs: long },
    { step: 'watchList', resourceVersion: '' },
  ],
  [
    'a watch that ends resumes at the last revision seen',
    watching,
    { type: 'ended', resourceVersion: '15', livedMs: long },
    { step: 'watch', resourceVersion: '15', failures: 0 },
  ],
  [
    'a watch that saw nothing resumes where it began',
    watching,
    { type: 'failed', livedMs: 1 },
    { step: 'watch', resourceVersion: '10', failures: 1 },
  ],
  [
    'an expired watch lists again from the newest',
    watching,
    { type: 'expired', resourceVersion: '15', livedMs: long },
    { step: 'watchList', resourceVersion: '', failures: 0 },
  ],
  ['without WatchList too', old, { type: 'expired', livedMs: long }, { step: 'list', resourceVersion: '' }],
  ['short lives add up', { ...watching, failures: 3 }, { type: 'ended', resourceVersion: '11', livedMs: 100 }, { failures: 4 }],
  [
    'a list alone does not count as health',
    { ...old, step: 'list', failures: 3 },
    { type: 'listed', resourceVersion: '7' },
    { failures: 3 },
  ],
  ['a long life ends the counting', { ...watching, failures: 3 }, { type: 'failed', livedMs: long }, { failures: 0 }],
])('%s', (_what, state, outcome, want) => expect(nextReflectorState(state, outcome)).toMatchObject(want))

test.each([
  [new StatusError('Expired', ''), 'watch', 'expired'],
  [new StatusError('Gone', ''), 'list', 'expired'],
  [new StatusError('Timeout', 'too large resource version'), 'watch', 'expired'],
  [new StatusError('Timeout', 'slow'), 'list', 'failed'],
  [new StatusError('Invalid', ''), 'watchList', 'refused'],
  [new StatusError('BadRequest', ''), 'watchList', 'refused'],
  [new StatusError('Invalid', ''), 'watch', 'failed'],
  [new StatusError('Forbidden', ''), 'watchList', 'failed'],
  [new StatusError('NotFound', ''), 'watchList', 'failed'],
  [new StatusError('TooManyRequests', ''), 'watchList', 'failed'],
  [new Error('network'), 'watchList', 'failed'],
] as const)('%s in %s is %s', (error, step, want) => expect(classifyReflectorError(error, step)).toBe(want))
