/**
 * Services as data: what a node does with packets to service addresses, compiled from Services and EndpointSlices, and a pure evaluator of it.
 *
 *   Service + its EndpointSlices --compileService--> Frontend[]   one per address, port and protocol that is served
 *             selectEndpoints: traffic policies, topology hints, terminating endpoints
 *   ServiceTableBuilder: keeps the table, recompiles only the services that changed, settles who owns an address claimed twice
 *   resolveService(table, packet): which service, which backends, why; or why it is rejected or dropped
 *
 * The kernel service proxy carries the table out; tests hold the kernel against the evaluator.
 */
export { compileServices, ServiceTableBuilder, type FrontendChange } from './compile-services.ts'
export { compileService } from './compile-service.ts'
export { resolveService, type ServicePacket, type ServiceVerdict } from './resolve-service.ts'
export { selectEndpoints, type CandidateEndpoint, type EndpointSelection } from './select-endpoints.ts'
export {
  frontendKey,
  type EndpointSet,
  type Frontend,
  type FrontendKind,
  type HealthCheck,
  type ServiceBackend,
  type ServiceNode,
  type ServiceProtocol,
  type ServiceTable,
} from './service-table.ts'
