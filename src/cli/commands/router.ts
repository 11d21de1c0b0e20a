import { readFileSync } from 'node:fs'
import { platform } from 'node:os'
import { resolve } from 'node:path'
import { jsonLogger } from '../../base/log.ts'
import { libcProblem } from '../../base/linux/libc.ts'
import type { Endpoint } from '../compose/control-plane.ts'
import { dataLayout } from '../compose/layout.ts'
import { defaultNodeName } from '../compose/machine.ts'
import { runRouter } from '../compose/router.ts'
import { readIfPresent } from '../connect.ts'
import type { CliContext } from '../context.ts'
import { dataDirOf } from '../data-dir.ts'
import { CliError, usageError } from '../errors/cli-error.ts'
import type { ListenAddress } from '../program/options.ts'

export interface RouterCommandOptions {
  readonly server?: string
  readonly caFile?: string
  readonly name?: string
  readonly metricsListen?: ListenAddress
  readonly drain?: boolean
  readonly dataDir?: string
  readonly verbose?: boolean
}

/** `biplane router`: in the foreground until a signal comes. SIGUSR2 drains and ends, whatever the flags say. */
export async function runRouterCommand(context: CliContext, options: RouterCommandOptions): Promise<void> {
  const problem = platform() === 'linux' ? libcProblem() : { what: `this is ${platform()}`, fix: 'use Linux' }
  if (problem) throw new CliError('a router cannot run here', { why: problem.what, fix: problem.fix })
  if (!context.isRoot) {
    throw new CliError('a router needs root', { why: 'it listens on port 179 and writes routes to the kernel', fix: 'run it with sudo' })
  }
  const { clock, random } = context
  const dataDir = dataDirOf(context, options.dataDir)
  const { server, caCertificate } = controlPlaneOf(context, dataDir, options)
  process.title = `biplane router ${dataDir}`
  const signals = context.takeSignals()
  signals.onForce(() => process.exit(1))
  const ended = new AbortController()
  const state = { drain: options.drain === true }
  signals.signal.addEventListener('abort', () => ended.abort(signals.signal.reason), { once: true })
  process.on('SIGUSR2', () => {
    state.drain = true
    ended.abort(new Error('asked to drain'))
  })
  await runRouter(
    {
      dataDir,
      name: options.name ?? defaultNodeName(),
      server,
      caCertificate,
      program: context.self.at(-1) ?? '',
      clock,
      random,
      log: jsonLogger({ write: (line) => context.err.write(line), clock, level: options.verbose ? 'debug' : 'info' }),
      drain: () => state.drain,
      ...(options.metricsListen ? { metricsListen: options.metricsListen } : {}),
    },
    ended.signal,
  )
}

/** From the options, else from a control plane of the same data directory. */
function controlPlaneOf(
  context: CliContext,
  dataDir: string,
  options: RouterCommandOptions,
): { readonly server: string; readonly caCertificate: string } {
  const text = readIfPresent(dataLayout(dataDir).endpoint)
  const local = text === undefined ? undefined : (JSON.parse(text) as Endpoint)
  const server = options.server ?? local?.server
  if (server === undefined) throw usageError('the router does not know its control plane', 'add --server https://HOST:PORT and --ca-file')
  if (!URL.canParse(server)) throw usageError(`--server "${server}" is no URL`, 'write it as https://HOST:PORT')
  if (options.caFile !== undefined) return { server, caCertificate: readFileSync(resolve(context.cwd, options.caFile), 'utf8') }
  if (local !== undefined && local.server === server) return { server, caCertificate: local.caCertificate }
  throw usageError('the router cannot know that the control plane is the right one', 'add --ca-file')
}
