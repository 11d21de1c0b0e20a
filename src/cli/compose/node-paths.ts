import type { Metrics } from '../../base/metrics.ts'
import { METRICS_TYPE, type NodePathHandler, type NodePaths } from '../../data-plane/node/link/node-paths.ts'

export interface NodePathParts {
  readonly metrics: Metrics
  /** Further paths, such as those of the packet plane. */
  readonly more?: Readonly<Record<string, NodePathHandler>>
}

/** What a node answers over its link: `kubectl get --raw /api/v1/nodes/NAME/proxy/metrics`. */
export function nodePaths({ metrics, more = {} }: NodePathParts): NodePaths {
  return new Map<string, NodePathHandler>([
    ['/healthz', () => ({ text: 'ok' })],
    ['/metrics', () => ({ text: metrics.render(), contentType: METRICS_TYPE })],
    ...Object.entries(more),
  ])
}
