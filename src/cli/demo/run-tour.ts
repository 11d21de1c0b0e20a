import { chmodSync, mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import pc from 'picocolors'
import type { CliContext } from '../context.ts'
import { stopLeftoverWorkloads } from '../node/stop-leftovers.ts'
import { CliError, EXIT } from '../errors/cli-error.ts'
import { dataLayout } from '../compose/layout.ts'
import { DemoCluster } from './demo-cluster.ts'
import { tour } from './tour.ts'

/** What a station of the tour has at hand. */
export interface Guide {
  /** A few words on what comes. */
  readonly say: (text: string) => void
  /** Prints a command line of biplane, runs it and prints what it says. @returns its output. @throws {CliError} when it fails */
  readonly run: (...args: readonly string[]) => Promise<string>
  /** Prints a command line that the tour itself carries out, and what came of it. */
  readonly show: (command: string, output: string) => void
  readonly cluster: DemoCluster
  /** The example, as it is shown in command lines. */
  readonly example: string
}

const LIMIT_MS = 180_000

/** Runs the tour in a cluster of its own, in a temporary directory, and removes everything at the end. @returns the exit code */
export async function runTour(context: CliContext, options: { readonly filename?: string }): Promise<number> {
  const signals = context.takeSignals()
  // containers of other users must get through to their own files: not below a home directory
  const dataDir = mkdtempSync(join(tmpdir(), 'biplane-demo-'))
  chmodSync(dataDir, 0o711)
  const example = options.filename === undefined ? packagedExample(context) : resolve(context.cwd, options.filename)
  const limit = new AbortController()
  const timer = context.clock.after(LIMIT_MS, () => limit.abort(new CliError(`the tour took longer than ${LIMIT_MS / 1000} s`)))
  const signal = AbortSignal.any([signals.signal, limit.signal])
  const cluster = new DemoCluster(context, dataDir, signal)
  signals.onForce(() => cluster.kill())
  try {
    await tour(guideOf(context, cluster, example))
    return EXIT.ok
  } catch (error) {
    if (signals.signal.aborted) return EXIT.failure
    throw limit.signal.aborted ? limit.signal.reason : error
  } finally {
    timer.cancel()
    await cluster.stop()
    await stopLeftoverWorkloads(context, dataDir)
    await rm(dataDir, { recursive: true, force: true })
  }
}

function guideOf(context: CliContext, cluster: DemoCluster, example: string): Guide {
  const { out, env } = context
  const colors = pc.createColors(out.isTerminal && !env['NO_COLOR'])
  const shown = relative(context.cwd, example)
  return {
    cluster,
    example: shown.startsWith('..') ? example : shown,
    say: (text) => out.write(`\n${colors.bold(`# ${text}`)}\n`),
    show: (command, output) => out.write(`${colors.green(`$ ${command}`)}\n${output === '' ? '' : `${output.trimEnd()}\n`}`),
    run: async (...args) => {
      out.write(`${colors.green(`$ biplane ${args.map(quoted).join(' ')}`)}\n`)
      const { exitCode, output } = await cluster.command(args)
      out.write(output)
      if (exitCode !== 0)
        throw new CliError(`the tour ends early: biplane ${args[0] ?? ''} failed`, { where: dataLayout(cluster.dataDir).root })
      return output
    },
  }
}

/** examples/shop beside dist/. */
function packagedExample(context: CliContext): string {
  return join(dirname(context.self.at(-1) ?? ''), '..', 'examples', 'shop')
}

function quoted(arg: string): string {
  return /^[\w./:=@,%+-]+$/.test(arg) ? arg : `'${arg}'`
}
