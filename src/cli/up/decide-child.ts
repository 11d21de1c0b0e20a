/**
 * What to do with one child process of `up`: pure. A child is started, restarted when it dies, with a pause that grows while it
 * keeps dying, and stopped: first asked, then killed. A child that dies again and again before it has ever worked is given up.
 */
export type ChildPhase = 'idle' | 'running' | 'waiting' | 'stopping' | 'ended'

export interface ChildState {
  readonly phase: ChildPhase
  /** Deaths in a row, each soon after its start. */
  readonly failures: number
  /** Whether it has ever said that it is ready. */
  readonly hasWorked: boolean
  readonly startedAtMs: number
}

export type ChildEvent =
  | { readonly type: 'start' }
  | { readonly type: 'ready' }
  | { readonly type: 'exited' }
  | { readonly type: 'pause-over' }
  /** Asked to end in an orderly way. */
  | { readonly type: 'stop' }
  /** The time for that is over, or the user has no patience. */
  | { readonly type: 'kill' }

export type ChildAction =
  | { readonly type: 'spawn' }
  | { readonly type: 'pause'; readonly delayMs: number }
  | { readonly type: 'ask-to-end' }
  | { readonly type: 'kill' }
  /** It has ended, and nothing more will come. */
  | { readonly type: 'done' }
  /** As `done`, because it cannot be made to work. */
  | { readonly type: 'give-up' }

export const IDLE: ChildState = { phase: 'idle', failures: 0, hasWorked: false, startedAtMs: 0 }

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 10_000
/** Who has lived so long did not die of its start. */
const SETTLED_MS = 10_000
const MAX_FAILED_STARTS = 3

/** The next state and what to do. @param nowMs monotonic */
export function decideChild(state: ChildState, event: ChildEvent, nowMs: number): readonly [ChildState, readonly ChildAction[]] {
  switch (event.type) {
    case 'start':
    case 'pause-over':
      if (state.phase !== 'idle' && state.phase !== 'waiting') return [state, []]
      return [{ ...state, phase: 'running', startedAtMs: nowMs }, [{ type: 'spawn' }]]
    case 'ready':
      return [state.phase === 'running' ? { ...state, hasWorked: true } : state, []]
    case 'exited':
      return afterExit(state, nowMs)
    case 'stop':
      if (state.phase === 'running') return [{ ...state, phase: 'stopping' }, [{ type: 'ask-to-end' }]]
      return state.phase === 'idle' || state.phase === 'waiting' ? [{ ...state, phase: 'ended' }, [{ type: 'done' }]] : [state, []]
    case 'kill':
      return state.phase === 'stopping' || state.phase === 'running' ? [{ ...state, phase: 'stopping' }, [{ type: 'kill' }]] : [state, []]
  }
}

function afterExit(state: ChildState, nowMs: number): readonly [ChildState, readonly ChildAction[]] {
  if (state.phase === 'stopping') return [{ ...state, phase: 'ended' }, [{ type: 'done' }]]
  if (state.phase !== 'running') return [state, []]
  const failures = nowMs - state.startedAtMs >= SETTLED_MS ? 1 : state.failures + 1
  if (!state.hasWorked && failures >= MAX_FAILED_STARTS) return [{ ...state, phase: 'ended', failures }, [{ type: 'give-up' }]]
  const delayMs = Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS)
  return [{ ...state, phase: 'waiting', failures }, [{ type: 'pause', delayMs }]]
}
