import type { Span } from './otlp.ts'

/** Body of `POST /api/v2/spans`. Source: Zipkin API v2. */
export function encodeZipkin(service: string, spans: readonly Span[]): string {
  return JSON.stringify(
    spans.map((span) => ({
      traceId: span.traceId,
      id: span.spanId,
      ...(span.parentSpanId === undefined ? {} : { parentId: span.parentSpanId }),
      name: span.name,
      kind: span.kind.toUpperCase(),
      timestamp: Math.round(span.startMs * 1000),
      duration: Math.max(1, Math.round((span.endMs - span.startMs) * 1000)),
      localEndpoint: { serviceName: service },
      tags: {
        ...Object.fromEntries(Object.entries(span.attributes).map(([name, value]) => [name, String(value)])),
        ...(span.error === undefined ? {} : { error: span.error }),
      },
    })),
  )
}
