/**
 * What a request passes through on its way. `http-stack` lists the layers with the reason for the place of each; every layer is a file.
 *
 *   http-stack       all of it, compiled once for each configuration
 *   request-state    what layers tell each other about one exchange
 *   begin            counts, response headers, access log
 *   request-headers  request id, forwarded-for, client certificates
 *   timeouts, cors, access (rbac), rate-limit, fault, changes, mirror
 *   router           cluster by weight; upstream-try: endpoint, failures, retries by retry-policy; session
 *
 * Connections that are not HTTP are judged by `createConnectionJudge` of access.
 */
export { createConnectionJudge, peerOf, type ConnectionVerdict } from './access.ts'
export { buildHttpStack, stack, type HttpStackDeps } from './http-stack.ts'
export type { MirrorRequest, StartMirror } from './mirror.ts'
export { stateOf, type RequestState } from './request-state.ts'
