import { CommanderError } from 'commander'
import type { CliContext } from './context.ts'
import { EXIT } from './errors/cli-error.ts'
import { createProgram } from './program/program.ts'

/**
 * Runs one command line.
 * @returns the exit code: 0 done, 1 failed, 2 the command line means nothing
 */
export async function runCli(argv: readonly string[], context: CliContext): Promise<number> {
  const debug = argv.includes('--debug')
  const result = { exitCode: EXIT.ok as number }
  const program = createProgram(context, (exitCode) => (result.exitCode = exitCode))
  try {
    await program.parseAsync([...argv], { from: 'user' })
    return result.exitCode
  } catch (error) {
    if (error instanceof CommanderError) return fromCommander(error, context)
    const { explainError, renderError } = await import('./errors/render-error.ts')
    const explained = explainError(error)
    context.err.write(renderError(explained, { debug }))
    return explained.exitCode
  }
}

/** Commander says what is wrong by itself, through the program's output. */
function fromCommander(error: CommanderError, context: CliContext): number {
  if (error.exitCode === 0) return EXIT.ok
  if (error.code !== 'commander.help') context.err.write('run with --help to see what there is\n')
  return EXIT.usage
}
