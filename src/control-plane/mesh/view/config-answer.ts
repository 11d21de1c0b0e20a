import type { ConfigAnswer } from '../../../protocols/mesh-view.ts'
import type { CompiledProxy } from '../../../policy/traffic/compile/index.ts'
import { RESOURCE_ORDER, type ResourceType } from '../../../policy/traffic/model/index.ts'
import { StatusError } from '../../../base/errors.ts'

/**
 * Resources of a proxy by type and name, in the intermediate form, private keys left out.
 * @param types only these; empty: all
 * @throws {StatusError} `BadRequest` for types that do not exist
 */
export function configAnswer(name: string, { resources }: Pick<CompiledProxy, 'resources'>, types: readonly string[] = []): ConfigAnswer {
  const unknown = types.find((type) => !RESOURCE_ORDER.includes(type as ResourceType))
  if (unknown !== undefined) {
    throw new StatusError('BadRequest', `type: ${JSON.stringify(unknown)} is none of ${RESOURCE_ORDER.join(', ')}`)
  }
  const byType = new Map<string, [string, unknown][]>()
  for (const { type, value } of resources) {
    if (types.length > 0 && !types.includes(type)) continue
    const list = byType.get(type)
    const entry: [string, unknown] = [value.name, type === 'secret' ? withoutKey(value) : value]
    if (list) list.push(entry)
    else byType.set(type, [entry])
  }
  const sorted = RESOURCE_ORDER.toReversed().flatMap((type) => {
    const list = byType.get(type)
    return list ? [[type, Object.fromEntries(list.sort(([a], [b]) => (a < b ? -1 : 1)))] as const] : []
  })
  return { name, resources: Object.fromEntries(sorted) }
}

const withoutKey = ({ privateKey, ...rest }: { readonly privateKey?: string }): unknown =>
  privateKey === undefined ? rest : { ...rest, privateKey: '[left out]' }
