import { microTimestamp } from '../base/timestamp.ts'
import type { Lease, LeaseSpec } from '../api/generated/types.ts'
import { leases } from '../api/coordination/v1/lease.ts'
import type { Random } from '../base/backoff.ts'
import { sleep, type Clock } from '../base/clock.ts'
import { isStatus } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { sharedSignal } from '../base/shared-signal.ts'
import type { Client } from './client.ts'
import { decideLease, initialLease, nextLease, releasedLease, sameRecord, type ObservedLease } from './lease-record.ts'

export interface LeaderElectionOptions {
  readonly client: Client
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** The Lease object that is fought for. */
  readonly namespace: string
  readonly name: string
  /** Unique among the candidates: host name and a random part. */
  readonly identity: string
  /** How long others wait after the last sign of life. Default 15,000. */
  readonly leaseDurationMs?: number
  /** How long the leader tries to renew before it gives up; less than the lease. Default 10,000. */
  readonly renewDeadlineMs?: number
  /** Time between two attempts. Default 2,000. */
  readonly retryPeriodMs?: number
  /** Give the lease back when the signal aborts, so that the next leader need not wait. Default true. */
  readonly releaseOnCancel?: boolean
  readonly onNewLeader?: (identity: string) => void
}

/** The lease was lost or could not be renewed in time: the process should end, another one leads. */
export class LeadershipLostError extends Error {
  override readonly name = 'LeadershipLostError'
  readonly code = 'LeadershipLost'
}

type Config = LeaderElectionOptions & { readonly leaseDurationMs: number; readonly renewDeadlineMs: number; readonly retryPeriodMs: number }

/**
 * Waits to become leader, then runs `lead` with a signal that aborts when `signal` does or when leadership is lost.
 *
 * Expiry is judged by how long *this* process has seen the record unchanged, never by the times written in it, so clocks
 * need not agree. A leader stops within `renewDeadlineMs` of its last renewal, before others take over after
 * `leaseDurationMs`; that holds only while its event loop runs, so it is no fence: every write that matters must
 * still compare the resourceVersion it read. Source: k8s.io/client-go/tools/leaderelection.
 * @throws {LeadershipLostError} after `lead` has ended, when leadership was lost
 */
export async function runAsLeader(
  options: LeaderElectionOptions,
  lead: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const elector = new LeaderElector({ leaseDurationMs: 15_000, renewDeadlineMs: 10_000, retryPeriodMs: 2_000, ...options })
  if (!(await elector.acquire(signal))) return
  const lost = new AbortController()
  const stop = sharedSignal(AbortSignal.any([signal, lost.signal]))
  const renewing = elector.renewUntil(stop).then((held) => {
    if (!held) lost.abort(new LeadershipLostError(`lease ${options.namespace}/${options.name} could not be renewed`))
  })
  try {
    await lead(stop)
  } catch (error) {
    // what a leader throws because it was stopped is not news
    if (!isLost(lost.signal)) throw error
  } finally {
    // also when `lead` ends by itself: a leader that does nothing must not hold the lease
    if (!isLost(lost.signal)) lost.abort(new Error('done'))
    await renewing
    if (!isLost(lost.signal) && (options.releaseOnCancel ?? true)) await elector.release()
  }
  if (isLost(lost.signal)) throw lost.signal.reason
}

function isLost(signal: AbortSignal): boolean {
  return signal.reason instanceof LeadershipLostError
}

class LeaderElector {
  readonly #config: Config
  /** The record last seen, and since when it has been like that (monotonic). */
  #observed: ObservedLease | undefined
  #leader = ''

  constructor(config: Config) {
    this.#config = config
  }

