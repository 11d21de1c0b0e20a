import { RESOURCE_ORDER, TYPE_URL } from '../../../policy/traffic/model/index.ts'
import type { GeneratedResource, Generator, SourceResource } from './contract.ts'

/** Our own proxies take the intermediate form as it is: canonical JSON, members sorted, so that equal resources have equal bytes. */
export const biplaneGenerator: Generator = {
  kind: 'biplane',
  typeUrls: RESOURCE_ORDER.map((type) => TYPE_URL[type]),
  generate: (_proxy, resources) => resources.map(generated),
}

/** Resources are shared by proxies: what was made of one is kept with it. */
const made = new WeakMap<object, GeneratedResource>()

function generated(resource: SourceResource): GeneratedResource {
  const { type, value, origins } = resource
  const found = made.get(value)
  if (found?.origins === origins) return found
  const bytes = found?.bytes ?? Buffer.from(JSON.stringify(value, sorted))
  const fresh = { typeUrl: TYPE_URL[type], name: value.name, bytes, origins }
  made.set(value, fresh)
  return fresh
}

function sorted(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
