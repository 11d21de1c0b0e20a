/**
 * The API server: the one door through which everything is read and written.
 *
 * A request comes in by http/ (TLS, limits, checks on the bytes) or by transport/ (a client in this process), and from there takes one way for both:
 *
 *   http/exchange     who sends it (authn/), is there room for it, its body
 *   http/pipeline     the one reading of its path (authz/request-info), may this user do this (authz/), metrics
 *   http/routes       health/, discovery/, openapi-endpoint/, reviews (authz/), logs over the node link (link/), or
 *   handlers/         resources: decode, admission, validation, one store transaction (registry/), encode
 *
 * Whoever refuses throws a StatusError; the shell turns it into a Status body. Watches and lists travel as bytes that are made once and shared by
 * all readers; http/response-writer gives them to slow clients with back-pressure, so that no client holds more than a block in memory.
 *
 * contract.ts is what these parts agree on. server.ts puts them together.
 */
export { createApiServer, LOOPBACK_USER, type ApiServer, type ApiServerOptions } from './server.ts'
export type {
  Authorizer,
  Decision,
  Handler,
  Payload,
  RequestInfo,
  ServerRequest,
  ServerResponse,
  ServerWatchEvent,
  UserInfo,
} from './contract.ts'
export { createAuthenticator, type Authenticator, type BootstrapToken, type StaticToken } from './authn/authenticator.ts'
export { parseTokenFile } from './authn/token-file.ts'
export { createAuthorizer, type AuthorizerOptions } from './authz/authorizer.ts'
export { nodeRestriction } from './authz/node-restriction.ts'
export { routingStatusRestriction } from './authz/routing-status-restriction.ts'
export { requestInfo } from './authz/request-info.ts'
export type { HealthCheck } from './health/health-handler.ts'
export { GIT_VERSION, versionInfo } from './health/version.ts'
export type { HttpLimits, ServingCertificate } from './http/https-server.ts'
export type { LinkRequest, LinkResponse, NodeLinks } from './link/node-links.ts'
export { inProcessTransport } from './transport/in-process.ts'
