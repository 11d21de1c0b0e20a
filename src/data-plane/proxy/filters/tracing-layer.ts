import type { Clock } from '../../../base/clock.ts'
import type { Tracing } from '../../../policy/traffic/model/index.ts'
import { formatTraceparent, parseB3, parseTraceparent, randomId, type Span, type TraceContext } from '../../../protocols/tracing/index.ts'
import type { Exchange, ExchangeSummary, Layer } from '../contract.ts'

export interface TracingLayerOptions {
  readonly tracing: Tracing
  /** Of this end: requests that come in, or go out. */
  readonly kind: Span['kind']
  readonly exporter: { add(span: Span): void }
  readonly clock: Clock
  /** 0 <= x < 1. */
  readonly random: () => number
}

/**
 * Continues the trace of a request, or begins one, and tells of the span when the exchange has ended. The application forwards `traceparent` (or B3, where
 * the client spoke that). What a client has decided about sampling holds.
 */
export function createTracingLayer(options: TracingLayerOptions): Layer {
  const { tracing, kind, exporter, clock, random } = options
  return (inner) => (exchange) => {
    const { headers } = exchange.request
    const incoming = parseTraceparent(headers.get('traceparent') ?? '') ?? parseB3((name) => headers.get(name))
    const sampled = isSampled(exchange, incoming, tracing, random)
    const context: TraceContext = { traceId: incoming?.traceId ?? randomId(16, random), spanId: randomId(8, random), sampled }
    headers.set('traceparent', formatTraceparent(context))
    if (headers.has('x-b3-traceid')) {
      headers.set('x-b3-spanid', context.spanId)
      if (incoming) headers.set('x-b3-parentspanid', incoming.spanId)
    }
    if (sampled) {
      const startMs = clock.now()
      const tags = tagsOf(exchange, tracing)
      const { method, path, authority } = exchange.request
      exchange.onEnd((summary) =>
        exporter.add({
          ...context,
          ...(incoming ? { parentSpanId: incoming.spanId } : {}),
          name: `${method} ${path.split('?')[0]}`.slice(0, 256),
          kind,
          startMs,
          endMs: startMs + summary.durationMs,
          attributes: {
            ...tags,
            ...attributesOf(exchange, summary),
            'http.request.method': method,
            'url.path': path.split('?')[0] as string,
            'server.address': authority,
          },
          ...(isError(summary, kind) ? { error: summary.details || `HTTP ${summary.status ?? 0}` } : {}),
        }),
      )
    }
    inner(exchange)
  }
}

/** Envoy's order: a client may force it, then chance, and never more than `overall`. */
function isSampled(exchange: Exchange, incoming: TraceContext | undefined, tracing: Tracing, random: () => number): boolean {
  if (incoming) return incoming.sampled
  const chance = (percentage: number): boolean => random() * 100 < percentage
  const asked = exchange.request.headers.has('x-client-trace-id') && chance(tracing.client)
  return (asked || chance(tracing.random)) && chance(tracing.overall)
}

function tagsOf(exchange: Exchange, tracing: Tracing): Record<string, string> {
  const tags: Record<string, string> = {}
  for (const { name, literal, header } of tracing.tags) {
    const value = literal ?? (header ? (exchange.request.headers.get(header.name) ?? header.default) : undefined)
    if (value !== undefined) tags[name] = value
  }
  return tags
}

function attributesOf(exchange: Exchange, summary: ExchangeSummary): Record<string, string | number> {
  const { remote, tls } = exchange.connection
  return {
    'client.address': remote.address,
    'http.request.body.size': summary.bytesReceived,
    'http.response.body.size': summary.bytesSent,
    response_flags: [...summary.flags].join(',') || '-',
    ...(summary.status === undefined ? {} : { 'http.response.status_code': summary.status }),
    ...(summary.grpcStatus === undefined ? {} : { 'rpc.grpc.status_code': summary.grpcStatus }),
    ...(tls?.peer === undefined ? {} : { 'peer.identity': tls.peer }),
  }
}

/** A server is not to blame for 4xx; a client that gets one is. Source: OpenTelemetry semantic conventions for HTTP spans. */
function isError(summary: ExchangeSummary, kind: Span['kind']): boolean {
  return summary.status === undefined || summary.status >= (kind === 'server' ? 500 : 400)
}
