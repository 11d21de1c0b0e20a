import { parseYaml } from '../../api/yaml.ts'
import type { PatchType } from '../../client/client.ts'
import { connect } from '../connect.ts'
import type { CliContext } from '../context.ts'
import { usageError } from '../errors/cli-error.ts'
import { namespaceFor, resolveTargets } from '../objects/fetch-objects.ts'
import { displayName } from '../objects/find-kind.ts'
import type { ConnectOptions } from '../program/options.ts'

/** `biplane patch`. */
export async function runPatch(
  context: CliContext,
  what: readonly string[],
  options: ConnectOptions & { readonly patch: string; readonly type: PatchType },
): Promise<void> {
  const [document] = parseYaml(options.patch, '--patch')
  if (typeof document?.value !== 'object' || document.value === null) throw usageError('--patch is neither an object nor a list')
  await using session = connect(context, options)
  const targets = await resolveTargets(session, what)
  if (targets.every(({ names }) => names.length === 0)) throw usageError('say which to patch: KIND/NAME')
  for (const { kind, names } of targets) {
    const namespace = namespaceFor(session, kind, {})
    for (const name of names) {
      const before = await session.client.of(kind).get(name, { namespace })
      const after = await session.client.of(kind).patch(name, document.value, { namespace, type: options.type, fieldValidation: 'Strict' })
      const changed = before.metadata.resourceVersion !== after.metadata.resourceVersion
      context.out.write(`${displayName(kind, name)} patched${changed ? '' : ' (no change)'}\n`)
    }
  }
}
