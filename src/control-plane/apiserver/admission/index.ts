/**
 * Admission plugins: what changes or refuses a write beyond its kind's own strategy. Each is one file and one
 * AdmissionPlugin (registry/admission.ts); the composition root puts them into a list, and they run in its order.
 *
 *   service-allocator     cluster IPs and node ports, claimed in the write's own transaction
 *     plan-families       one address family or two, and which
 *     plan-node-ports     which node ports are missing
 *     service-ranges      the addresses to choose from
 *   repair-allocations    run once at start: claims and services agree again
 *   priority              priorityClassName -> spec.priority
 *   service-account       a pod's account must exist
 *   sidecar-injector      pods of meshed namespaces get their sidecar; plan-sidecar: what is put into them
 */
export { createPriorityPlugin } from './priority.ts'
export { repairAllocations } from './repair-allocations.ts'
export { createServiceAccountPlugin } from './service-account.ts'
export { apiServiceAddress, createServiceAllocator, type ServiceAllocatorOptions } from './service-allocator.ts'
export { parseServiceRanges, ServiceCidrError, type ServiceRange } from './service-ranges.ts'
export { createSidecarInjector } from './sidecar-injector.ts'
