import { readFileSync } from 'node:fs'
import { platform } from 'node:os'
import { resolve } from 'node:path'
import { jsonLogger } from '../../base/log.ts'
import { dataLayout } from '../compose/layout.ts'
import type { Endpoint } from '../compose/control-plane.ts'
import type { NetworkMode } from '../compose/network-mode.ts'
import { defaultNodeName } from '../compose/machine.ts'
import { runNode } from '../compose/node.ts'
import type { NodeRouteMode } from '../../data-plane/node/network/index.ts'
import { readIfPresent } from '../connect.ts'
import type { CliContext } from '../context.ts'
import { dataDirOf } from '../data-dir.ts'
import { CliError, usageError } from '../errors/cli-error.ts'
import { certificateNamed, fetchCertificateAuthority } from '../node/fetch-ca.ts'
import { containerPath } from '../node/container-path.ts'
import { followSupervisor } from '../up/supervisor-link.ts'

interface NodeCommandOptions {
  readonly server?: string
  readonly token?: string
  readonly caHash?: string
  readonly caFile?: string
  readonly name?: string
  readonly address: readonly string[]
  readonly network: NetworkMode | 'auto'
  readonly nodeRoutes: NodeRouteMode
  readonly podCidr?: string
  readonly label: Readonly<Record<string, string>>
  readonly maxPods?: number
  readonly dataDir?: string
  readonly verbose?: boolean
}

/** `biplane node`: in the foreground until a signal comes; workloads are left running. */
export async function runNodeCommand(context: CliContext, options: NodeCommandOptions): Promise<void> {
  if (platform() !== 'linux') {
    throw new CliError(`a node cannot run on ${platform()}`, {
      why: 'the process runtime needs /proc, loopback addresses for pods and the signals of Linux',
      fix: 'run "biplane control-plane" here and "biplane node" on Linux machines',
    })
  }
  const { clock, random, env } = context
  const dataDir = dataDirOf(context, options.dataDir)
  const { server, caCertificate } = await controlPlaneOf(context, dataDir, options)
  // seen in ps; the command line itself may hold a token
  process.title = `biplane node ${dataDir}`
  const link = followSupervisor(context.takeSignals(), context.env)
  const log = jsonLogger({ write: (line) => context.err.write(line), clock, level: options.verbose ? 'debug' : 'info' })
  const token = options.token ?? env['BIPLANE_TOKEN']
  // timers do not keep a process alive, and without a control plane nothing else of a node may
  const alive = setInterval(() => {}, 60_000)
  const running = runNode(
    {
      dataDir,
      name: options.name ?? defaultNodeName(),
      server,
      caCertificate,
      clock,
      random,
      log,
      addresses: options.address,
      network: options.network,
      nodeRoutes: options.nodeRoutes,
      labels: options.label,
      path: containerPath(env, process.execPath),
      self: context.self,
      env,
      ...(token ? { token } : {}),
      ...(options.podCidr === undefined ? {} : { podCidr: options.podCidr }),
      ...(options.maxPods === undefined ? {} : { maxPods: options.maxPods }),
      stopWorkloads: link.stopWorkloads,
      onProgress: (stage, detail) => {
        link.report(stage, detail)
        log.info('node progress', { stage, detail })
      },
    },
    link.signal,
  )
  await running.finally(() => clearInterval(alive))
}

/** Where the control plane is and how to trust it: from the options, else from a control plane of the same data directory. */
async function controlPlaneOf(
  context: CliContext,
  dataDir: string,
  options: NodeCommandOptions,
): Promise<{ readonly server: string; readonly caCertificate: string }> {
  const text = readIfPresent(dataLayout(dataDir).endpoint)
  const local = text === undefined ? undefined : (JSON.parse(text) as Endpoint)
  const server = options.server ?? local?.server
  if (server === undefined)
    throw usageError('the node does not know its control plane', 'add --server https://HOST:PORT, --token and --ca-hash')
  if (!URL.canParse(server)) throw usageError(`--server "${server}" is no URL`, 'write it as https://HOST:PORT')
  if (options.caFile !== undefined) return { server, caCertificate: readFileSync(resolve(context.cwd, options.caFile), 'utf8') }
  if (options.caHash !== undefined) {
    // a node that has been here before starts without its control plane
    const kept = readIfPresent(dataLayout(dataDir).node(options.name ?? defaultNodeName()).caCertificate)
    return { server, caCertificate: certificateNamed(options.caHash, kept) ?? (await fetchCertificateAuthority(server, options.caHash)) }
  }
  if (local !== undefined && local.server === server) return { server, caCertificate: local.caCertificate }
  throw usageError(
    'the node cannot know that the control plane is the right one',
    'add --ca-hash as "biplane token create" prints it, or --ca-file',
  )
}
