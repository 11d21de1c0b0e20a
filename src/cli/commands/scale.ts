import { connect } from '../connect.ts'
import type { CliContext } from '../context.ts'
import { usageError } from '../errors/cli-error.ts'
import { namespaceFor, resolveTargets } from '../objects/fetch-objects.ts'
import { displayName } from '../objects/find-kind.ts'
import type { ConnectOptions } from '../program/options.ts'

/** `biplane scale`. */
export async function runScale(
  context: CliContext,
  what: readonly string[],
  options: ConnectOptions & { readonly replicas: number },
): Promise<void> {
  await using session = connect(context, options)
  const targets = await resolveTargets(session, what)
  if (targets.every(({ names }) => names.length === 0)) throw usageError('say which to scale: KIND/NAME')
  for (const { kind, names } of targets) {
    const namespace = namespaceFor(session, kind, {})
    for (const name of names) {
      await session.client
        .of(kind)
        .patch(name, { spec: { replicas: options.replicas } }, { namespace, subresource: 'scale', type: 'merge' })
      context.out.write(`${displayName(kind, name)} scaled\n`)
    }
  }
}
