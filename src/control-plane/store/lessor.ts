import type { Clock, Timer } from '../../base/clock.ts'
import { StoreError } from './contract.ts'
import { leaseNotFound } from './plan-txn.ts'
import type { Version } from './version.ts'

/** etcd's maximum. */
const MAX_TTL_SECONDS = 9_000_000_000
/** Least time between two looks at the leases: an expiry may have to be tried again. etcd looks every 500 ms. */
const RETRY_MS = 100

interface Lease {
  readonly id: number
  readonly ttlSeconds: number
  /** On the monotonic clock, milliseconds. */
  deadline: number
  readonly keys: Set<string>
}

/**
 * Leases and the keys they hold, as of the newest write given out (durable or not: a failed commit ends all writing).
 * A lease lives its full time again after a restart, as in etcd: better late than wrongly gone.
 */
export class Lessor {
  readonly #clock: Clock
  readonly #expire: (id: number) => void
  readonly #leases = new Map<number, Lease>()
  #timer: Timer | undefined
  #wakeAt = Infinity
  #isClosed = false

  constructor(clock: Clock, expire: (id: number) => void) {
    this.#clock = clock
    this.#expire = expire
  }

  has(id: bigint): boolean {
    return this.#leases.has(Number(id))
  }

  get size(): number {
    return this.#leases.size
  }

  add(id: number, ttlSeconds: number): void {
    const deadline = this.#clock.monotonic() + ttlSeconds * 1000
    this.#leases.set(id, { id, ttlSeconds, deadline, keys: new Set() })
    if (deadline < this.#wakeAt) this.#wakeNoLaterThan(deadline)
  }

  keepAlive(id: bigint): void {
    const lease = this.#leases.get(Number(id))
    const now = this.#clock.monotonic()
    // after a pause of the process the holder may be sooner than the timer: its time is over all the same
    if (!lease || lease.deadline <= now) throw leaseNotFound(id)
    lease.deadline = now + lease.ttlSeconds * 1000
  }

  /** Forgets the lease. @returns the keys it held @throws StoreError `LeaseNotFound` */
  take(id: bigint): readonly string[] {
    const lease = this.#leases.get(Number(id))
    if (!lease) throw leaseNotFound(id)
    this.#leases.delete(lease.id)
    return [...lease.keys]
  }

  /** Moves a key from the lease of the version it replaces to its own. */
  note(version: Version, before: Version | undefined): void {
    const { key } = version.entry
    if (before && before.leaseId !== 0 && before.leaseId !== version.leaseId) this.#leases.get(before.leaseId)?.keys.delete(key)
    if (version.leaseId !== 0) this.#leases.get(version.leaseId)?.keys.add(key)
  }

  /** Nothing expires any more. */
  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }

  #wakeNoLaterThan(deadline: number): void {
    if (this.#isClosed) return
    this.#timer?.cancel()
    this.#wakeAt = deadline
    this.#timer = this.#clock.after(Math.max(0, deadline - this.#clock.monotonic()), () => this.#wake())
  }

  #wake(): void {
    const now = this.#clock.monotonic()
    for (const lease of this.#leases.values()) if (lease.deadline <= now) this.#expire(lease.id)
    this.#wakeAt = Infinity
    let earliest = Infinity
    for (const lease of this.#leases.values()) earliest = Math.min(earliest, lease.deadline)
    if (earliest < Infinity) this.#wakeNoLaterThan(Math.max(earliest, now + RETRY_MS))
  }
}

/** @throws StoreError `InvalidArgument` */
export function checkTtl(ttlSeconds: number): void {
  if (!Number.isFinite(ttlSeconds) || ttlSeconds < 1 || ttlSeconds > MAX_TTL_SECONDS)
    throw new StoreError('InvalidArgument', `lease of ${ttlSeconds} seconds: between 1 and ${MAX_TTL_SECONDS} are allowed`)
}
