/** Which metrics are shown, and to whom. Source of defaults: Kuma, MeshMetric. */
import { regexProblem } from '../../evaluate/index.ts'
import type { PolicyPlugin } from '../../input/index.ts'
import type { MetricSettings } from '../../model/index.ts'
import { mergeConfs } from '../../kuma/merging.ts'

interface NameMatch {
  readonly type: 'Prefix' | 'Regex' | 'Exact' | 'Contains'
  readonly match: string
}

/** Milliseconds. */
export interface MetricConf {
  readonly sidecar?: {
    readonly includeUnused?: boolean
    readonly profiles?: {
      readonly appendProfiles?: readonly { readonly name: 'All' | 'Basic' | 'None' }[]
      readonly include?: readonly NameMatch[]
      readonly exclude?: readonly NameMatch[]
    }
  }
  readonly applications?: readonly { readonly name?: string; readonly address?: string; readonly port: number; readonly path?: string }[]
  readonly backends?: readonly {
    readonly type: 'Prometheus' | 'OpenTelemetry'
    readonly prometheus?: { readonly port?: number; readonly path?: string; readonly tls?: { readonly mode?: string } }
    readonly openTelemetry?: { readonly endpoint?: string; readonly refreshInterval?: number }
  }[]
}

export const meshMetric: PolicyPlugin<MetricConf> = {
  type: 'MeshMetric',
  merge: mergeConfs,
  check(conf) {
    const { include, exclude } = metricsOf(conf)
    for (const regex of [...include, ...exclude]) {
      const problem = regexProblem(regex)
      if (problem !== undefined) throw new Error(problem)
    }
  },
  proxy: (conf, settings) => ({ ...settings, metrics: metricsOf(conf) }),
}

function metricsOf({ sidecar, applications = [], backends = [] }: MetricConf): MetricSettings {
  const { appendProfiles = [], include = [], exclude = [] } = sidecar?.profiles ?? {}
  const profile = ({ All: 'all', Basic: 'basic', None: 'none' } as const)[appendProfiles[0]?.name ?? 'Basic']
  const prometheus = backends.find(({ type }) => type === 'Prometheus')?.prometheus
  const otlp = backends.find(({ type }) => type === 'OpenTelemetry')?.openTelemetry
  return {
    profile,
    include: include.map(pattern),
    exclude: exclude.map(pattern),
    includeUnused: sidecar?.includeUnused ?? false,
    ...(prometheus
      ? {
          prometheus: {
            port: prometheus.port ?? 5670,
            path: prometheus.path ?? '/metrics',
            tls: prometheus.tls?.mode === 'ActiveMTLSBackend' ? 'mesh' : 'none',
          } as const,
        }
      : {}),
    ...(otlp?.endpoint === undefined ? {} : { otlp: { endpoint: otlp.endpoint, intervalMs: otlp.refreshInterval ?? 60_000 } }),
    applications: applications.map(({ name, address, port, path }) => ({
      name: name ?? String(port),
      port,
      path: path ?? '/metrics',
      ...(address === undefined ? {} : { address }),
    })),
  }
}

function pattern({ type, match }: NameMatch): string {
  const quoted = match.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)
  if (type === 'Regex') return match
  if (type === 'Prefix') return `^${quoted}.*`
  return type === 'Exact' ? `^${quoted}$` : `.*${quoted}.*`
}
