import type { TrafficPolicy } from '../input/index.ts'

const origin = (kind: string, name: string): TrafficPolicy['origin'] => ({ kind, group: 'kuma.io', namespace: '', name })
// weaker than anything that is written
const rank = [-1, 0]
const backOff = { baseInterval: 25, maxInterval: 250 }

/** What holds where nobody has written a policy. Source: Kuma's policies that come with every mesh. */
export const DEFAULT_POLICIES: readonly TrafficPolicy[] = [
  {
    type: 'MeshTimeout',
    origin: origin('MeshTimeout', 'mesh-timeout-all-default'),
    proxies: { kinds: ['sidecar', 'node'] },
    rank,
    to: [
      {
        target: {},
        conf: { connectionTimeout: 5000, idleTimeout: 3_600_000, http: { requestTimeout: 15_000, streamIdleTimeout: 1_800_000 } },
      },
    ],
    rules: [
      { matches: [], conf: { idleTimeout: 7_200_000, http: { requestTimeout: 0, streamIdleTimeout: 3_600_000, maxStreamDuration: 0 } } },
    ],
  },
  {
    type: 'MeshTimeout',
    origin: origin('MeshTimeout', 'mesh-gateways-timeout-all-default'),
    proxies: { kinds: ['gateway'] },
    rank,
    to: [{ target: {}, conf: { idleTimeout: 3_600_000, http: { requestTimeout: 15_000, streamIdleTimeout: 5000 } } }],
    rules: [{ matches: [], conf: { idleTimeout: 300_000, http: { requestHeadersTimeout: 500, streamIdleTimeout: 5000 } } }],
  },
  {
    type: 'MeshRetry',
    origin: origin('MeshRetry', 'mesh-retry-all-default'),
    proxies: {},
    rank,
    to: [
      {
        target: {},
        conf: {
          tcp: { maxConnectAttempt: 5 },
          http: { numRetries: 5, perTryTimeout: 16_000, backOff },
          grpc: { numRetries: 5, perTryTimeout: 16_000, backOff },
        },
      },
    ],
  },
  {
    type: 'MeshCircuitBreaker',
    origin: origin('MeshCircuitBreaker', 'mesh-circuit-breaker-all-default'),
    proxies: {},
    rank,
    to: [{ target: {}, conf: { connectionLimits: { maxConnections: 1024, maxPendingRequests: 1024, maxRequests: 1024, maxRetries: 3 } } }],
  },
]

/** Those that a mesh wants. `skipped`: kinds it does not, `*` for all. */
export function defaultPolicies(skipped: readonly string[]): readonly TrafficPolicy[] {
  return skipped.includes('*') ? [] : DEFAULT_POLICIES.filter(({ type }) => !skipped.includes(type))
}
