import { RESOURCE_ORDER, TYPE_URL } from '../../../policy/traffic/model/index.ts'
import type { GeneratedResource, Generator, SourceResource } from './contract.ts'

/** Our own proxies take the intermediate form as it is: canonical JSON, members sorted, so that equal resources have equal bytes. */
export const biplaneGenerator: Generator = {
  kind: 'biplane',
  typeUrls: RESOURCE_ORDER.map((type) => TYPE_URL[type]),
  independent: true,
  generate: (_proxy, resources) => resources.map(asItIs),
}

/** The settings of a proxy, which biplane itself needs beside a data plane that is not its own: identity and trust. */
export function settingsAsTheyAre(resources: readonly SourceResource[]): readonly GeneratedResource[] {
  return resources.filter(({ type }) => type === 'proxy').map(asItIs)
}

function asItIs({ type, value, origins }: SourceResource): GeneratedResource {
  return { typeUrl: TYPE_URL[type], name: value.name, bytes: Buffer.from(JSON.stringify(value, sorted)), origins }
}

function sorted(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
