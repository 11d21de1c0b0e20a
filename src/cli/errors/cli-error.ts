/** Exit codes of the program. */
export const EXIT = { ok: 0, failure: 1, usage: 2 } as const

export interface CliErrorParts {
  /** `file:line:column`, or whatever names the place. */
  readonly where?: string | undefined
  readonly why?: string | undefined
  /** What to do about it; a command where there is one. */
  readonly fix?: string | undefined
  /** Default 1. */
  readonly exitCode?: number
  readonly cause?: unknown
}

/** What a user is told when a command cannot do what it was asked. `message` says what. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly code = 'CliError'
  readonly where: string | undefined
  readonly why: string | undefined
  readonly fix: string | undefined
  readonly exitCode: number

  constructor(what: string, parts: CliErrorParts = {}) {
    super(what, parts.cause === undefined ? undefined : { cause: parts.cause })
    this.where = parts.where
    this.why = parts.why
    this.fix = parts.fix
    this.exitCode = parts.exitCode ?? EXIT.failure
  }
}

/** A command line that means nothing: exit code 2. */
export function usageError(what: string, fix?: string): CliError {
  return new CliError(what, { fix, exitCode: EXIT.usage })
}
