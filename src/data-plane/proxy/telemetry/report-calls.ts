import { sleep, type Clock } from '../../../base/clock.ts'
import type { CallReport } from '../../../protocols/mesh-link.ts'
import type { SeenCalls } from './seen-calls.ts'

export interface ReportOptions {
  readonly seen: Pick<SeenCalls, 'report'>
  /** Tells the control plane, and gives its answer (CallReportAnswer); rejects where it cannot be told. */
  readonly tell: (report: CallReport) => Promise<unknown>
  readonly clock: Clock
  /** 0 <= x < 1: proxies that start together do not report together. */
  readonly random: () => number
}

const FIRST_MS = 2_000
const EVERY_MS = 15_000
/** Reports that are left out while there is nothing to tell; then an empty one says that nobody has called. */
const SILENT = 4

/**
 * Tells the control plane of connections that have come in, until the signal aborts. What cannot be told is told the next time, and to one that was started anew
 * everything is.
 */
export async function reportCalls({ seen, tell, clock, random }: ReportOptions, signal: AbortSignal): Promise<void> {
  const wait = async (ms: number): Promise<void> => sleep(clock, ms * (0.5 + random()), signal).catch(() => {})
  let epoch: string | undefined
  /** @returns whether it was told, or there is nothing to tell */
  const once = async (isDue: boolean): Promise<boolean> => {
    const { connections, told } = seen.report(epoch === undefined)
    if (connections.length === 0 && !isDue) return true
    const answer = (await tell({ connections, ...(epoch === undefined ? {} : { epoch }) })) as { readonly epoch?: unknown }
    if (typeof answer.epoch !== 'string') throw new Error('the answer names no epoch')
    const isTaken = epoch === undefined || answer.epoch === epoch
    epoch = isTaken ? answer.epoch : undefined
    if (isTaken) told()
    return isTaken
  }
  await wait(FIRST_MS)
  for (let silent = SILENT; !signal.aborted; await wait(EVERY_MS)) {
    try {
      silent = silent >= SILENT ? 0 : silent + 1
      if (!(await once(silent === 0))) await once(true)
    } catch {
      // it is away, or older than this: identity and configuration say so loudly enough
      silent = SILENT
    }
  }
}
