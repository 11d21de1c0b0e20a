import type { IpBytes } from '../../../base/ip.ts'
import type { LogFields, LogLevel } from '../../../base/log.ts'
import type { BfdState } from '../../../protocols/bfd/index.ts'
import type { BfdConfig } from '../config/index.ts'

/** To the thread that runs the sessions. `id` names a watch as long as the process lives, also in the next thread. */
export type BfdRequest =
  | { readonly kind: 'watch'; readonly id: number; readonly address: IpBytes; readonly device?: string; readonly config: BfdConfig }
  | { readonly kind: 'unwatch'; readonly id: number }
  /** Answered by `closed` when all neighbours have been told. */
  | { readonly kind: 'close' }

/** What the thread says. */
export type BfdReport =
  | { readonly kind: 'changed'; readonly id: number; readonly state: BfdState }
  | { readonly kind: 'down'; readonly id: number; readonly reason: string; readonly graceful: boolean }
  /** The path cannot be watched. */
  | { readonly kind: 'failed'; readonly id: number; readonly error: string }
  | { readonly kind: 'log'; readonly level: LogLevel; readonly message: string; readonly fields?: LogFields }
  | { readonly kind: 'closed' }

/** A thread that runs sessions, as seen from outside. */
export interface BfdThread {
  post(request: BfdRequest): void
  /** Ends it at once. */
  end(): Promise<void>
}

export interface BfdThreadEvents {
  report(report: BfdReport): void
  /** It runs no more, whoever ended it. */
  ended(reason: string): void
}

/** Starts a thread; requests may be posted at once. Events come later, never from within. */
export type StartBfdThread = (events: BfdThreadEvents) => BfdThread
