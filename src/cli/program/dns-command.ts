import type { Command } from 'commander'
import type { CliContext } from '../context.ts'
import { collect, parseCount, parseListen, parsePair, type ListenAddress } from './options.ts'
import type { Act } from './program.ts'

const addListen = (text: string, before: readonly ListenAddress[]): readonly ListenAddress[] => [...before, parseListen(text)]

/** The DNS server of a node. */
export function addDns(program: Command, context: CliContext, act: Act): void {
  program
    .command('dns')
    .description("answer DNS questions of a node's pods: names of the cluster, and all others by asking on")
    .option('--server <url>', 'control plane, such as https://10.0.0.1:6443 (default: the one of the data directory)')
    .option('--ca-file <file>', 'CA certificate, PEM')
    .option('--name <name>', 'name of the node, whose certificate is used (default: of this machine)')
    .option('--listen <host:port>', 'where to answer, UDP and TCP (repeatable; default: 169.254.20.10:53)', addListen, [])
    .option('--domain <name>', 'domain of the cluster', 'cluster.local')
    .option('--ttl <seconds>', "how long the cluster's records may be kept", parseCount, 5)
    .option('--reverse-range <cidr>', 'addresses of pods or services, about which nobody else is asked (repeatable)', collect, [])
    .option(
      '--upstream <address>',
      'server to ask for other names, IP or IP:PORT (repeatable; default: those of --resolv-conf)',
      collect,
      [],
    )
    .option('--stub <domain=address>', 'server to ask for a domain; several with commas (repeatable)', parsePair, {})
    .option('--resolv-conf <file>', "the node's own resolvers", '/etc/resolv.conf')
    .option('--metrics-listen <host:port>', 'where to serve /metrics, /ready and /health', parseListen)
    .option('--data-dir <dir>', 'where everything is kept (default: ~/.biplane/default; as root /var/lib/biplane/default)')
    .option('--verbose', 'log more')
    .action(act(async (options) => (await import('../commands/dns.ts')).runDnsCommand(context, options)))
}
