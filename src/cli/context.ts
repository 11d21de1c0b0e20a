import type { Clock } from '../base/clock.ts'

/** Where text goes. */
export interface Output {
  write(text: string): void
  /** Somebody looks at it. */
  readonly isTerminal: boolean
  /** Width in characters; 80 where nobody knows. */
  readonly columns: number
}

export interface Signals {
  /** Aborted by the first. */
  readonly signal: AbortSignal
  /** Called at each further one: somebody has no patience left. */
  readonly onForce: (listener: () => void) => void
}

/** The world a command runs in. Everything of process, environment and time reaches the commands through it. */
export interface CliContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly home: string
  /** Absent: no. */
  readonly isRoot?: boolean
  readonly clock: Clock
  /** 0 <= x < 1. */
  readonly random: () => number
  readonly out: Output
  readonly err: Output
  /** All of standard input, as text. */
  readonly readInput: () => Promise<string>
  /** Reads one line after a question; undefined when nobody can answer. */
  readonly ask: (question: string) => Promise<string | undefined>
  /** From now on SIGINT, SIGTERM and SIGHUP are left to the caller; without this they end the process. */
  readonly takeSignals: () => Signals
  /** The command that starts this program again: executable and script. */
  readonly self: readonly string[]
}
