import { closeSync, constants, existsSync, mkdirSync, openSync, readdirSync, readSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock, Timer } from '../../../base/clock.ts'

/** Where tracefs may be. */
const TRACEFS = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing']
const EVENT = 'events/skb/kfree_skb'
const CHUNK_BYTES = 65_536
/** Of the kernel's ring for each processor; the oldest go when it is full, and are counted. */
const RING_KB = 256
const POLL_MS = 1000
/** Read in one go. */
const CHUNKS = 32
const REASONS = 500

/** Why packets were dropped on this machine, all network namespaces together, by the kernel's own names (`NETFILTER_DROP`, `NO_SOCKET`). */
export interface DropReasons {
  readonly byReason: ReadonlyMap<string, number>
  /** Drops whose reason was lost: there were too many at once. */
  readonly lost: number
  /** Why it counts no more. */
  readonly problem: DropReasonsProblem | undefined
  /** Reads what has come so far. */
  read(): void
  close(): void
}

export type DropReasonsProblem = { readonly what: string; readonly fix: string }

/**
 * Counts drops by reason with a trace instance of its own (`biplane-<pid>`), so that it disturbs no other tracing. Needs root, tracefs, and a kernel that
 * tells reasons (5.17). Instances of processes that are gone are removed.
 * @param tracefs where it is mounted, if not at the usual places
 * @returns or why it cannot be had
 */
export function openDropReasons(clock: Clock, tracefs?: string): DropReasons | DropReasonsProblem {
  const root = (tracefs === undefined ? TRACEFS : [tracefs]).find((path) => existsSync(join(path, 'events/skb')))
  if (root === undefined)
    return { what: 'no drop reasons: tracefs is not mounted', fix: 'as root: mount -t tracefs tracefs /sys/kernel/tracing' }
  if (!existsSync(join(root, EVENT)))
    return { what: 'no drop reasons: the kernel has no kfree_skb event', fix: 'use a kernel with CONFIG_EVENT_TRACING' }
  const instance = join(root, 'instances', `biplane-${process.pid}`)
  try {
    sweep(join(root, 'instances'))
    if (!existsSync(instance)) mkdirSync(instance)
    writeFileSync(join(instance, 'buffer_size_kb'), String(RING_KB))
    writeFileSync(join(instance, EVENT, 'enable'), '1')
    const fd = openSync(join(instance, 'trace_pipe'), constants.O_RDONLY | constants.O_NONBLOCK)
    return new TraceReader(clock, instance, fd)
  } catch (error) {
    removeInstance(instance)
    return { what: `no drop reasons: ${(error as Error).message}`, fix: 'run as root, with /sys/kernel/tracing writable' }
  }
}

class TraceReader implements DropReasons {
  readonly byReason = new Map<string, number>()
  lost = 0
  problem: DropReasonsProblem | undefined
  readonly #clock: Clock
  readonly #instance: string
  readonly #fd: number
  readonly #buffer = Buffer.alloc(CHUNK_BYTES)
  #rest = ''
  #timer: Timer | undefined
  #isClosed = false

  constructor(clock: Clock, instance: string, fd: number) {
    this.#clock = clock
    this.#instance = instance
    this.#fd = fd
    this.#schedule()
  }

  read(): void {
    if (this.#isClosed) return
    for (let chunk = 0; chunk < CHUNKS; chunk++) {
      const length = this.#take()
      if (length === 0) break
      const text = this.#rest + this.#buffer.toString('latin1', 0, length)
      const end = text.lastIndexOf('\n') + 1
      this.#rest = text.slice(end)
      const found = countReasons(text.slice(0, end))
      this.lost += found.lost
      for (const [reason, count] of found.byReason) {
        if (this.byReason.has(reason) || this.byReason.size < REASONS) this.byReason.set(reason, (this.byReason.get(reason) ?? 0) + count)
      }
    }
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#timer?.cancel()
    closeSync(this.#fd)
    removeInstance(this.#instance)
  }

  #schedule(): void {
    this.#timer = this.#clock.after(POLL_MS, () => {
      this.read()
      if (!this.#isClosed) this.#schedule()
    })
  }

  #take(): number {
    try {
      return readSync(this.#fd, this.#buffer)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0
      this.problem = { what: `drop reasons are counted no more: ${(error as Error).message}`, fix: 'start this process anew' }
      this.close()
      return 0
    }
  }
}

/** Reads the kernel's words about drops, whole lines. */
export function countReasons(text: string): { readonly byReason: ReadonlyMap<string, number>; readonly lost: number } {
  const byReason = new Map<string, number>()
  for (const [, reason = ''] of text.matchAll(/ kfree_skb: .* reason: (\w+)$/gm)) byReason.set(reason, (byReason.get(reason) ?? 0) + 1)
  let lost = 0
  for (const [, count] of text.matchAll(/\[LOST (\d+) EVENTS\]/g)) lost += Number(count)
  return { byReason, lost }
}

/** Removes the instances of processes that are gone. */
function sweep(instances: string): void {
  for (const name of readdirSync(instances)) {
    const pid = /^biplane-(\d+)$/.exec(name)?.[1]
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) removeInstance(join(instances, name))
  }
}

function removeInstance(path: string): void {
  try {
    rmdirSync(path)
  } catch {
    // was never made, or is in use: the next process sweeps it
  }
}
