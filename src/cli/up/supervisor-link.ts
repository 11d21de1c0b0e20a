import type { Signals } from '../context.ts'

/** What a child of `up` says to its supervisor. */
export interface ProgressMessage {
  readonly type: 'progress'
  readonly stage: string
  readonly detail: string
}

/** Set for children of `up`: a channel that is closed already says as much as one that closes. */
export const SUPERVISED = 'BIPLANE_SUPERVISED'

/** What the supervisor says to a child. */
export interface StopMessage {
  readonly type: 'stop'
  /** End the workloads of this node too. */
  readonly stopWorkloads: boolean
}

/** A child's end of the channel to `up`; outside of `up` only signals count. */
export interface SupervisorLink {
  /** Aborted when this process has to end. */
  readonly signal: AbortSignal
  /** Whether the supervisor asked for the end of the workloads. */
  readonly stopWorkloads: () => boolean
  report(stage: string, detail: string): void
}

/**
 * Listens to the supervisor, if there is one. When it vanishes (kill -9) this process ends in an orderly way and leaves the workloads
 * running: the next `up` adopts them. A second signal ends the process at once.
 */
export function followSupervisor(signals: Signals, env: Readonly<Record<string, string | undefined>>): SupervisorLink {
  const controller = new AbortController()
  const state = { stopWorkloads: false }
  const stop = (): void => controller.abort(new Error('asked to end'))
  signals.signal.addEventListener('abort', stop, { once: true })
  signals.onForce(() => process.exit(1))
  if (process.channel) {
    process.on('message', (message: Partial<StopMessage> | null) => {
      if (message?.type !== 'stop') return
      state.stopWorkloads = message.stopWorkloads === true
      stop()
    })
    process.on('disconnect', stop)
  }
  // it may have died while this process was still loading
  if (env[SUPERVISED] && !process.connected) stop()
  return {
    signal: controller.signal,
    stopWorkloads: () => state.stopWorkloads,
    report: (stage, detail) => {
      // the supervisor may be gone already
      if (process.connected) process.send?.({ type: 'progress', stage, detail } satisfies ProgressMessage, () => {})
    },
  }
}
