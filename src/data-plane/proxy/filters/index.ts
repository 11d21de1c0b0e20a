/**
 * Filters that are more than a decision on the spot: they ask others, tell others, or read bodies. Each gives a Layer for the stack.
 *
 *   create-filter-layer  all of them, as stacks and clusters want them
 *   jwt-layer        tokens of requests, verified (jwks-cache: keys of their issuers); claims: what is known by them
 *   ext-authz-layer  an authority's word on each request (ext-authz-http, ext-authz-grpc: how it is asked; authority-verdict: what it may change)
 *   grpc-json-layer  gRPC as JSON: transcoded-exchange for the layers further in, transcoded-endpoint for the engine
 *   tracing-layer    trace context and spans; span-exporter: their way to a collector (post-json)
 *   otlp-log-sink    access logs for a collector
 *   tap              live view of requests
 */
export { claimsOf, claimTexts, setClaims, type Claims } from './claims.ts'
export { createFilterLayers, type FilterLayerDeps, type FilterLayers } from './create-filter-layer.ts'
export { createExtAuthzLayer } from './ext-authz-layer.ts'
export { createGrpcJsonLayer } from './grpc-json-layer.ts'
export { createJwtLayer } from './jwt-layer.ts'
export { openJwks, type FetchText, type JwksSource } from './jwks-cache.ts'
export { openOtlpLogSink, otlpLogFormat, type OtlpLogSinkOptions } from './otlp-log-sink.ts'
export { postJson } from './post-json.ts'
export { SpanExporter, type PostJson, type SpanExporterOptions } from './span-exporter.ts'
export { Tap, type TapEvent, type TapFilter } from './tap.ts'
export { createTracingLayer, type TracingLayerOptions } from './tracing-layer.ts'
