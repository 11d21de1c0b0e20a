import { Command } from 'commander'
import type { CliContext } from '../context.ts'
import { PROGRAM_VERSION } from '../program-version.ts'
import { addClusterCommands } from './cluster-commands.ts'
import { addMeshCommands } from './mesh-commands.ts'
import { addObjectCommands } from './object-commands.ts'
import { addOtherCommands } from './other-commands.ts'
import { addPacketCommands } from './packet-commands.ts'

/** What an action hands back: the exit code, or nothing for 0. */
export type ActionResult = Promise<number | void>

/** Registers what a command does: the module with the work in it is loaded when the command is called. */
export type Act = <Args extends readonly unknown[]>(run: (...args: Args) => ActionResult) => (...args: Args) => Promise<void>

/**
 * All commands and flags.
 * @param exit told the exit code of the command that ran
 */
export function createProgram(context: CliContext, exit: (code: number) => void): Command {
  const program = new Command('biplane')
  // sub-commands inherit these, so they come first
  program
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: (text) => context.out.write(text),
      writeErr: (text) => context.err.write(text),
      getOutHelpWidth: () => Math.min(context.out.columns, 120),
      getErrHelpWidth: () => Math.min(context.err.columns, 120),
      outputError: (text, write) => write(text),
    })
    .description('A Kubernetes-compatible control plane with three data planes: workloads, services, packets.')
    .version(PROGRAM_VERSION, '-V, --version', 'print the version of this program')
    .option('--debug', 'print stack traces with errors')
    .helpCommand('help [command]', 'show the help of a command')
    .addHelpText('after', '\nStart here: biplane up -f examples/shop, then kubectl get pods (or biplane get pods) in another terminal.')
  const act: Act =
    (run) =>
    async (...args) => {
      exit((await run(...args)) ?? 0)
    }
  addClusterCommands(program, context, act)
  addObjectCommands(program, context, act)
  addPacketCommands(program, context, act)
  addMeshCommands(program, context, act)
  addOtherCommands(program, context, act)
  program.commands.forEach(acceptDebug)
  return program
}

/** `--debug` may stand before or behind the command. */
function acceptDebug(command: Command): void {
  if (command.commands.length > 0) command.commands.forEach(acceptDebug)
  else command.option('--debug', 'print stack traces with errors')
}
