import type { Container, Probe } from '../../../api/generated/types.ts'

export type ProbeKind = 'startup' | 'liveness' | 'readiness'
export type ProbeOutcome = { readonly ok: true } | { readonly ok: false; readonly message: string }

/** Counters of one probe on one start of a container. */
export interface ProbeProgress {
  readonly successes: number
  readonly failures: number
  /** The verdict that holds: of the initial value until a threshold is reached. */
  readonly passing: boolean
}

/** Readiness begins as not ready, liveness as alive, startup as not started. */
export function initialProgress(kind: ProbeKind): ProbeProgress {
  return { successes: 0, failures: 0, passing: kind === 'liveness' }
}

/** Counts one outcome: `successThreshold` (default 1) or `failureThreshold` (default 3) in a row turn the verdict. */
export function nextProgress(progress: ProbeProgress, probe: Probe, ok: boolean): ProbeProgress {
  if (ok) {
    const successes = progress.successes + 1
    return { successes, failures: 0, passing: progress.passing || successes >= (probe.successThreshold ?? 1) }
  }
  const failures = progress.failures + 1
  return { successes: 0, failures, passing: progress.passing && failures < (probe.failureThreshold ?? 3) }
}

/** Whether a failing startup or liveness probe has used up its patience. */
export function exhausted(progress: ProbeProgress, probe: Probe): boolean {
  return progress.failures >= (probe.failureThreshold ?? 3)
}

export interface ProbeTiming {
  readonly initialDelayMs: number
  readonly periodMs: number
  readonly timeoutMs: number
}

/** Times of a probe with upstream's defaults: delay 0 s, period 10 s, timeout 1 s. */
export function probeTiming(probe: Probe): ProbeTiming {
  return {
    initialDelayMs: (probe.initialDelaySeconds ?? 0) * 1000,
    periodMs: (probe.periodSeconds ?? 10) * 1000,
    timeoutMs: (probe.timeoutSeconds ?? 1) * 1000,
  }
}

/** A numeric port, or the container port of that name. */
export function resolvePort(port: number | string, container: Container): number | undefined {
  if (typeof port === 'number') return port
  const named = (container.ports ?? []).find((candidate) => candidate.name === port)?.containerPort
  if (named !== undefined) return named
  return /^\d+$/.test(port) ? Number(port) : undefined
}
