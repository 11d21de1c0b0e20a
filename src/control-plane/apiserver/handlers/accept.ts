import { StatusError } from '../../../base/errors.ts'

/** What the client wants to see of an object. */
export type View =
  | { readonly as: 'object' }
  | { readonly as: 'table'; readonly version: 'v1' | 'v1beta1' }
  | { readonly as: 'partial'; readonly version: 'v1' | 'v1beta1' }

export interface Negotiated {
  readonly view: View
  /** JSON unless the client takes nothing but YAML. */
  readonly yaml: boolean
}

const OBJECT: View = { as: 'object' }
const JSON_OBJECT: Negotiated = { view: OBJECT, yaml: false }

/**
 * Picks the first of the `Accept` header, best quality first, that this server can give. Protobuf is passed over: clients
 * that ask for it name JSON too. Source: k8s.io/apiserver endpoints/handlers/negotiation.
 * @param views whether tables and metadata are to be had of this endpoint, besides the object itself
 * @throws {StatusError} `NotAcceptable` when nothing fits
 */
export function negotiate(accept: string | undefined, views: boolean): Negotiated {
  if (accept === undefined || accept === '' || accept === 'application/json' || accept === '*/*') return JSON_OBJECT
  for (const clause of clausesOf(accept)) {
    const found = fit(clause, views)
    if (found) return found
  }
  throw new StatusError('NotAcceptable', 'only the following media types are accepted: application/json, application/yaml')
}

interface Clause {
  readonly type: string
  readonly parameters: ReadonlyMap<string, string>
}

function clausesOf(accept: string): readonly Clause[] {
  const clauses = accept.split(',').map((text) => {
    const [type = '', ...rest] = text.split(';').map((part) => part.trim())
    const parameters = new Map(rest.map((part) => [part.slice(0, part.indexOf('=')).trim(), part.slice(part.indexOf('=') + 1).trim()]))
    const quality = Number(parameters.get('q') ?? 1)
    return { type: type.toLowerCase(), parameters, quality: Number.isNaN(quality) ? 1 : quality }
  })
  // stable: equals stay in the order of the client
  return clauses.filter((clause) => clause.quality > 0).sort((a, b) => b.quality - a.quality)
}

const JSON_TYPES = new Set(['application/json', 'application/*', '*/*'])

function fit({ type, parameters }: Clause, views: boolean): Negotiated | undefined {
  const yaml = type === 'application/yaml'
  if (!yaml && !JSON_TYPES.has(type)) return undefined
  const as = parameters.get('as')
  if (as === undefined) return yaml ? { view: OBJECT, yaml } : JSON_OBJECT
  const version = parameters.get('v')
  if (!views || parameters.get('g') !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) return undefined
  if (as === 'Table') return { view: { as: 'table', version }, yaml }
  // clients ask for the list kind where they list; what they get is decided by the request
  if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') return { view: { as: 'partial', version }, yaml }
  return undefined
}
