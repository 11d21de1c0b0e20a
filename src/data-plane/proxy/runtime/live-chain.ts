import type { FilterChain, Listener, RouteConfiguration } from '../../../policy/traffic/model/index.ts'
import type { Downstream, Service } from '../contract.ts'
import type { ConnectionVerdict } from '../layers/index.ts'
import type { AccessLogger, ConnectionStats } from '../telemetry/index.ts'

/** What a chain was compiled from: the same objects mean the same result. */
export interface ChainSource {
  readonly listener: Listener
  readonly chain: FilterChain
  readonly routes: RouteConfiguration | undefined
}

/** One connection that is carried now. */
export interface LiveConnection {
  readonly downstream: Downstream
  /** Takes nothing new; what runs goes on. Bytes that nobody looks at go on as they are: there is no way to say so. */
  drain(): void
  /** Takes nothing new, and what still runs then is ended. 0: at once. */
  end(withinMs: number): void
}

/** How long a response that has begun may go on when its client is not allowed to ask any more. */
export const REVOKED_MS = 5_000

/** What is made of a chain's configuration. */
export interface ChainParts {
  readonly service: Service
  readonly judge: (connection: Downstream, again?: boolean) => ConnectionVerdict
  readonly stats: ConnectionStats
  /** Of connections whose bytes nobody looks at; requests have theirs in the service. */
  readonly loggers: readonly AccessLogger[]
}

/**
 * A filter chain at work. Connections hold on to it for their whole life; when the configuration changes, what it does changes in place, so that the next
 * request on an old connection is judged by the rules of now.
 */
export class LiveChain {
  source: ChainSource
  parts: ChainParts
  readonly connections: Set<LiveConnection> = new Set()

  constructor(source: ChainSource, parts: ChainParts) {
    this.source = source
    this.parts = parts
  }

  /** One function for all connections: looks at the service of now. */
  readonly serve: Service = (exchange) => this.parts.service(exchange)

  /** Takes over a new configuration; connections that it forbids end. */
  replace(source: ChainSource, parts: ChainParts): void {
    this.source = source
    this.parts = parts
    for (const connection of this.connections) {
      // every request of now is judged by its own rules; what remains is what runs already
      if (!parts.judge(connection.downstream, true).allowed) connection.end(connection.downstream.protocol === 'tcp' ? 0 : REVOKED_MS)
    }
  }
}

export function connectionBegun({ table, total, active }: ConnectionStats): void {
  table.inc(total)
  table.add(active, 1)
}

export function connectionEnded({ table, closed, active, length }: ConnectionStats, durationMs: number): void {
  table.inc(closed)
  table.add(active, -1)
  table.observe(length, durationMs)
}
