import type { ContainerUsage } from '../../runtime.ts'
import type { Cgroups } from './cgroups.ts'
import type { ContainerRecord } from './container-record.ts'
import { cgroupName } from './layout.ts'
import { listPids, readPageSize, readProcess, TICKS_PER_SECOND } from './proc.ts'

const NANOS_PER_TICK = 1_000_000_000n / BigInt(TICKS_PER_SECOND)

/** Samples what containers use: from their cgroups, or else by one pass over all processes, which belong to the session of their shim. */
export class UsageSampler {
  readonly #cgroups: Cgroups | undefined
  readonly #pageSize: number
  /** CPU never goes back, though processes that end take their share along. */
  #highest = new Map<string, bigint>()

  constructor(cgroups: Cgroups | undefined) {
    this.#cgroups = cgroups
    this.#pageSize = readPageSize()
  }

  sample(running: readonly ContainerRecord[], nowMs: number): ReadonlyMap<string, ContainerUsage> {
    const cgroups = this.#cgroups
    const measure = cgroups
      ? (record: ContainerRecord) => cgroups.usage(record.key.podUid, cgroupName(record.key))
      : this.#bySession(running)
    const usage = new Map<string, ContainerUsage>()
    const highest = new Map<string, bigint>()
    for (const record of running) {
      const measured = measure(record)
      if (!measured) continue
      const before = this.#highest.get(record.id) ?? 0n
      const cpuNanos = measured.cpuNanos > before ? measured.cpuNanos : before
      highest.set(record.id, cpuNanos)
      usage.set(record.id, { cpuNanos, memoryBytes: measured.memoryBytes, atMs: nowMs })
    }
    this.#highest = highest
    return usage
  }

  #bySession(running: readonly ContainerRecord[]): (record: ContainerRecord) => { cpuNanos: bigint; memoryBytes: number } | undefined {
    const sessions = new Map<number, { ticks: number; pages: number }>()
    for (const record of running) if (record.claim) sessions.set(record.claim.pid, { ticks: 0, pages: 0 })
    for (const pid of sessions.size > 0 ? listPids() : []) {
      const stat = readProcess(pid)
      const total = stat && sessions.get(stat.session)
      if (!stat || !total) continue
      total.ticks += stat.cpuTicks
      // the shim itself is not the container's
      if (stat.pid !== stat.session) total.pages += stat.residentPages
    }
    return (record) => {
      const total = record.claim && sessions.get(record.claim.pid)
      return total && { cpuNanos: BigInt(total.ticks) * NANOS_PER_TICK, memoryBytes: total.pages * this.#pageSize }
    }
  }
}
