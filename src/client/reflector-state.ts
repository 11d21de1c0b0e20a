import { isStatus } from '../base/errors.ts'

/** What a reflector does next: `watchList` streams the present objects and goes on as a watch. */
export type ReflectorStep = 'watchList' | 'list' | 'watch'

export interface ReflectorState {
  readonly step: ReflectorStep
  /** Revision to list or watch from: '' is the newest, '0' any (a server may answer from its cache). */
  readonly resourceVersion: string
  /** Whether the server is believed to do WatchList. */
  readonly watchList: boolean
  /** Attempts in a row that did not last: sets the back-off, 0 means go on at once. */
  readonly failures: number
}

/** How one step ended. */
export type ReflectorOutcome =
  | { readonly type: 'listed'; readonly resourceVersion: string }
  | {
      /** `refused`: the server does not do WatchList. `expired`: the revision is gone (or not of this server). */
      readonly type: 'ended' | 'expired' | 'refused' | 'failed'
      /** Last revision seen by this step's watch; absent when it never became complete. */
      readonly resourceVersion?: string | undefined
      readonly livedMs: number
    }

export const INITIAL_REFLECTOR_STATE: ReflectorState = { step: 'watchList', resourceVersion: '', watchList: true, failures: 0 }

/** A watch that lasted this long is healthy: the next attempt comes without delay. */
const HEALTHY_MS = 5_000

/**
 * The next step after `outcome`. A revision once reached is kept: a broken watch resumes, only an expired one lists
 * again. Source: k8s.io/client-go/tools/cache/reflector.go.
 */
export function nextReflectorState(state: ReflectorState, outcome: ReflectorOutcome): ReflectorState {
  if (outcome.type === 'listed') return { ...state, step: 'watch', resourceVersion: outcome.resourceVersion }
  // a refusal is an answer, not a failure: fall back at once
  if (outcome.type === 'refused') return { ...state, step: 'list', resourceVersion: '0', watchList: false }
  const failures = outcome.livedMs >= HEALTHY_MS ? 0 : state.failures + 1
  const next = { ...state, failures }
  if (outcome.type === 'expired') return { ...next, step: state.watchList ? 'watchList' : 'list', resourceVersion: '' }
  const resume = outcome.resourceVersion ?? (state.step === 'watch' ? state.resourceVersion : undefined)
  return resume === undefined ? next : { ...next, step: 'watch', resourceVersion: resume }
}

/** What an error thrown by a step means for it. */
export function classifyReflectorError(error: unknown, step: ReflectorStep): 'expired' | 'refused' | 'failed' {
  if (isStatus(error, 'Expired', 'Gone')) return 'expired'
  // the revision lies in the server's future: it is another server, or one restored from a backup
  if (step === 'watch' && isStatus(error, 'Timeout')) return 'expired'
  if (step === 'watchList' && isStatus(error, 'BadRequest', 'Invalid', 'MethodNotAllowed', 'NotAcceptable', 'UnsupportedMediaType')) {
    return 'refused'
  }
  return 'failed'
}
