import type { KubeObject } from '../api/meta/object.ts'
import { StatusError } from '../base/errors.ts'

/** What the path of a request to the fake API names. */
export interface Target {
  /** `group/version/plural`. */
  readonly collection: string
  readonly plural: string
  readonly namespace: string
  readonly name: string
  readonly subresource: string
}

const PATH = /^\/(?:api|apis\/([^/]+))\/([^/]+)(?:\/namespaces\/([^/]+)(?=\/[^/]+))?\/([^/]+)(?:\/([^/]+))?(?:\/(.+))?$/

export function parseTarget(path: string): Target {
  const match = PATH.exec(path)
  if (!match) throw new StatusError('NotFound', `the server could not find the requested resource (${path})`)
  const [, group = '', version = '', namespace = '', plural = '', name = '', subresource = ''] = match
  // a namespace's own subresource looks like a collection inside it
  if (namespace && name === '' && ['status', 'finalize'].includes(plural)) {
    return { collection: `${group}/${version}/namespaces`, plural: 'namespaces', namespace: '', name: namespace, subresource: plural }
  }
  return { collection: `${group}/${version}/${plural}`, plural, namespace, name: decodeURIComponent(name), subresource }
}

/** Equality selectors only: `a=b,c!=d`, and `metadata.name=x`. */
export function matchesSelectors(object: KubeObject, labels: string, fields: string): boolean {
  const matches = (term: string, read: (key: string) => string | undefined): boolean => {
    const [, key = '', not = '', value = ''] = /^([^!=]+)(!?)==?(.*)$/.exec(term) ?? []
    return (read(key) === value) === (not === '')
  }
  const terms = (selector: string): string[] => selector.split(',').filter((term) => term !== '')
  return (
    terms(labels).every((term) => matches(term, (key) => object.metadata.labels?.[key])) &&
    terms(fields).every((term) => matches(term, (key) => readPath(object, key)))
  )
}

function readPath(object: unknown, path: string): string | undefined {
  let value = object
  for (const part of path.split('.')) value = (value as Record<string, unknown> | undefined)?.[part]
  return typeof value === 'string' ? value : undefined
}

/** RFC 7396. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (patch === null || typeof patch !== 'object' || Array.isArray(patch)) return patch
  const result: Record<string, unknown> = typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key]
    else result[key] = mergePatch(result[key], value)
  }
  return result
}
