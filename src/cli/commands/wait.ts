import { connect } from '../connect.ts'
import type { CliContext } from '../context.ts'
import { CliError } from '../errors/cli-error.ts'
import { isStatus } from '../../base/errors.ts'
import { awaitState } from '../objects/await-state.ts'
import { fetchObjects, namespaceFor, resolveTargets, type Selection } from '../objects/fetch-objects.ts'
import { displayName } from '../objects/find-kind.ts'
import { parseWaitCondition } from '../objects/wait-condition.ts'
import { withTimeout } from '../objects/with-timeout.ts'
import type { ConnectOptions } from '../program/options.ts'

interface WaitOptions extends ConnectOptions, Selection {
  readonly for: string
  readonly timeout: number
}

/** `biplane wait`. */
export async function runWait(context: CliContext, what: readonly string[], options: WaitOptions): Promise<void> {
  const condition = parseWaitCondition(options.for)
  await using session = connect(context, options)
  const targets = await resolveTargets(session, what)
  const named = targets.flatMap(({ kind, names }) => names.map((name) => ({ kind, name, namespace: namespaceFor(session, kind, options) })))
  if (named.length === 0 || condition.needsObject) {
    const found = await fetchObjects(session, what, options).catch((error: unknown) => {
      throw isStatus(error, 'NotFound')
        ? new CliError(error.message, { fix: 'wait for it to be made first: --for=create', cause: error })
        : error
    })
    if (found.length === 0 && condition.needsObject) throw new CliError('no matching resources found')
    if (named.length === 0)
      named.push(...found.map(({ kind, object }) => ({ kind, name: object.metadata.name, namespace: object.metadata.namespace })))
  }
  await withTimeout(context, options.timeout, async (signal) => {
    for (const one of named) {
      const name = displayName(one.kind, one.name)
      try {
        await awaitState(session, { ...one, isDone: condition.isDone, signal })
      } catch (error) {
        if (!signal.aborted) throw error
        throw new CliError(`timed out waiting for ${options.for} on ${name}`, { fix: `see: biplane describe ${name}`, cause: error })
      }
      context.out.write(`${name} ${condition.met}\n`)
    }
  })
}
