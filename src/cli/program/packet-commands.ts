import { type Command, Option } from 'commander'
import type { CliContext } from '../context.ts'
import { collect, parseCount, withConnection, withOutput } from './options.ts'
import type { Act } from './program.ts'

/** Commands that look at packets and routes. */
export function addPacketCommands(program: Command, context: CliContext, act: Act): void {
  withLocal(withOutput(withConnection(program.command('routes')), ['table', 'wide', 'json']))
    .argument('[prefix]', 'all about this one: candidates, what decided, filters that rejected, what the kernel has')
    .description('show the routes of the routers')
    .option('--limit <count>', 'at most so many of each node and family', parseCount)
    .action(act(async (prefix, options) => (await import('../commands/routes.ts')).runRoutes(context, prefix, options)))
  withLocal(withOutput(withConnection(program.command('peers')), ['table', 'wide', 'json']))
    .description('show the BGP sessions of the routers')
    .action(act(async (options) => (await import('../commands/peers.ts')).runPeers(context, options)))
  withOutput(withConnection(program.command('verdict')), ['text', 'wide', 'json'])
    .argument('<from>', 'pod NAMESPACE/NAME, NAME, or an IP address')
    .argument('<to>', 'pod NAMESPACE/NAME:PORT, service svc/NAMESPACE/NAME:PORT or NAME.NAMESPACE:PORT, or IP:PORT')
    .description('say what becomes of a connection: service, policy, route, each from what the nodes concerned have in force')
    .addOption(new Option('--protocol <name>', 'protocol').choices(['tcp', 'udp', 'sctp', 'icmp']).default('tcp'))
    .option('--node <name>', 'node at which the packet begins (default: that of the sender)')
    .action(act(async (from, to, options) => (await import('../commands/verdict.ts')).runVerdict(context, from, to, options)))
}

/** Options of commands that ask routers: through the API, or the one of this machine. */
function withLocal(command: Command): Command {
  return command
    .option('--node <name>', 'only this node (repeatable; default: all)', collect, [])
    .option('--local', 'ask the router of this machine over its socket, without the API')
    .option('--data-dir <dir>', 'with --local: where the node keeps everything')
    .option('--name <name>', 'with --local: name of the node (default: of this machine)')
}
