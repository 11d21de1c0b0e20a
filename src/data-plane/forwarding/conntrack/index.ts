/**
 * Flows that the kernel tracks: UDP clients would otherwise be sent to a backend that is gone until they are silent for minutes.
 *
 *   conntrack-cleaner   openConntrackCleaner: deletes stale flows, many wishes in one look
 *   stale-flows         which flows are meant
 */
export { openConntrackCleaner, type ConntrackCleaner, type ConntrackOptions } from './conntrack-cleaner.ts'
export type { StaleFlows } from './stale-flows.ts'
