import { ENVOY_TYPE } from '../envoy/index.ts'
import { generated, valuesOf } from '../envoy/generator.ts'
import type { Place, Unsupported } from '../envoy/index.ts'
import { TYPE_URL } from '../../../policy/traffic/model/index.ts'
import { settingsAsTheyAre } from '../xds/biplane-generator.ts'
import type { Generator } from '../xds/contract.ts'
import { generateGrpc } from './generate.ts'

export interface GrpcGeneratorOptions {
  readonly place: (proxy: string) => Place
  readonly domain: string
  /** Told each time what could not be expressed for a proxy. */
  readonly unsupported?: (proxy: string, list: readonly Unsupported[]) => void
}

const TYPES = ['cluster', 'endpoints', 'route', 'listener'] as const

/** The generator for proxyless gRPC. */
export function grpcGenerator(options: GrpcGeneratorOptions): Generator {
  return {
    kind: 'grpc',
    typeUrls: [TYPE_URL.proxy, ...TYPES.map((type) => ENVOY_TYPE[type])],
    generate(proxy, resources) {
      const [settings] = valuesOf(resources, 'proxy')
      if (!settings) return []
      const { resources: made, unsupported } = generateGrpc({
        settings,
        listeners: valuesOf(resources, 'listener'),
        routes: valuesOf(resources, 'route'),
        clusters: valuesOf(resources, 'cluster'),
        endpoints: valuesOf(resources, 'endpoints'),
        place: options.place(proxy),
        domain: options.domain,
      })
      options.unsupported?.(proxy, unsupported)
      const origins = new Map(resources.map((one) => [`${one.type} ${one.value.name}`, one.origins]))
      return [
        ...settingsAsTheyAre(resources),
        ...TYPES.flatMap((type) => made[type].map(({ name, value }) => generated(type, name, value, origins.get(`${type} ${name}`) ?? []))),
      ]
    },
  }
}
