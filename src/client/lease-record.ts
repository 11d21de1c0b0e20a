import type { Lease, LeaseSpec } from '../api/generated/types.ts'

/** A lease and since when (monotonic milliseconds) its record has been seen unchanged. */
export interface ObservedLease {
  readonly lease: Lease
  readonly sinceMs: number
}

interface Claim {
  readonly identity: string
  /** MicroTime. */
  readonly now: string
  readonly leaseDurationMs: number
}

/** What a candidate may do about the lease it sees. */
export function decideLease(observed: ObservedLease | undefined, identity: string, nowMs: number): 'acquire' | 'renew' | 'wait' {
  const spec = observed?.lease.spec
  if (!observed || !spec?.holderIdentity) return 'acquire'
  if (spec.holderIdentity === identity) return 'renew'
  const expired = nowMs - observed.sinceMs >= (spec.leaseDurationSeconds ?? 0) * 1000
  return expired ? 'acquire' : 'wait'
}

/** The record of a lease that did not exist. */
export function initialLease(claim: Claim): LeaseSpec {
  return {
    holderIdentity: claim.identity,
    leaseDurationSeconds: Math.ceil(claim.leaseDurationMs / 1000),
    acquireTime: claim.now,
    renewTime: claim.now,
    leaseTransitions: 0,
  }
}

/** The record after acquiring or renewing. `leaseTransitions` rises with each change of holder. */
export function nextLease(previous: LeaseSpec, claim: Claim, decision: 'acquire' | 'renew'): LeaseSpec {
  const held = previous.leaseTransitions ?? 0
  const same = decision === 'renew' || previous.holderIdentity === claim.identity
  return {
    ...initialLease(claim),
    acquireTime: same ? (previous.acquireTime ?? claim.now) : claim.now,
    leaseTransitions: same ? held : held + 1,
  }
}

/** The record of a lease that nobody holds: one second, no holder. */
export function releasedLease(previous: LeaseSpec, now: string): LeaseSpec {
  return { leaseDurationSeconds: 1, leaseTransitions: previous.leaseTransitions ?? 0, acquireTime: now, renewTime: now, holderIdentity: '' }
}

export function sameRecord(left: LeaseSpec | undefined, right: LeaseSpec | undefined): boolean {
  return (
    left?.holderIdentity === right?.holderIdentity &&
    left?.renewTime === right?.renewTime &&
    left?.acquireTime === right?.acquireTime &&
    left?.leaseTransitions === right?.leaseTransitions &&
    left?.leaseDurationSeconds === right?.leaseDurationSeconds
  )
}
