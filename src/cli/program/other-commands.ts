import { Argument, type Command } from 'commander'
import type { CliContext } from '../context.ts'
import { withConnection, withOutput } from './options.ts'
import type { Act } from './program.ts'

/** Commands about the program itself. */
export function addOtherCommands(program: Command, context: CliContext, act: Act): void {
  program
    .command('demo')
    .description('a tour of a running example that ends by itself: apply, scale, kill a replica, roll out, roll back')
    .option('-f, --filename <dir>', 'the example (default: examples/shop of this package)')
    .action(act(async (options) => (await import('../commands/demo.ts')).runDemo(context, options)))
  withOutput(withConnection(program.command('version')), ['text', 'json'])
    .description('print the version of this program and of the server')
    .option('--client', 'do not ask the server')
    .action(act(async (options) => (await import('../commands/version.ts')).runVersion(context, options)))
  program
    .command('completion')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .description('print a script that completes commands, flags and live names in a shell')
    .addHelpText(
      'after',
      '\nbash: source <(biplane completion bash)\nzsh:  source <(biplane completion zsh)\nfish: biplane completion fish | source',
    )
    .action(act(async (shell) => (await import('../commands/completion.ts')).runCompletion(context, shell)))
  program
    .command('__complete', { hidden: true })
    .argument('[words...]', 'the command line so far')
    .allowUnknownOption()
    .helpOption(false)
    .action(act(async (words) => (await import('../commands/complete.ts')).runComplete(context, words, program)))
  program
    .command('store-check', { hidden: true })
    .argument('<dir>', 'directory of a store that nobody has open')
    .description('read a whole store and check it')
    .action(act(async (dir) => (await import('../commands/store-check.ts')).runStoreCheck(context, dir)))
}
