import type { Command } from 'commander'
import type { CliContext } from '../context.ts'
import { parseListen } from './options.ts'
import type { Act } from './program.ts'

/** The router of a node. */
export function addRouter(program: Command, context: CliContext, act: Act): void {
  program
    .command('router')
    .description("speak BGP for a node: announce its pods and services, put the peers' routes into the kernel")
    .option('--server <url>', 'control plane, such as https://10.0.0.1:6443 (default: the one of the data directory)')
    .option('--ca-file <file>', 'CA certificate, PEM')
    .option('--name <name>', 'name of the node, whose certificate is used (default: of this machine)')
    .option('--metrics-listen <host:port>', 'where to serve /metrics, /ready and /health', parseListen)
    .option('--drain', 'at the end lead traffic away and end the sessions, instead of leaving the routes for the next process')
    .option('--data-dir <dir>', 'where everything is kept (default: ~/.biplane/default; as root /var/lib/biplane/default)')
    .option('--verbose', 'log more')
    .addHelpText('after', '\nSIGTERM leaves for an upgrade: peers and the kernel keep the routes. SIGUSR2 drains and ends.')
    .action(act(async (options) => (await import('../commands/router.ts')).runRouterCommand(context, options)))
}
