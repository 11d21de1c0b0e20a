/**
 * What became of packets: the kernel's counters, as metrics and as JSON.
 *
 *   packet-counters   openPacketCounters: all of them at a time
 *   proc-net          the files below /proc/net
 *   drop-reasons      why packets were dropped, from trace events
 *   counter-metrics   showPacketCounters: by the names of node_exporter
 */
export { showPacketCounters } from './counter-metrics.ts'
export { openPacketCounters, type PacketCounters, type PacketCounterSource, type PacketCountersOptions } from './packet-counters.ts'
export type { DropReasonsProblem } from './drop-reasons.ts'
