import { expect, test } from 'vitest'
import type { LeaseSpec } from '../api/generated/types.ts'
import { microTimestamp } from '../base/timestamp.ts'
import { decideLease, initialLease, nextLease, releasedLease } from './lease-record.ts'

const claim = { identity: 'me', now: microTimestamp(Date.UTC(2026, 0, 2, 3, 4, 5, 678)), leaseDurationMs: 15_000 }
const held = (holder: string): LeaseSpec => ({
  ...initialLease({ ...claim, identity: holder }),
  leaseTransitions: 3,
  acquireTime: 'before',
})
const observed = (spec: LeaseSpec): Parameters<typeof decideLease>[0] => ({ lease: { metadata: { name: 'l' }, spec }, sinceMs: 1000 })

test('times have six digits', () => expect(claim.now).toBe('2026-01-02T03:04:05.678000Z'))

test.each([
  ['nobody holds it', observed(held('')), 1000, 'acquire'],
  ['I hold it', observed(held('me')), 99_000, 'renew'],
  ['another one showed life', observed(held('you')), 15_999, 'wait'],
  ['another one has been silent for the duration it asked for', observed(held('you')), 16_000, 'acquire'],
] as const)('%s', (_what, lease, now, want) => expect(decideLease(lease, 'me', now)).toBe(want))

test('transitions count changes of the holder only', () => {
  expect(nextLease(held('you'), claim, 'acquire')).toMatchObject({ holderIdentity: 'me', leaseTransitions: 4, acquireTime: claim.now })
  expect(nextLease(held('me'), claim, 'renew')).toMatchObject({ leaseTransitions: 3, acquireTime: 'before', renewTime: claim.now })
  expect(nextLease({}, claim, 'acquire')).toMatchObject({ leaseTransitions: 1, leaseDurationSeconds: 15 })
})

test('a released lease names nobody and keeps the count', () => {
  expect(releasedLease(held('me'), claim.now)).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1, leaseTransitions: 3 })
})
