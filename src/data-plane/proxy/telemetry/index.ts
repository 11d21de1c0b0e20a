/**
 * What a proxy tells of its work.
 *
 *   metric-table    numbers in one array; Prometheus text
 *   sum-metrics     numbers of several processes as those of one
 *   stats           slots under Envoy's names: of clusters, HTTP connection managers, connections
 *   access-logger   a line for each exchange
 *     log-format    Envoy's command operators in text and JSON; log-operators, start-time: their meaning
 *     log-entry     what they are evaluated on
 *   seen-calls      who has called, connection by connection; report-calls: tells the control plane
 *   log-writer      one write for each turn of the event loop, bounded; log-sinks: files, standard output, TCP
 */
export { AccessLogger, type LineWriter } from './access-logger.ts'
export type { LogEntry } from './log-entry.ts'
export { compileLogFormat, type LogFormat } from './log-format.ts'
export { openFdSink, openFileSink, openTcpSink } from './log-sinks.ts'
export { LogWriter, type LineSink } from './log-writer.ts'
export { reportCalls, type ReportOptions } from './report-calls.ts'
export { SeenCalls } from './seen-calls.ts'
export { BlockLayout, MetricTable, type BlockMetric, type RenderOptions } from './metric-table.ts'
export { clusterStats, connectionStats, httpStats, type ClusterStats, type ConnectionStats, type HttpStats } from './stats.ts'
export { MetricSum } from './sum-metrics.ts'
