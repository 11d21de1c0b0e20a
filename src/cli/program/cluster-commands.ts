import { Option, type Command } from 'commander'
import type { CliContext } from '../context.ts'
import { collect, parseAddresses, parseCount, parseDuration, parseListen, parsePair, withFiles, withOutput } from './options.ts'
import { addDns } from './dns-command.ts'
import { addRouter } from './router-command.ts'
import type { Act } from './program.ts'

const DATA_DIR = 'where everything is kept (default: ~/.biplane/default; as root /var/lib/biplane/default)'

const CLUSTER_CIDR =
  'addresses that nodes share out to pods, one range of each family, such as 10.244.0.0/16,fd00:10:244::/48 (default: nodes number their pods)'

/** Commands that are a cluster, or a part of one. */
export function addClusterCommands(program: Command, context: CliContext, act: Act): void {
  addUp(program, context, act)
  program
    .command('down')
    .description('end a running "up", stop its workloads and remove its entries from the kubeconfig')
    .option('--data-dir <dir>', DATA_DIR)
    .option('--keep', 'leave workloads running that an earlier "up --keep" left')
    .option('--data', 'delete the data directory too')
    .option('-y, --yes', 'do not ask before deleting')
    .option('--timeout <duration>', 'how long to wait for the end', parseDuration, 30_000)
    .action(act(async (options) => (await import('../commands/down.ts')).runDown(context, options)))
  program
    .command('control-plane')
    .description('run store, API server, controllers and scheduler in this process')
    .option('--data-dir <dir>', DATA_DIR)
    .option('--listen <host:port>', 'address of the API server; port 0 picks a free one', parseListen, parseListen('127.0.0.1:6443'))
    .option('--host <name>', 'a name or address of this machine that clients use, for its certificate (repeatable)', collect, [])
    .option('--service-cidr <cidr>', 'addresses of services, one range of each family; stays as it is once services exist')
    .option('--cluster-cidr <cidrs>', CLUSTER_CIDR)
    .option('--node-cidr-mask-size-ipv4 <bits>', "length of each node's part of an IPv4 range (default: 24)", parseCount)
    .option('--node-cidr-mask-size-ipv6 <bits>', "length of each node's part of an IPv6 range (default: 64)", parseCount)
    .option('--node-grace-period <duration>', 'silence after which a node is NotReady', parseDuration)
    .option('--verbose', 'log more')
    .action(act(async (options) => (await import('../commands/control-plane.ts')).runControlPlaneCommand(context, options)))
  addNode(program, context, act)
  addDns(program, context, act)
  addRouter(program, context, act)
  addToken(program, context, act)
}

function addUp(program: Command, context: CliContext, act: Act): void {
  withNetwork(withFiles(program.command('up'), 'manifest, or directory of manifests, to apply'))
    .description('run a whole cluster in the foreground: control plane and node, as two supervised processes')
    .option('--data-dir <dir>', DATA_DIR)
    .option('--listen <host:port>', 'address of the API server; port 0 picks a free one (default: 127.0.0.1:6443)', parseListen)
    .option('--service-cidr <cidr>', 'addresses of services, one range of each family; stays as it is once services exist')
    .option('--cluster-cidr <cidrs>', CLUSTER_CIDR)
    .option('--kubeconfig <file>', 'kubeconfig to merge the entries into (default: $KUBECONFIG, else ~/.kube/config)')
    .option('--no-kubeconfig', 'leave the kubeconfig alone')
    .option('--switch', 'make the new context the current one even if there is another')
    .option('--wait', 'fail when the workloads are not ready within --timeout; the cluster goes on in the foreground otherwise')
    .option('--timeout <duration>', 'how long --wait waits', parseDuration, 120_000)
    .option('--keep', 'leave workloads running at the end')
    .option('--no-keep', 'stop workloads at the end (default)')
    .addHelpText('after', UP_HELP)
    .action(act(async (options) => (await import('../commands/up.ts')).runUp(context, options)))
}

const UP_HELP = `
One Ctrl-C ends it: first the workloads (unless --keep), then the cluster. A second one does not wait.
Unlike "docker compose up --wait", --wait does not detach: the cluster lives as long as this command.
A process is not a sandbox: workloads run with what this user (or, as root, an unprivileged uid) may do.`

/** Where the node is, and how its pods are connected. */
function withNetwork(command: Command): Command {
  return command
    .option('--address <ip>', 'address of this machine for others; one per family, with a comma in between', parseAddresses, ['127.0.0.1'])
    .addOption(
      new Option(
        '--network <mode>',
        'how pods are connected: by the kernel (root), or by loopback addresses of this machine; auto: by the kernel where that is possible and --address is not loopback',
      )
        .choices(['auto', 'kernel', 'loopback'])
        .default('auto'),
    )
}

function addNode(program: Command, context: CliContext, act: Act): void {
  withNetwork(program.command('node'))
    .description('run a node agent that joins a control plane')
    .option('--server <url>', 'control plane, such as https://10.0.0.1:6443 (default: the one of the data directory)')
    .option('--token <token>', 'join token (biplane token create); better in $BIPLANE_TOKEN, where others do not see it')
    .option('--ca-hash <hash>', 'sha256:... of the public key of the CA, as "biplane token create" prints it')
    .option('--ca-file <file>', 'CA certificate, PEM')
    .option('--name <name>', 'name of the node (default: of this machine)')
    .addOption(
      new Option(
        '--node-routes <mode>',
        'how packets get to the pods of other nodes, with --network kernel; none: others make the routes (BGP)',
      )
        .choices(['auto', 'direct', 'vxlan', 'none'])
        .default('auto'),
    )
    .option('--pod-cidr <cidr>', 'addresses of pods (default: what the control plane gives, or a part of 127.64.0.0/16)')
    .option('--label <key=value>', 'label of the node (repeatable)', parsePair, {})
    .option('--max-pods <count>', 'pods the node takes', parseCount)
    .option('--data-dir <dir>', DATA_DIR)
    .option('--verbose', 'log more')
    .action(act(async (options) => (await import('../commands/node.ts')).runNodeCommand(context, options)))
}

function addToken(program: Command, context: CliContext, act: Act): void {
  const token = program.command('token').description('tokens with which nodes join')
  withOutput(token.command('create'), ['text', 'json'])
    .description('make a join token on the machine of the control plane and print how to use it')
    .option('--data-dir <dir>', DATA_DIR)
    .option('--ttl <duration>', 'how long it is good for; 0 is for ever', parseDuration, 24 * 60 * 60 * 1000)
    .action(act(async (options) => (await import('../commands/token.ts')).runTokenCreate(context, options)))
  withOutput(token.command('list'), ['text', 'json'])
    .description('list join tokens, without their secrets')
    .option('--data-dir <dir>', DATA_DIR)
    .action(act(async (options) => (await import('../commands/token.ts')).runTokenList(context, options)))
  token
    .command('revoke')
    .argument('<id>', 'the part before the dot')
    .description('make a join token useless')
    .option('--data-dir <dir>', DATA_DIR)
    .action(act(async (id, options) => (await import('../commands/token.ts')).runTokenRevoke(context, id, options)))
}
