import type { Counter, Histogram, Metrics } from '../../../base/metrics.ts'

/** Names are Kuma's where it has one. */
export interface XdsMeters {
  /** Seconds from sending to confirmation. */
  delivery(type: string): Histogram
  /** Seconds of making and sending one push. */
  readonly generation: Histogram
  readonly pushes: Counter
  nacks(type: string): Counter
}

export function createXdsMeters(metrics: Metrics, streams: () => number): XdsMeters {
  const delivery = metrics.histogram('xds_delivery', 'Seconds from sending a response to its confirmation.', ['type'])
  const nacks = metrics.counter('xds_nacks_total', 'Responses that clients have refused.', ['type'])
  const open = metrics.gauge('xds_streams', 'Open discovery streams.').with()
  metrics.onRender(() => open.set(streams()))
  return {
    delivery: (type) => delivery.with(type),
    generation: metrics.histogram('xds_generation', 'Seconds that a push to all streams concerned has taken.').with(),
    pushes: metrics.counter('xds_pushes_total', 'Pushes of changed configuration.').with(),
    nacks: (type) => nacks.with(type),
  }
}
