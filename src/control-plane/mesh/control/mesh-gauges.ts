import type { Metrics } from '../../../base/metrics.ts'
import type { ProxyView } from '../../../policy/traffic/input/index.ts'
import type { ProxyTruth } from '../xds/index.ts'

/** What gauges are read from. */
export interface MeshGaugeSource {
  proxies(): Iterable<Pick<ProxyView, 'dataPlane'>>
  truths(): readonly ProxyTruth[]
  quarantined(): number
  /** Whether what proxies are told is what the objects say. */
  isCompiled(): boolean
}

const DATA_PLANES = ['biplane', 'envoy', 'grpc'] as const

/** How far the proxies are, read when somebody asks for metrics: by data plane, not by proxy, so that the number of series is the same for any mesh. */
export function addMeshGauges(metrics: Metrics, source: MeshGaugeSource): void {
  const labels = ['data_plane']
  const wanted = metrics.gauge('mesh_proxies', 'Proxies that there should be.', labels)
  const connected = metrics.gauge('mesh_proxies_connected', 'Proxies that are connected.', labels)
  const synced = metrics.gauge('mesh_proxies_synced', 'Connected proxies that have in force all that they were told.', labels)
  const refusing = metrics.gauge('mesh_proxies_refusing', 'Connected proxies that have refused something that they are to have.', labels)
  const stale = metrics.gauge('mesh_staleness_seconds', 'How long the oldest unconfirmed response has waited.', labels)
  const quarantined = metrics
    .gauge('mesh_quarantined_objects', 'Policies and routes that are left out because proxies have refused them.')
    .with()
  const compiled = metrics.gauge('mesh_compiled', 'Whether what proxies are told is what the objects say.').with()
  metrics.onRender(() => {
    const truths = source.truths().filter((truth) => truth.connected)
    for (const kind of DATA_PLANES) {
      const own = truths.filter((truth) => truth.kind === kind)
      let count = 0
      for (const { dataPlane } of source.proxies()) if (dataPlane === kind) count++
      const refuses = own.filter(({ types }) => types.some(({ refused }) => refused.length > 0))
      const waits = own.filter(({ types }) => types.some(({ pending }) => pending !== undefined))
      wanted.with(kind).set(count)
      connected.with(kind).set(own.length)
      refusing.with(kind).set(refuses.length)
      synced.with(kind).set(own.length - new Set([...refuses, ...waits]).size)
      stale.with(kind).set(own.reduce((most, { types }) => types.reduce((max, { staleMs }) => Math.max(max, staleMs), most), 0) / 1_000)
    }
    quarantined.set(source.quarantined())
    compiled.set(source.isCompiled() ? 1 : 0)
  })
}
