/** Where spans go, for calls in both directions. */
import type { PolicyPlugin } from '../../input/index.ts'
import type { HttpConnectionManager, Tracing } from '../../model/index.ts'
import { mergeConfs } from '../../kuma/merging.ts'

/** Percentages. */
export interface TraceConf {
  readonly backends?: readonly {
    readonly type: 'Zipkin' | 'Datadog' | 'OpenTelemetry'
    readonly zipkin?: { readonly url: string }
    readonly datadog?: { readonly url: string }
    readonly openTelemetry?: { readonly endpoint?: string }
  }[]
  readonly sampling?: { readonly overall?: number; readonly client?: number; readonly random?: number }
  readonly tags?: readonly {
    readonly name: string
    readonly literal?: string
    readonly header?: { readonly name: string; readonly default?: string }
  }[]
}

export const meshTrace: PolicyPlugin<TraceConf> = {
  type: 'MeshTrace',
  merge: mergeConfs,
  outboundHttp: (conf, http) => traced(conf, http),
  inboundHttp: (rules, http) => traced(rules.at(-1)?.conf ?? {}, http),
}

function traced(conf: TraceConf, http: HttpConnectionManager): HttpConnectionManager {
  const backend = backendOf(conf)
  if (!backend) return http
  const { overall = 100, client = 100, random = 100 } = conf.sampling ?? {}
  const tags = (conf.tags ?? []).map(({ name, literal, header }) => ({
    name,
    ...(literal === undefined ? {} : { literal }),
    ...(header ? { header: { ...header, name: header.name.toLowerCase() } } : {}),
  }))
  return { ...http, tracing: { backend, overall, client, random, tags } }
}

function backendOf({ backends = [] }: TraceConf): Tracing['backend'] | undefined {
  const [backend] = backends
  if (backend?.zipkin) return { type: 'zipkin', url: backend.zipkin.url }
  if (backend?.datadog) return { type: 'datadog', address: backend.datadog.url.replace(/^https?:\/\//, '') }
  return backend?.openTelemetry?.endpoint === undefined ? undefined : { type: 'otlp', endpoint: backend.openTelemetry.endpoint }
}
