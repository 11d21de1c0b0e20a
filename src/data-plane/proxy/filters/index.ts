/**
 * Filters that are more than a decision on the spot: they ask others, or tell others. Each gives a Layer for the stack.
 *
 *   jwt-layer        tokens of requests, verified (jwks-cache: keys of their issuers); claims: what is known by them
 *   tracing-layer    trace context and spans; span-exporter: their way to a collector
 *   tap              live view of requests
 */
export { claimsOf, claimTexts, setClaims, type Claims } from './claims.ts'
export { createJwtLayer } from './jwt-layer.ts'
export { openJwks, type FetchText, type JwksSource } from './jwks-cache.ts'
export { SpanExporter, type PostJson, type SpanExporterOptions } from './span-exporter.ts'
export { Tap, type TapEvent, type TapFilter } from './tap.ts'
export { createTracingLayer, type TracingLayerOptions } from './tracing-layer.ts'
