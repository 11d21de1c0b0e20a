/**
 * Services in the kernel: nf_tables compiled from Services and EndpointSlices and kept equal to them.
 *
 *   ChangingList --changedItems--> ServiceTableBuilder (src/policy/packet/services) --> changed Frontends
 *     --arrangeFrontend--> FrontendState: slots that stay where they are --elementsOfState--> elements
 *     --planUpdate--> one transaction of element changes --Nft.apply--> kernel
 *
 *   frontend-class, ruleset   the tables: one chain per class of frontends, never one per service; how a packet passes through
 *   element-form              elements as bytes and as text
 *   kernel-tables             what we know the kernel has; difference or all anew
 *   applied-journal           that knowledge on disk, with a marker in the kernel that says which line is in force
 *   verify-tables             whether somebody else changed them while no agent ran
 *   repair-pace               when to put right what somebody else changed
 *   health-checks, proxy-health, healthz-server, stale-flows, service-range-routes, refusal-counters   what belongs to a service proxy besides
 */
export { conntrackFlows } from './conntrack-flows.ts'
export { HealthChecks } from './health-checks.ts'
export { serveHealthz } from './healthz-server.ts'
export { KernelServiceProxy, type KernelServiceProxyOptions } from './kernel-service-proxy.ts'
export { type HealthzAnswer } from './proxy-health.ts'
export { TABLE as SERVICE_TABLE } from './ruleset.ts'
export type { Refusal } from './refusal-counters.ts'
export { serviceRangeRoutes } from './service-range-routes.ts'
export type { FlowCleaner, StaleFlow } from './stale-flows.ts'
