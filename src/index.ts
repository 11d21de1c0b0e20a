/**
 * Public API `biplane`: the kinds as typed handles (`pods`, `deployments`, ...), `defineKind` for your own, and the errors of the API.
 *
 * The rest is in entry points of its own, so that a program loads what it needs:
 * - `biplane/client`      talk to a Kubernetes API: client, informers, leader election
 * - `biplane/controller`  write an operator: manager, reconcilers, work queue, events
 * - `biplane/testing`     a real API server inside a test, without sockets, in milliseconds
 */
export * from './api/index.ts'
export { isStatus, StatusError, type StatusReason } from './base/errors.ts'
export { systemClock, type Clock } from './base/clock.ts'
export { jsonLogger, silentLogger, type Logger } from './base/log.ts'
export { createMetrics, type Metrics } from './base/metrics.ts'
