/** Bounds on what a service is asked, and endpoints that fail left out for a while. Inbound it bounds what the application itself gets. */
import type { PolicyPlugin } from '../../input/index.ts'
import type { Cluster, OutlierDetection } from '../../model/index.ts'
import { mergeConfs } from '../../kuma/merging.ts'

interface Consecutive {
  readonly consecutive?: number
}

/** Milliseconds and percentages. */
export interface CircuitBreakerConf {
  readonly connectionLimits?: {
    readonly maxConnectionPools?: number
    readonly maxConnections?: number
    readonly maxPendingRequests?: number
    readonly maxRetries?: number
    readonly maxRequests?: number
  }
  readonly outlierDetection?: {
    readonly disabled?: boolean
    readonly interval?: number
    readonly baseEjectionTime?: number
    readonly maxEjectionPercent?: number
    readonly splitExternalAndLocalErrors?: boolean
    readonly healthyPanicThreshold?: number
    readonly detectors?: {
      readonly totalFailures?: Consecutive
      readonly gatewayFailures?: Consecutive
      readonly localOriginFailures?: Consecutive
      readonly successRate?: {
        readonly minimumHosts?: number
        readonly requestVolume?: number
        readonly standardDeviationFactor?: number | string
      }
      readonly failurePercentage?: { readonly minimumHosts?: number; readonly requestVolume?: number; readonly threshold?: number }
    }
  }
}

export const meshCircuitBreaker: PolicyPlugin<CircuitBreakerConf> = {
  type: 'MeshCircuitBreaker',
  merge: mergeConfs,
  cluster: (conf, cluster) => breaker(conf, cluster),
  inboundCluster: (rules, cluster) => breaker(rules.at(-1)?.conf ?? {}, cluster),
}

function breaker({ connectionLimits, outlierDetection }: CircuitBreakerConf, cluster: Cluster): Cluster {
  // pools are not counted here: connections are
  const { maxConnectionPools: _, ...limits } = connectionLimits ?? {}
  const outlier = outlierDetection?.disabled === true ? undefined : outlierDetection
  const panic = outlier?.healthyPanicThreshold
  return {
    ...cluster,
    limits: { ...cluster.limits, ...limits },
    ...(outlier ? { outlierDetection: detection(outlier) } : {}),
    ...(panic === undefined ? {} : { healthyPanicPercent: panic }),
  }
}

function detection(conf: NonNullable<CircuitBreakerConf['outlierDetection']>): OutlierDetection {
  const { totalFailures, gatewayFailures, localOriginFailures, successRate, failurePercentage } = conf.detectors ?? {}
  const baseEjectionMs = conf.baseEjectionTime ?? 30_000
  return {
    intervalMs: conf.interval ?? 10_000,
    baseEjectionMs,
    maxEjectionMs: Math.max(300_000, baseEjectionMs),
    maxEjectionPercent: conf.maxEjectionPercent ?? 10,
    splitLocalErrors: conf.splitExternalAndLocalErrors ?? false,
    ...(totalFailures ? { consecutive5xx: totalFailures.consecutive ?? 5 } : {}),
    ...(gatewayFailures ? { consecutiveGatewayFailures: gatewayFailures.consecutive ?? 5 } : {}),
    ...(localOriginFailures ? { consecutiveLocalFailures: localOriginFailures.consecutive ?? 5 } : {}),
    ...(successRate
      ? {
          successRate: {
            minHosts: successRate.minimumHosts ?? 5,
            minRequests: successRate.requestVolume ?? 100,
            stdevFactor: Number(successRate.standardDeviationFactor ?? 1.9),
          },
        }
      : {}),
    ...(failurePercentage
      ? {
          failurePercentage: {
            minHosts: failurePercentage.minimumHosts ?? 5,
            minRequests: failurePercentage.requestVolume ?? 50,
            threshold: failurePercentage.threshold ?? 85,
          },
        }
      : {}),
  }
}
