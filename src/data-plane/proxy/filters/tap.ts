import type { Clock } from '../../../base/clock.ts'
import type { Exchange, ExchangeSummary, Layer } from '../contract.ts'

/** One request as somebody watches it: no bodies, and no header whose value is a secret. */
export interface TapEvent {
  /** Milliseconds since 1970, of its start. */
  readonly atMs: number
  readonly direction: 'inbound' | 'outbound' | 'gateway'
  readonly source: { readonly address: string; readonly identity?: string }
  readonly destination: string
  readonly method: string
  readonly authority: string
  readonly path: string
  readonly protocol: string
  readonly status?: number
  readonly grpcStatus?: number
  readonly flags: readonly string[]
  readonly details: string
  readonly durationMs: number
  readonly bytesReceived: number
  readonly bytesSent: number
  readonly requestHeaders?: Readonly<Record<string, string>>
}

/** What a watcher wants to see; absent fields match all. */
export interface TapFilter {
  readonly method?: string
  readonly pathPrefix?: string
  readonly authority?: string
  readonly identity?: string
  readonly minStatus?: number
  /** Headers of requests too. */
  readonly headers?: boolean
}

interface Watcher {
  readonly filter: TapFilter
  readonly show: (event: TapEvent) => void
  budget: number
}

const MAX_WATCHERS = 8
/** Events one watcher gets in a second; the rest is counted. */
const PER_SECOND = 500
const SECRET = /^(?:authorization|proxy-authorization|cookie|set-cookie|x-api-key|.*(?:token|secret|password).*)$/

/** Live view of requests. While nobody watches, it costs one comparison a request. */
export class Tap {
  readonly #clock: Clock
  readonly #watchers = new Set<Watcher>()
  #second = 0
  /** Events that watchers were too slow, or had seen too many, to get. */
  skipped = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** @returns ends it @throws Error when too many watch already */
  watch(filter: TapFilter, show: (event: TapEvent) => void): () => void {
    if (this.#watchers.size >= MAX_WATCHERS) throw new Error(`${MAX_WATCHERS} watch this proxy already`)
    const watcher: Watcher = { filter, show, budget: PER_SECOND }
    this.#watchers.add(watcher)
    return () => void this.#watchers.delete(watcher)
  }

  layer(direction: TapEvent['direction']): Layer {
    return (inner) => (exchange) => {
      if (this.#watchers.size > 0) this.#observe(exchange, direction)
      inner(exchange)
    }
  }

  #observe(exchange: Exchange, direction: TapEvent['direction']): void {
    const { request, connection } = exchange
    const atMs = this.#clock.now()
    const { method, authority, path } = request
    const wanted = [...this.#watchers].filter(({ filter }) => matches(filter, { method, authority, path, identity: connection.tls?.peer }))
    if (wanted.length === 0) return
    const headers = wanted.some(({ filter }) => filter.headers) ? visibleHeaders(exchange) : undefined
    const { address, port } = connection.original ?? connection.local
    exchange.onEnd((summary) => {
      const event: TapEvent = {
        atMs,
        direction,
        source: { address: connection.remote.address, ...(connection.tls?.peer === undefined ? {} : { identity: connection.tls.peer }) },
        destination: `${address}:${port}`,
        method,
        authority,
        path,
        protocol: connection.protocol,
        ...summaryOf(summary),
      }
      for (const watcher of wanted) this.#show(watcher, headers && watcher.filter.headers ? { ...event, requestHeaders: headers } : event)
    })
  }

  #show(watcher: Watcher, event: TapEvent): void {
    if (!this.#watchers.has(watcher) || (event.status ?? 0) < (watcher.filter.minStatus ?? 0)) return
    const second = Math.floor(this.#clock.monotonic() / 1000)
    if (second !== this.#second) {
      this.#second = second
      for (const each of this.#watchers) each.budget = PER_SECOND
    }
    if (watcher.budget-- > 0) watcher.show(event)
    else this.skipped++
  }
}

function matches(
  filter: TapFilter,
  request: { readonly method: string; readonly authority: string; readonly path: string; readonly identity: string | undefined },
): boolean {
  if (filter.method !== undefined && filter.method !== request.method) return false
  if (filter.pathPrefix !== undefined && !request.path.startsWith(filter.pathPrefix)) return false
  if (filter.authority !== undefined && filter.authority !== request.authority.replace(/:\d+$/, '')) return false
  return filter.identity === undefined || filter.identity === request.identity
}

function summaryOf(
  summary: ExchangeSummary,
): Pick<TapEvent, 'status' | 'grpcStatus' | 'flags' | 'details' | 'durationMs' | 'bytesReceived' | 'bytesSent'> {
  const { status, grpcStatus, flags, details, durationMs, bytesReceived, bytesSent } = summary
  return {
    ...(status === undefined ? {} : { status }),
    ...(grpcStatus === undefined ? {} : { grpcStatus }),
    flags: [...flags],
    details,
    durationMs,
    bytesReceived,
    bytesSent,
  }
}

function visibleHeaders({ request }: Exchange): Readonly<Record<string, string>> {
  const shown: Record<string, string> = {}
  request.headers.forEach((name, value) => (shown[name] = SECRET.test(name) ? '<hidden>' : value))
  return shown
}
