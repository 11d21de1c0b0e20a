import {
  TYPE_URL,
  type Listener,
  type Origin,
  type Resource,
  type ResourceOfType,
  type ResourceType,
} from '../../../policy/traffic/model/index.ts'
import { encode } from '../../../protocols/xds/index.ts'
import { settingsAsTheyAre } from '../xds/biplane-generator.ts'
import type { GeneratedResource, Generator, ResourceRef, SourceResource } from '../xds/contract.ts'
import { generateEnvoy, type EnvoyInput } from './generate.ts'
import { ENVOY_TYPE, type EnvoyType, type Json, type Unsupported } from './resource.ts'

export interface EnvoyGeneratorOptions {
  /** What is known of a proxy besides its resources. */
  readonly proxy: (name: string) => Pick<EnvoyInput, 'interception' | 'place'>
  /** Told each time what could not be expressed for a proxy. */
  readonly unsupported?: (proxy: string, list: readonly Unsupported[]) => void
}

const TYPES = Object.keys(ENVOY_TYPE) as readonly EnvoyType[]

/** The generator for Envoy. Without the proxy's own settings there is nothing. */
export function envoyGenerator(options: EnvoyGeneratorOptions): Generator {
  return {
    kind: 'envoy',
    typeUrls: [TYPE_URL.proxy, ...TYPES.map((type) => ENVOY_TYPE[type])],
    generate(proxy, resources) {
      const [settings] = valuesOf(resources, 'proxy')
      if (!settings) return []
      const input: EnvoyInput = {
        settings,
        listeners: valuesOf(resources, 'listener'),
        routes: valuesOf(resources, 'route'),
        clusters: valuesOf(resources, 'cluster'),
        endpoints: valuesOf(resources, 'endpoints'),
        secrets: valuesOf(resources, 'secret'),
        ...options.proxy(proxy),
      }
      const { resources: made, unsupported } = generateEnvoy(input)
      options.unsupported?.(proxy, unsupported)
      const origins = originsOf(resources)
      return [
        ...settingsAsTheyAre(resources),
        ...TYPES.flatMap((type) => made[type].map(({ name, value }) => generated(type, name, value, origins(type, name)))),
      ]
    },
  }
}

/** Values of one type, in their order. */
export const valuesOf = <T extends ResourceType>(resources: readonly SourceResource[], type: T): readonly ResourceOfType[T][] =>
  resources.filter((one) => one.type === type).map(({ value }) => value as Resource as ResourceOfType[T])

/** A resource as bytes, with what has to be sent again after it. */
export function generated(type: EnvoyType, name: string, value: Json, origins: readonly Origin[]): GeneratedResource {
  const again = againOf(type, value)
  return {
    typeUrl: ENVOY_TYPE[type],
    name,
    bytes: Buffer.from(encode(ENVOY_TYPE[type].slice('type.googleapis.com/'.length), value)),
    origins,
    ...(again.length > 0 ? { again } : {}),
  }
}

function againOf(type: EnvoyType, value: Json): readonly ResourceRef[] {
  if (type === 'cluster') {
    const eds = value['eds_cluster_config'] as { readonly service_name?: string } | undefined
    return eds?.service_name === undefined ? [] : [{ typeUrl: ENVOY_TYPE.endpoints, name: eds.service_name }]
  }
  if (type !== 'listener') return []
  const names = new Set<string>()
  collectRoutes(value, names)
  return [...names].map((name) => ({ typeUrl: ENVOY_TYPE.route, name }))
}

function collectRoutes(value: unknown, into: Set<string>): void {
  if (typeof value !== 'object' || value === null) return
  for (const [key, member] of Object.entries(value)) {
    if (key === 'route_config_name' && typeof member === 'string') into.add(member)
    else collectRoutes(member, into)
  }
}

/** Whom a resource comes from: the one of its name, or all that were put together in it. */
function originsOf(resources: readonly SourceResource[]): (type: EnvoyType, name: string) => readonly Origin[] {
  const known = new Map<string, readonly Origin[]>()
  for (const { type, value, origins } of resources) known.set(`${type} ${value.name}`, origins)
  const inbound = resources.filter(({ type, value }) => type === 'listener' && (value as Listener).direction === 'inbound')
  return (type, name) =>
    known.get(`${type} ${name}`) ??
    (type === 'secret' ? known.get(`secret ${name.replace(/^ca\|/, '')}`) : undefined) ??
    (name.endsWith('-inbound') ? inbound.flatMap(({ origins }) => origins) : [])
}
