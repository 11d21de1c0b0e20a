import { randomUUID } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import type { KindDefinition } from '../../api/kind.ts'
import type { Pod } from '../../api/generated/types.ts'
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { Metrics } from '../../base/metrics.ts'
import type { Transport } from '../../client/transport.ts'
import { NODE_LINK_PATH, NODE_LINK_PROTOCOL } from '../../protocols/node-link.ts'
import { createAuthenticator, type AuthenticatorOptions } from './authn/authenticator.ts'
import { createAuthorizer, isPublicPath } from './authz/authorizer.ts'
import { requestInfo } from './authz/request-info.ts'
import { createReviews } from './authz/reviews.ts'
import type { Authorizer, Handler, UserInfo } from './contract.ts'
import { createDefinitionsHandler, definitionsKind } from './discovery/definitions-handler.ts'
import { createDiscoveryHandler } from './discovery/discovery-handler.ts'
import { createRequestMetrics } from './handlers/request-metrics.ts'
import { createHealthHandler, type HealthCheck } from './health/health-handler.ts'
import { HttpsServer, type HttpLimits, type ServingCertificate } from './http/https-server.ts'
import { createInFlight } from './http/in-flight.ts'
import { createPipeline } from './http/pipeline.ts'
import { createRouter } from './http/routes.ts'
import { acceptLink, type LinkKind } from './link/accept-link.ts'
import { createExecUpgrade, isExec } from './link/exec-upgrade.ts'
import { createLogHandler } from './link/log-handler.ts'
import { createNodeProxyHandler } from './link/node-proxy-handler.ts'
import { createNodeLinks, type NodeLinks } from './link/node-links.ts'
import { createOpenApiHandler } from './openapi-endpoint/openapi-handler.ts'
import { inProcessTransport } from './transport/in-process.ts'

export interface ApiServerOptions {
  /** Answers every request for a stored resource and its subresources, `pods/log` apart. Already authorized; route by `request.info`. */
  readonly resources: Handler
  /** What is served now. The same array means that nothing has changed. */
  readonly kinds: () => readonly KindDefinition[]
  /** Absent where the server is only used in-process. */
  readonly certificate?: ServingCertificate
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
  /** Tokens that are believed besides client certificates. */
  readonly authentication?: Omit<AuthenticatorOptions, 'clock'>
  /** Default: the built-in roles. */
  readonly authorizer?: Authorizer
  /** What a node may read follows from its pods. Default: lists them through `resources`; pass an informer's index where there is one. */
  readonly podsOfNode?: (node: string) => Promise<readonly Pod[]> | readonly Pod[]
  /** Secrets (`namespace/name`) that the routers of nodes may read. Default: none. */
  readonly peerSecrets?: () => ReadonlySet<string>
  /** See NodeAccess. */
  readonly nodesSeeAllPods?: boolean
  /** What must be well before `/readyz` says so, besides not shutting down. */
  readonly readiness?: readonly HealthCheck[]
  readonly liveness?: readonly HealthCheck[]
  /** What else is served, by the first segment of its paths; for users who may `get` or `post` such a path. */
  readonly paths?: Readonly<Record<string, Handler>>
  /** What else nodes may open besides the node link. */
  readonly links?: readonly LinkKind[]
  readonly limits?: HttpLimits
  /** Default 400 and 200 at once. */
  readonly inFlight?: { readonly maxReadOnly?: number; readonly maxMutating?: number }
}

export interface ApiServer {
  /** Listens; `port` 0 picks a free one. @returns where */
  start(host: string, port: number): Promise<AddressInfo>
  /** The whole server without its sockets: paths are checked, users authorized. */
  readonly handler: Handler
  /** A client's way in without sockets. */
  inProcess(user: UserInfo): Transport
  readonly links: NodeLinks
  /** Says so in `/readyz`, ends watches, lets requests finish for `graceMs` (default 10,000), closes every connection. */
  stop(options?: { readonly graceMs?: number }): Promise<void>
}

/** The user that the control plane's own components act as. */
export const LOOPBACK_USER: UserInfo = { name: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] }