  /** @returns false when the signal aborted first */
  async acquire(signal: AbortSignal): Promise<boolean> {
    const { clock, random, retryPeriodMs, log } = this.#config
    while (!signal.aborted) {
      const won = await this.#tryOnce(signal).catch((error: unknown) => {
        if (!signal.aborted) log.warn('leader election attempt failed', { lease: this.#config.name, error })
        return false
      })
      if (won) {
        log.info('became leader', { lease: this.#config.name, identity: this.#config.identity })
        return true
      }
      await sleep(clock, retryPeriodMs * (1 + 0.2 * random()), signal).catch(() => {})
    }
    return false
  }

  /** @returns false when the lease was lost, true when the signal aborted */
  async renewUntil(signal: AbortSignal): Promise<boolean> {
    const { clock, retryPeriodMs, renewDeadlineMs, log } = this.#config
    let renewedAt = clock.monotonic()
    while (!signal.aborted) {
      await sleep(clock, retryPeriodMs, signal).catch(() => {})
      if (signal.aborted) break
      // a request that hangs must not outlive the deadline
      const deadline = new AbortController()
      const startedAt = clock.monotonic()
      const timer = clock.after(Math.max(0, renewedAt + renewDeadlineMs - startedAt), () => deadline.abort(new Error('renew deadline')))
      try {
        if (!(await this.#tryOnce(AbortSignal.any([signal, deadline.signal])))) return false
        renewedAt = startedAt
      } catch (error) {
        if (signal.aborted) break
        log.warn('lease not renewed', { lease: this.#config.name, error })
        if (clock.monotonic() - renewedAt >= renewDeadlineMs) return false
      } finally {
        timer.cancel()
      }
    }
    return true
  }

  /** Leaves the lease to whoever comes next. Failing to is harmless: it expires. */
  async release(): Promise<void> {
    const { client, clock, log, renewDeadlineMs } = this.#config
    const current = this.#observed?.lease
    if (!current) return
    const deadline = new AbortController()
    const timer = clock.after(renewDeadlineMs, () => deadline.abort(new Error('release deadline')))
    try {
      const spec = releasedLease(current.spec ?? {}, microTimestamp(clock.now()))
      await client.of(leases).update({ ...current, spec }, { signal: deadline.signal })
    } catch (error) {
      log.debug('lease not released', { lease: this.#config.name, error })
    } finally {
      timer.cancel()
    }
  }

  /** @returns whether this process holds the lease now. @throws when the server did not answer */
  async #tryOnce(signal: AbortSignal): Promise<boolean> {
    const { client, clock, identity, name, namespace } = this.#config
    const resource = client.of(leases)
    const lease = await this.#read(signal)
    if (!lease) return this.#create(signal)
    this.#see(lease)
    const decision = decideLease(this.#observed, identity, clock.monotonic())
    if (decision === 'wait') return false
    try {
      const spec: LeaseSpec = nextLease(lease.spec ?? {}, this.#record(), decision)
      this.#see(await resource.update({ ...lease, metadata: { ...lease.metadata, name, namespace }, spec }, { signal }))
      return true
    } catch (error) {
      // someone was faster; whether we still lead is known after the next read
      if (isStatus(error, 'Conflict')) return decision === 'renew' ? this.#tryOnce(signal) : false
      throw error
    }
  }

  async #read(signal: AbortSignal): Promise<Lease | undefined> {
    const { client, name, namespace } = this.#config
    try {
      return await client.of(leases).get(name, { namespace, signal })
    } catch (error) {
      if (isStatus(error, 'NotFound')) return undefined
      throw error
    }
  }

  async #create(signal: AbortSignal): Promise<boolean> {
    const { client, name, namespace } = this.#config
    try {
      this.#see(await client.of(leases).create({ metadata: { name, namespace }, spec: initialLease(this.#record()) }, { signal }))
      return true
    } catch (error) {
      if (isStatus(error, 'AlreadyExists')) return false
      throw error
    }
  }

  #record(): { identity: string; now: string; leaseDurationMs: number } {
    const { identity, clock, leaseDurationMs } = this.#config
    return { identity, now: microTimestamp(clock.now()), leaseDurationMs }
  }

  #see(lease: Lease): void {
    const unchanged = this.#observed && sameRecord(this.#observed.lease.spec, lease.spec)
    this.#observed = { lease, sinceMs: unchanged && this.#observed ? this.#observed.sinceMs : this.#config.clock.monotonic() }
    const leader = lease.spec?.holderIdentity ?? ''
    if (leader === this.#leader) return
    this.#leader = leader
    this.#config.onNewLeader?.(leader)
  }
}
