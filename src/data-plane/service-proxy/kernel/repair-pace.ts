/** Repairs so far, for `decideRepair`. */
export interface RepairHistory {
  /** Of the last repair, monotonic. */
  readonly lastMs: number
  /** Repairs since the last quiet time. */
  readonly count: number
}

const FIRST_WAIT_MS = 5_000
const MAX_WAIT_MS = 300_000
/** After so long without a foreign change all is forgotten. */
const QUIET_MS = 600_000
/** From then on it is no accident: someone else wants the tables otherwise. */
const CONTESTED = 4

/**
 * When to put right what somebody else changed: at once the first time, then after 5, 10, 20 s and so on up to 5 minutes, so that two programs that
 * disagree do not keep the kernel busy. Pure.
 */
export function decideRepair(history: RepairHistory | undefined, nowMs: number): { readonly inMs: number; readonly isContested: boolean } {
  if (!history || nowMs - history.lastMs > QUIET_MS) return { inMs: 0, isContested: false }
  const waitMs = Math.min(FIRST_WAIT_MS * 2 ** (history.count - 1), MAX_WAIT_MS)
  return { inMs: Math.max(0, history.lastMs + waitMs - nowMs), isContested: history.count >= CONTESTED }
}

/** The history after a repair. Pure. */
export function afterRepair(history: RepairHistory | undefined, nowMs: number): RepairHistory {
  const goesOn = history && nowMs - history.lastMs <= QUIET_MS
  return { lastMs: nowMs, count: goesOn ? history.count + 1 : 1 }
}
