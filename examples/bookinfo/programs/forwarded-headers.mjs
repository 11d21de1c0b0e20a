// Headers that a service passes on, so that a mesh can trace a request and tell users apart.
const TRACING = ['x-request-id', 'x-ot-span-context', 'traceparent', 'tracestate', 'b3', 'x-b3-traceid', 'x-b3-spanid', 'x-b3-parentspanid']
const SAMPLING = ['x-b3-sampled', 'x-b3-flags', 'x-cloud-trace-context', 'grpc-trace-bin', 'x-datadog-trace-id', 'x-datadog-parent-id']
const ROUTING = ['end-user', 'user-agent', 'cookie', 'authorization', 'jwt']

export function forwardedHeaders(request) {
  const headers = {}
  for (const name of [...TRACING, ...SAMPLING, ...ROUTING]) {
    if (request.headers[name] !== undefined) headers[name] = request.headers[name]
  }
  return headers
}
