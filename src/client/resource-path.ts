import type { KindDefinition } from '../api/kind.ts'
import { StatusError } from '../base/errors.ts'

/** What a path names: a collection, an object, or a subresource of an object. */
export interface ResourceTarget {
  readonly namespace?: string | undefined
  readonly name?: string | undefined
  readonly subresource?: string | undefined
}

type KindPath = Pick<KindDefinition, 'group' | 'version' | 'plural' | 'namespaced'>

/**
 * The path of a collection or object, percent-encoded. Collections of namespaced kinds without namespace are those of
 * all namespaces.
 * @throws {StatusError} `BadRequest` when a named object of a namespaced kind comes without namespace or with an empty name
 */
export function resourcePath(kind: KindPath, target: ResourceTarget = {}): string {
  const root = kind.group === '' ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`
  if (target.name === '') throw new StatusError('BadRequest', `resource name may not be empty: give the name of one of the ${kind.plural}`)
  if (kind.namespaced && target.name !== undefined && !target.namespace) {
    throw new StatusError(
      'BadRequest',
      `an empty namespace may not be set when a resource name is provided (${kind.plural} "${target.name}")`,
    )
  }
  const inNamespace = kind.namespaced && target.namespace ? `/namespaces/${encodeURIComponent(target.namespace)}` : ''
  const name = target.name === undefined ? '' : `/${encodeURIComponent(target.name)}`
  const subresource = target.subresource ? `/${target.subresource}` : ''
  return `${root}${inNamespace}/${kind.plural}${name}${subresource}`
}
