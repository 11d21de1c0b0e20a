import { jsonLogger } from '../../base/log.ts'
import { runControlPlane } from '../compose/control-plane.ts'
import type { CliContext } from '../context.ts'
import { dataDirOf } from '../data-dir.ts'
import type { ListenAddress } from '../program/options.ts'
import { followSupervisor } from '../up/supervisor-link.ts'

interface ControlPlaneCommandOptions {
  readonly dataDir?: string
  readonly listen: ListenAddress
  readonly host: readonly string[]
  readonly serviceCidr?: string
  readonly clusterCidr?: string
  readonly nodeCidrMaskSizeIpv4?: number
  readonly nodeCidrMaskSizeIpv6?: number
  readonly nodeGracePeriod?: number
  readonly verbose?: boolean
}

/** `biplane control-plane`: in the foreground until a signal comes. Logs to standard error, one JSON object a line. */
export async function runControlPlaneCommand(context: CliContext, options: ControlPlaneCommandOptions): Promise<void> {
  const { clock, random } = context
  const dataDir = dataDirOf(context, options.dataDir)
  process.title = `biplane control-plane ${dataDir}`
  const link = followSupervisor(context.takeSignals(), context.env)
  const log = jsonLogger({ write: (line) => context.err.write(line), clock, level: options.verbose ? 'debug' : 'info' })
  await runControlPlane(
    {
      dataDir,
      host: options.listen.host,
      port: options.listen.port,
      clock,
      random,
      log,
      hosts: options.host,
      verifyArgv: [...context.self, 'store-check'],
      ...(options.serviceCidr === undefined ? {} : { serviceCidr: options.serviceCidr }),
      ...(options.clusterCidr === undefined ? {} : { clusterCidr: options.clusterCidr }),
      nodeMaskSizes: {
        ...(options.nodeCidrMaskSizeIpv4 === undefined ? {} : { ipv4: options.nodeCidrMaskSizeIpv4 }),
        ...(options.nodeCidrMaskSizeIpv6 === undefined ? {} : { ipv6: options.nodeCidrMaskSizeIpv6 }),
      },
      ...(options.nodeGracePeriod === undefined ? {} : { nodeGracePeriodMs: options.nodeGracePeriod }),
      onProgress: (stage, detail) => {
        link.report(stage, detail)
        log.info('control plane progress', { stage, detail })
      },
    },
    link.signal,
  )
}
