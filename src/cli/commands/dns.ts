import { readFileSync } from 'node:fs'
import { platform } from 'node:os'
import { resolve } from 'node:path'
import { parsePrefix } from '../../base/ip.ts'
import { jsonLogger } from '../../base/log.ts'
import { parseUpstream } from '../../data-plane/dns/index.ts'
import type { Endpoint } from '../compose/control-plane.ts'
import { runDns } from '../compose/dns.ts'
import { dataLayout } from '../compose/layout.ts'
import { defaultNodeName } from '../compose/machine.ts'
import { readIfPresent } from '../connect.ts'
import type { CliContext } from '../context.ts'
import { dataDirOf } from '../data-dir.ts'
import { CliError, usageError } from '../errors/cli-error.ts'
import type { ListenAddress } from '../program/options.ts'

export interface DnsCommandOptions {
  readonly server?: string
  readonly caFile?: string
  readonly name?: string
  readonly listen: readonly ListenAddress[]
  readonly domain: string
  readonly ttl: number
  readonly reverseRange: readonly string[]
  readonly upstream: readonly string[]
  readonly stub: Readonly<Record<string, string>>
  readonly resolvConf: string
  readonly metricsListen?: ListenAddress
  readonly dataDir?: string
  readonly verbose?: boolean
}

/** Where servers of nodes listen unless told otherwise. */
const DEFAULT_LISTEN: readonly ListenAddress[] = [{ host: '169.254.20.10', port: 53 }]

/** `biplane dns`: in the foreground until a signal comes. */
export async function runDnsCommand(context: CliContext, options: DnsCommandOptions): Promise<void> {
  if (platform() !== 'linux')
    throw new CliError(`cluster DNS cannot run on ${platform()}`, { why: 'it belongs to a node, which needs Linux' })
  for (const range of options.reverseRange) {
    if (!parsePrefix(range)) throw usageError(`--reverse-range "${range}" is no range`, 'write it as 10.96.0.0/16')
  }
  const stubDomains = Object.fromEntries(Object.entries(options.stub).map(([domain, servers]) => [domain, servers.split(',')]))
  for (const upstream of [...options.upstream, ...Object.values(stubDomains).flat()]) {
    if (!parseUpstream(upstream)) throw usageError(`"${upstream}" is no DNS server`, 'write it as IP, IP:PORT or [IPv6]:PORT')
  }
  const { clock, random } = context
  const dataDir = dataDirOf(context, options.dataDir)
  const name = options.name ?? defaultNodeName()
  const { server, caCertificate } = controlPlaneOf(context, dataDir, options)
  process.title = `biplane dns ${dataDir}`
  const signals = context.takeSignals()
  signals.onForce(() => process.exit(1))
  const log = jsonLogger({ write: (line) => context.err.write(line), clock, level: options.verbose ? 'debug' : 'info' })
  await runDns(
    {
      dataDir,
      name,
      server,
      caCertificate,
      clock,
      random,
      log,
      listen: options.listen.length > 0 ? options.listen : DEFAULT_LISTEN,
      domain: options.domain,
      ttl: options.ttl,
      reverseRanges: options.reverseRange,
      forwarding: { stubDomains, upstreamNameservers: options.upstream },
      resolvConf: options.resolvConf,
      ...(options.metricsListen ? { metricsListen: options.metricsListen } : {}),
    },
    signals.signal,
  )
}

/** From the options, else from a control plane of the same data directory. */
function controlPlaneOf(
  context: CliContext,
  dataDir: string,
  options: DnsCommandOptions,
): { readonly server: string; readonly caCertificate: string } {
  const text = readIfPresent(dataLayout(dataDir).endpoint)
  const local = text === undefined ? undefined : (JSON.parse(text) as Endpoint)
  const server = options.server ?? local?.server
  if (server === undefined) throw usageError('cluster DNS does not know its control plane', 'add --server https://HOST:PORT and --ca-file')
  if (!URL.canParse(server)) throw usageError(`--server "${server}" is no URL`, 'write it as https://HOST:PORT')
  if (options.caFile !== undefined) return { server, caCertificate: readFileSync(resolve(context.cwd, options.caFile), 'utf8') }
  if (local !== undefined && local.server === server) return { server, caCertificate: local.caCertificate }
  throw usageError('cluster DNS cannot know that the control plane is the right one', 'add --ca-file')
}