/** The API server around a resource handler. Does no I/O until `start`. */
export function createApiServer(options: ApiServerOptions): ApiServer {
  const { clock, log, metrics } = options
  const state = { stopping: false, address: '127.0.0.1:443' }
  const authenticator = createAuthenticator({ clock, ...options.authentication })
  const authorizer =
    options.authorizer ??
    createAuthorizer({
      podsOfNode: options.podsOfNode ?? podsThrough(options.resources),
      ...(options.peerSecrets ? { peerSecrets: options.peerSecrets } : {}),
      seesAllPods: options.nodesSeeAllPods ?? false,
    })
  const links = createNodeLinks({ clock, log, metrics })
  const notStopping: HealthCheck = {
    name: 'shutdown',
    check: () => (state.stopping ? Promise.reject(new Error('the server is shutting down')) : Promise.resolve()),
  }
  const router = createRouter({
    health: createHealthHandler({ readiness: [...(options.readiness ?? []), notStopping], liveness: options.liveness ?? [], log }),
    discovery: createDiscoveryHandler({ kinds: withDefinitions(options.kinds), serverAddress: () => state.address }),
    openapi: createOpenApiHandler(options.kinds),
    reviews: createReviews(authorizer, authenticator),
    nodeProxy: createNodeProxyHandler({ links, getNode: getNodeThrough(options.resources) }),
    logs: createLogHandler({ links, getPod: getPodThrough(options.resources) }),
    definitions: createDefinitionsHandler(options.kinds),
    resources: options.resources,
    metrics,
    ...(options.paths ? { more: options.paths } : {}),
  })
  const handler = createPipeline({
    authorizer,
    clock,
    log,
    route: (request) => router.route(request),
    countsItself: (info) => router.isStored(info),
    metrics: createRequestMetrics(metrics, clock),
  })
  const acceptExec = createExecUpgrade({ links, authorizer, getPod: getPodThrough(options.resources), clock, log })
  const acceptNode = acceptLink([
    { path: NODE_LINK_PATH, protocol: NODE_LINK_PROTOCOL, attach: (node, socket) => links.attach(node, socket) },
    ...(options.links ?? []),
  ])
  const https =
    options.certificate &&
    new HttpsServer({
      handler,
      authenticator,
      isPublic: isPublicPath,
      inFlight: createInFlight({ ...options.inFlight, metrics }),
      clock,
      log,
      auditId: randomUUID,
      certificate: options.certificate,
      limits: options.limits ?? {},
      upgrade: (head, socket, first) => (isExec(head.info) ? acceptExec : acceptNode)(head, socket, first),
    })
  return {
    handler,
    links,
    inProcess: (user) => inProcessTransport(handler, user),
    async start(host, port) {
      if (!https) throw new Error('the API server has no certificate to listen with')
      const address = await https.listen(host, port)
      state.address = `${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`
      return address
    },
    async stop({ graceMs = 10_000 } = {}) {
      state.stopping = true
      await https?.close(graceMs)
      links.close()
    },
  }
}

function getPodThrough(resources: Handler): (namespace: string, name: string) => Promise<Pod> {
  return async (namespace, name) => {
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}`
    return (await inProcessTransport(withInfo(resources), LOOPBACK_USER).send({ method: 'GET', path })).object() as Promise<Pod>
  }
}

function getNodeThrough(resources: Handler): (name: string) => Promise<unknown> {
  return async (name) => {
    const path = `/api/v1/nodes/${encodeURIComponent(name)}`
    return (await inProcessTransport(withInfo(resources), LOOPBACK_USER).send({ method: 'GET', path })).object()
  }
}

function podsThrough(resources: Handler): (node: string) => Promise<readonly Pod[]> {
  return async (node) => {
    const query = { fieldSelector: `spec.nodeName=${node}` }
    const answer = await inProcessTransport(withInfo(resources), LOOPBACK_USER).send({ method: 'GET', path: '/api/v1/pods', query })
    return ((await answer.object()) as { items: Pod[] }).items
  }
}

/** What discovery names besides what is stored. The same array comes of the same array. */
function withDefinitions(kinds: () => readonly KindDefinition[]): () => readonly KindDefinition[] {
  let known: readonly KindDefinition[] = []
  let all: readonly KindDefinition[] = []
  return () => {
    if (kinds() !== known) {
      known = kinds()
      all = [...known, definitionsKind]
    }
    return all
  }
}

/** The resource handler wants to be told what the path means. */
function withInfo(resources: Handler): Handler {
  return (request) => resources({ ...request, info: requestInfo(request) })
}
