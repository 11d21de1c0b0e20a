import { type Command, Option } from 'commander'
import type { CliContext } from '../context.ts'
import { collect, withConnection, withOutput } from './options.ts'
import type { Act } from './program.ts'

const TYPES = ['proxy', 'listener', 'route', 'cluster', 'endpoints', 'secret']

/** Commands that look at the mesh, and the proxies themselves. */
export function addMeshCommands(program: Command, context: CliContext, act: Act): void {
  withOutput(withConnection(program.command('proxies')), ['table', 'wide', 'json'])
    .description('show the proxies of the mesh and whether they have in force what they were told')
    .action(act(async (options) => (await import('../commands/proxies.ts')).runProxies(context, options)))
  const proxy = program.command('proxy').description('run a proxy, or look at what one was told')
  for (const kind of ['sidecar', 'gateway'] as const) {
    proxy
      .command(kind)
      .description(kind === 'sidecar' ? 'carry all connections of the pod it runs in' : 'take connections from outside, as a Gateway says')
      .addOption(
        new Option('--data-plane <name>', 'what executes the configuration').choices(['biplane', 'envoy', 'grpc']).default('biplane'),
      )
      .option('--workers <number>', 'processes that carry connections, all on the same ports (default: BIPLANE_WORKERS, or 1)')
      .option('--verbose', 'log more')
      .addHelpText('after', '\nRuns in pods that the control plane makes, and is told by their variables what it is for.')
      .action(act(async (options) => (await import('../commands/proxy.ts')).runProxyCommand(context, kind, options)))
  }
  proxy
    .command('worker', { hidden: true })
    .option('--verbose', 'log more')
    .action(act(async (options) => (await import('../commands/proxy.ts')).runWorkerCommand(context, options)))
  proxy
    .command('node')
    .description('carry all connections of the pods of a node that want no sidecar of their own')
    .requiredOption('--dir <path>', 'where the node agent tells of its pods')
    .requiredOption('--mesh-socket <path>', 'socket of the node agent')
    .option('--verbose', 'log more')
    .addHelpText('after', '\nThe node agent runs it once a pod asks for it by the annotation biplane.dev/data-plane: node.')
    .action(act(async (options) => (await import('../commands/node-proxy.ts')).runNodeProxyCommand(context, options)))
  withConnection(proxy.command('config'))
    .argument('<pod>', 'NAME or NAME.NAMESPACE of a pod with a proxy')
    .description('print the configuration of a proxy as JSON, keys left out')
    .addOption(new Option('--type <type>', 'only resources of this type (repeatable)').choices(TYPES).argParser(collect).default([]))
    .action(act(async (pod, options) => (await import('../commands/proxies.ts')).runProxyConfig(context, pod, options)))
  withOutput(withConnection(proxy.command('policies')), ['table', 'json'])
    .description('show for each policy and route on how many proxies it is in force, who refused it, and what is odd about it')
    .action(act(async (options) => (await import('../commands/proxies.ts')).runProxyPolicies(context, options)))
  withOutput(withConnection(proxy.command('explain')), ['text', 'json'])
    .argument('<from>', 'pod NAME or NAMESPACE/NAME')
    .argument('<to>', 'service NAME:PORT or NAMESPACE/NAME:PORT')
    .description('say what becomes of a call: identity, permission, route, endpoint, each from what the proxies have in force')
    .option('--method <name>', 'method of the request (default: GET)')
    .option('--path <path>', 'path of the request (default: /)')
    .option('--header <name:value>', 'a header of the request (repeatable)', collect, [])
    .action(act(async (from, to, options) => (await import('../commands/proxies.ts')).runProxyExplain(context, from, to, options)))
  withOutput(withConnection(proxy.command('strict')), ['text', 'json'])
    .description('say whether mutual TLS can be demanded of all callers now, and who would break')
    .action(act(async (options) => (await import('../commands/proxies.ts')).runProxyStrict(context, options)))
  withOutput(withConnection(proxy.command('dry-run')), ['text', 'json'])
    .description('say which calls of late a policy would judge otherwise; nothing is changed')
    .requiredOption('-f, --filename <path>', 'manifest of the policy')
    .action(act(async (options) => (await import('../commands/proxies.ts')).runProxyDryRun(context, options)))
}
