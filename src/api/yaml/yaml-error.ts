/** Why and where a text is not the YAML we accept. The message is `file:line:column: why`. */
export class YamlError extends Error {
  override readonly name = 'YamlError'
  readonly code = 'InvalidYaml'
  readonly why: string
  /** From 1. */
  readonly line: number
  /** In characters, from 1. */
  readonly column: number
  readonly fileName: string | undefined

  constructor(
    problem: { readonly why: string; readonly line: number; readonly column: number; readonly fileName?: string | undefined },
    options?: { cause?: unknown },
  ) {
    super(`${problem.fileName ?? 'yaml'}:${problem.line}:${problem.column}: ${problem.why}`, options)
    this.why = problem.why
    this.line = problem.line
    this.column = problem.column
    this.fileName = problem.fileName
  }
}
