import { StatusError } from '../../../base/errors.ts'
import type { Metrics } from '../../../base/metrics.ts'
import type { Reviews } from '../authz/reviews.ts'
import { isDefinition } from '../discovery/definitions-handler.ts'
import type { Handler, RequestInfo, ServerResponse } from '../contract.ts'
import { answerVersion } from '../health/version.ts'
import type { RoutedRequest } from './pipeline.ts'

/** Who answers what. */
export interface Routes {
  /** `/healthz`, `/livez`, `/readyz` and below. */
  readonly health: Handler
  /** `/api` and `/apis` down to a group version. */
  readonly discovery: Handler
  /** `/openapi/v2`, `/openapi/v3` and below. */
  readonly openapi: Handler
  readonly reviews: Reviews
  /** `GET .../pods/<name>/log`. */
  readonly logs: Handler
  /** `.../nodes/<name>/proxy/...`. */
  readonly nodeProxy: Handler
  /** CustomResourceDefinitions. */
  readonly definitions: Handler
  /** Every other resource. */
  readonly resources: Handler
  readonly metrics: Metrics
  /** What else is served, by the first segment of its paths. */
  readonly more?: Readonly<Record<string, Handler>>
}

export interface Router {
  route(request: RoutedRequest): Promise<ServerResponse>
  /** Whether `resources` answers this. */
  isStored(info: RequestInfo): boolean
}

/** Picks the handler; what nobody answers is 404, as upstream has it for authorized users. */
export function createRouter(routes: Routes): Router {
  const roots = new Map<string, Handler>([
    ['healthz', routes.health],
    ['livez', routes.health],
    ['readyz', routes.health],
    ['api', routes.discovery],
    ['apis', routes.discovery],
    ['metrics', exactly('/metrics', () => answerMetrics(routes.metrics))],
    ['version', exactly('/version', answerVersion)],
    ...Object.entries(routes.more ?? {}),
  ])
  const isStored = (info: RequestInfo): boolean =>
    info.isResourceRequest && !routes.reviews.serves(info) && !isLog(info) && !isNodeProxy(info) && !isDefinition(info)
  return {
    isStored,
    route(request) {
      const { info } = request
      if (isStored(info)) return routes.resources(request)
      if (isNodeProxy(info)) return routes.nodeProxy(request)
      if (isDefinition(info)) return routes.definitions(request)
      if (info.isResourceRequest) return isLog(info) ? routes.logs(request) : routes.reviews.answer(request, info)
      if (/^\/openapi\/(?:v2$|v3(?:\/|$))/.test(request.path)) return routes.openapi(request)
      const handler = roots.get(request.path.split('/', 2)[1] ?? '')
      if (!handler) throw new StatusError('NotFound', 'the server could not find the requested resource')
      return handler(request)
    },
  }
}

function isLog(info: RequestInfo): boolean {
  return info.resource === 'pods' && info.group === '' && info.subresource === 'log'
}

function isNodeProxy(info: RequestInfo): boolean {
  const { resource, group, version, namespace, subresource } = info
  return resource === 'nodes' && group === '' && version === 'v1' && namespace === '' && subresource === 'proxy'
}

function exactly(path: string, answer: () => ServerResponse): Handler {
  return (request) => {
    if (request.path !== path) throw new StatusError('NotFound', 'the server could not find the requested resource')
    if (request.method !== 'GET') {
      throw new StatusError('MethodNotAllowed', 'the server does not allow this method on the requested resource')
    }
    return Promise.resolve(answer())
  }
}

function answerMetrics(metrics: Metrics): ServerResponse {
  const text = metrics.render()
  const headers = { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }
  return { status: 200, headers, body: { type: 'json', chunks: [Buffer.from(text)], parse: () => text } }
}
