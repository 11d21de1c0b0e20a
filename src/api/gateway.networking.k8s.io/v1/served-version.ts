import type { KindDefinition } from '../../kind.ts'
import type { KubeObject } from '../../meta/object.ts'
import { apiVersionOf } from '../../meta/object.ts'

/**
 * The same kind in an older version with the same fields: objects are stored in the newest version and read in either. With `deprecated`, every write is
 * answered with a warning that names the newest.
 */
export function servedAs<T extends KubeObject>(kind: KindDefinition<T>, version: string, deprecated = false): KindDefinition<T> {
  const older = { ...kind, version, schema: kind.schema!.replace('.v1.', `.${version}.`) }
  const newest = apiVersionOf(kind)
  const warning = `${apiVersionOf(older)} ${kind.kind} is deprecated, use ${newest} ${kind.kind}`
  return {
    ...older,
    storedAs: {
      group: kind.group,
      plural: kind.plural,
      decode: (stored) => ({ ...stored, apiVersion: apiVersionOf(older) }),
      encode: (object) => ({ ...object, apiVersion: newest }),
    },
    ...(deprecated
      ? { strategy: { ...kind.strategy, warnings: (object: T) => [warning, ...(kind.strategy?.warnings?.(object) ?? [])] } }
      : {}),
  }
}
