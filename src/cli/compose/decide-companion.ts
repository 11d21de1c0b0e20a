import { backoffMs, type Random } from '../../base/backoff.ts'

/** A process as it can be recognised again: a number alone may be another's by now. */
export interface ProcessIdentity {
  readonly pid: number
  /** Start time as /proc has it: clock ticks since boot. */
  readonly startTicks: string
  /** What it was started with: a process with another one is replaced. */
  readonly launch: string
}

/** What is known when a decision is due. */
export interface CompanionView {
  /** Of the process on record; undefined: none is, or it has ended. */
  readonly running?: ProcessIdentity
  /** The one that was started to take over from `running`. */
  readonly successor?: ProcessIdentity
  /** Whether the successor says that it is ready. */
  readonly successorReady: boolean
  /** What it should have been started with. */
  readonly wanted: string
  /** Monotonic. */
  readonly nowMs: number
}

export interface CompanionHistory {
  /** Deaths in a row, each soon after its start. */
  readonly failures: number
  readonly startedAtMs: number
  /** No start before. */
  readonly pausedUntilMs: number
  /** Whether the process on record has been seen alive. */
  readonly wasRunning: boolean
}

export type CompanionAction =
  /** Start one. */
  | 'start'
  /** Start one beside the other, which runs with another version or other flags. */
  | 'start-successor'
  /** The successor serves: end the old one, and put the successor on record. */
  | 'promote'
  /** The successor does not get ready: end it, and try again later. */
  | 'drop-successor'
  | 'wait'

export const NO_HISTORY: CompanionHistory = { failures: 0, startedAtMs: -Infinity, pausedUntilMs: -Infinity, wasRunning: false }

const PAUSE = { baseMs: 200, maxMs: 10_000, jitter: 0.2 }
/** Who has lived so long did not die of its start. */
const SETTLED_MS = 10_000
/** A successor may take so long to be ready: it reads its state, or asks for it. */
const READY_WITHIN_MS = 60_000

/** What to do with a companion now. Pure. It is never given up: a node without DNS or routes is of no use. */
export function decideCompanion(
  view: CompanionView,
  history: CompanionHistory,
  random: Random,
): readonly [CompanionAction, CompanionHistory] {
  const { running, successor, nowMs } = view
  if (successor) {
    // the old one is gone: whether the new one is ready no longer matters
    if (view.successorReady || !running) return ['promote', { ...history, wasRunning: true }]
    return nowMs - history.startedAtMs > READY_WITHIN_MS ? ['drop-successor', failed(history, nowMs, random)] : ['wait', history]
  }
  if (running) {
    if (running.launch === view.wanted || nowMs < history.pausedUntilMs) return ['wait', { ...history, wasRunning: true }]
    return ['start-successor', { ...history, wasRunning: true, startedAtMs: nowMs }]
  }
  if (history.wasRunning) return ['wait', { ...failed(history, nowMs, random), wasRunning: false }]
  return nowMs < history.pausedUntilMs ? ['wait', history] : ['start', { ...history, startedAtMs: nowMs, wasRunning: true }]
}

function failed(history: CompanionHistory, nowMs: number, random: Random): CompanionHistory {
  const failures = nowMs - history.startedAtMs >= SETTLED_MS ? 1 : history.failures + 1
  return { ...history, failures, pausedUntilMs: nowMs + backoffMs(failures, PAUSE, random) }
}
