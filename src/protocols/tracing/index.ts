/**
 * Traces on the wire: where a message belongs, and how finished spans are told.
 *
 *   trace-context   `traceparent` (W3C) and B3: read, written; random ids
 *   otlp            spans and log records in OTLP's JSON encoding, for `POST /v1/traces` and `/v1/logs`
 *   zipkin          spans as Zipkin takes them
 */
export { encodeLogs, encodeSpans, type LogRecord, type Span } from './otlp.ts'
export { formatTraceparent, parseB3, parseTraceparent, randomId, type TraceContext } from './trace-context.ts'
export { encodeZipkin } from './zipkin.ts'
