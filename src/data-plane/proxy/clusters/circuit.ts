import type { CircuitLimits, RetryPolicy } from '../../../policy/traffic/model/index.ts'
import type { UpstreamAdmission } from '../contract.ts'
import type { ClusterStats } from '../telemetry/stats.ts'

/** Envoy's defaults. */
const DEFAULT_LIMIT = 1_024
const DEFAULT_RETRIES = 3

/** Counts what a cluster has under way and refuses what would be too much, over all of its endpoints. */
export class Circuit implements UpstreamAdmission {
  connections = 0
  pending = 0
  requests = 0
  retries = 0
  limits: CircuitLimits
  readonly #stats: ClusterStats

  constructor(limits: CircuitLimits, stats: ClusterStats) {
    this.limits = limits
    this.#stats = stats
  }

  connectionOpening(): boolean {
    const { table, connections, connectionsActive, connectionOverflow, connectionsOpen } = this.#stats
    // one is always allowed, else nothing could ever be sent: Envoy's reading
    const isFull = this.connections >= Math.max(1, this.limits.maxConnections ?? DEFAULT_LIMIT)
    table.set(connectionsOpen, isFull ? 1 : 0)
    if (isFull) table.inc(connectionOverflow)
    else {
      table.inc(connections)
      table.set(connectionsActive, ++this.connections)
    }
    return !isFull
  }

  connectionClosed(): void {
    const { table, connectionsActive, connectionsClosed, connectionsOpen } = this.#stats
    table.set(connectionsActive, --this.connections)
    table.inc(connectionsClosed)
    table.set(connectionsOpen, 0)
  }

  requestPending(): boolean {
    const { table, pendingActive, pendingOverflow, pendingTotal, pendingOpen } = this.#stats
    const isFull = this.pending >= (this.limits.maxPendingRequests ?? DEFAULT_LIMIT)
    table.set(pendingOpen, isFull ? 1 : 0)
    if (isFull) table.inc(pendingOverflow)
    else {
      table.inc(pendingTotal)
      table.set(pendingActive, ++this.pending)
    }
    return !isFull
  }

  requestNoLongerPending(): void {
    const { table, pendingActive, pendingOpen } = this.#stats
    table.set(pendingActive, --this.pending)
    table.set(pendingOpen, 0)
  }

  /** @returns false: too many are under way */
  requestStarting(): boolean {
    const { table, requestsActive, pendingOverflow, requestsOpen } = this.#stats
    if (this.requests >= (this.limits.maxRequests ?? DEFAULT_LIMIT)) {
      table.set(requestsOpen, 1)
      table.inc(pendingOverflow)
      return false
    }
    table.set(requestsActive, ++this.requests)
    return true
  }

  requestEnded(): void {
    const { table, requestsActive, requestsOpen } = this.#stats
    table.set(requestsActive, --this.requests)
    table.set(requestsOpen, 0)
  }

  /** With a budget the share of active requests decides, else the limit of the cluster. */
  retryStarting(budget: RetryPolicy['budget']): boolean {
    const limit = budget
      ? Math.max(budget.minConcurrent, (this.requests * budget.percent) / 100)
      : (this.limits.maxRetries ?? DEFAULT_RETRIES)
    const isFull = this.retries >= limit
    this.#stats.table.set(this.#stats.retriesOpen, isFull ? 1 : 0)
    if (!isFull) this.retries++
    return !isFull
  }

  retryEnded(): void {
    this.retries--
    this.#stats.table.set(this.#stats.retriesOpen, 0)
  }
}
