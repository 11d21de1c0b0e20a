/**
 * The meaning of each kind of policy, one folder each: `index.ts` is the plug-in, `golden/` what it makes of an object of the API.
 * `golden.test.ts` runs them all; `dry-run` says what a policy would have done to traffic that was seen.
 */
import type { PolicyPlugin } from '../input/index.ts'
import { meshAccessLog } from './mesh-access-log/index.ts'
import { meshAuthorizationPolicy } from './mesh-authorization-policy/index.ts'
import { meshCircuitBreaker } from './mesh-circuit-breaker/index.ts'
import { meshFaultInjection } from './mesh-fault-injection/index.ts'
import { meshHealthCheck } from './mesh-health-check/index.ts'
import { meshLoadBalancingStrategy } from './mesh-load-balancing-strategy/index.ts'
import { meshMetric } from './mesh-metric/index.ts'
import { meshPassthrough } from './mesh-passthrough/index.ts'
import { meshProxyPatch } from './mesh-proxy-patch/index.ts'
import { meshRateLimit } from './mesh-rate-limit/index.ts'
import { meshRequestAuthentication } from './mesh-request-authentication/index.ts'
import { meshRetry } from './mesh-retry/index.ts'
import { meshTimeout } from './mesh-timeout/index.ts'
import { meshTls } from './mesh-tls/index.ts'
import { meshTrace } from './mesh-trace/index.ts'
import { meshTrafficPermission } from './mesh-traffic-permission/index.ts'

/** In the order in which they are applied. Filters of a chain stand in this order too: what judges comes before what costs, what fails on purpose last. */
export const POLICY_PLUGINS: readonly PolicyPlugin<any>[] = [
  // first: takes away chains that others would only fill in vain
  meshTls,
  // puts its filter in front of all there are
  meshRequestAuthentication,
  // in front of the tokens: whoever may not call at all is refused before any signature is verified
  meshTrafficPermission,
  // behind both: its rules look at claims
  meshAuthorizationPolicy,
  // behind what judges: a refused request uses up nobody's share
  meshRateLimit,
  // last of the filters: a fault stands for the application's own, which only sees what was let pass
  meshFaultInjection,
  // no filters: any order
  meshTimeout,
  meshRetry,
  meshCircuitBreaker,
  meshHealthCheck,
  meshLoadBalancingStrategy,
  meshAccessLog,
  meshTrace,
  meshMetric,
  meshPassthrough,
  // last of all: it changes what the others have made
  meshProxyPatch,
]

/** The plug-in of a kind; undefined for other kinds. */
export function pluginOf(type: string): PolicyPlugin<any> | undefined {
  return POLICY_PLUGINS.find((plugin) => plugin.type === type)
}

export { dryRun, type DryRunReport, type ObservedCall } from './dry-run.ts'
