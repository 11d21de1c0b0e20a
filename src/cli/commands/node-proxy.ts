import { jsonLogger } from '../../base/log.ts'
import { runNodeProxy } from '../compose/node-proxy.ts'
import type { CliContext } from '../context.ts'

export interface NodeProxyCommandOptions {
  readonly dir: string
  readonly meshSocket: string
  readonly verbose?: boolean
}

/** `biplane proxy node`: in the foreground until a signal comes. */
export async function runNodeProxyCommand(context: CliContext, options: NodeProxyCommandOptions): Promise<void> {
  const { clock, random } = context
  process.title = `biplane proxy node ${options.dir}`
  const signals = context.takeSignals()
  signals.onForce(() => process.exit(1))
  const log = jsonLogger({ write: (line) => context.err.write(line), clock, level: options.verbose ? 'debug' : 'info' })
  await runNodeProxy({ dir: options.dir, meshSocket: options.meshSocket, clock, random, log }, signals.signal)
}
