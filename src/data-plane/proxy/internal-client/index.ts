/**
 * Requests that nobody sent: the proxy's own, through its clusters and the engine's pools.
 *
 *   internal-client   calls over HTTP and gRPC, with a deadline and bounds on the answer
 *     internal-call   one request to one endpoint
 *   start-mirror      copies of requests; what comes back is thrown away
 *   fetch-text        documents: key sets
 *   probe             active health checks over HTTP, gRPC and TCP
 */
export { createFetchText } from './fetch-text.ts'
export { InternalCallError, type InternalAnswer, type InternalRequest } from './internal-call.ts'
export { createInternalClient, type CallOptions, type GrpcCall, type InternalClient, type PendingCall } from './internal-client.ts'
export { createProbe, type ProbeParts } from './probe.ts'
export { createStartMirror } from './start-mirror.ts'
