import { applyObjects } from '../apply/apply-objects.ts'
import { readManifests } from '../apply/read-manifests.ts'
import { connect } from '../connect.ts'
import type { CliContext } from '../context.ts'
import { EXIT } from '../errors/cli-error.ts'
import { renderError } from '../errors/render-error.ts'
import { printObjects } from '../print/print-objects.ts'
import type { ConnectOptions } from '../program/options.ts'

interface ApplyCommandOptions extends ConnectOptions {
  readonly filename: readonly string[]
  readonly output?: 'name' | 'json' | 'yaml'
  readonly dryRun?: 'server' | 'none'
}

/** `biplane apply`. */
export async function runApply(context: CliContext, options: ApplyCommandOptions): Promise<number> {
  const manifests = await readManifests(context, options.filename)
  await using session = connect(context, options)
  const dryRun = options.dryRun === 'server'
  let failures = 0
  const applied = await applyObjects(session, manifests, {
    dryRun,
    onApplied: (one) => {
      for (const warning of one.warnings) context.err.write(`warning: ${warning}\n`)
      if (options.output === undefined) context.out.write(`${one.name} ${one.outcome}${dryRun ? ' (server dry run)' : ''}\n`)
      else if (options.output === 'name') context.out.write(`${one.name}\n`)
    },
    onFailed: (error) => {
      failures++
      context.err.write(renderError(error, { debug: false }))
    },
  })
  if (options.output === 'json' || options.output === 'yaml') context.out.write(printObjects(applied, options.output, true))
  return failures === 0 ? EXIT.ok : EXIT.failure
}
