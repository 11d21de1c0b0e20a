import type { Random } from '../../../base/backoff.ts'
import type { Clock } from '../../../base/clock.ts'
import { isStatus } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import type { Metrics } from '../../../base/metrics.ts'
import type { KindDefinition } from '../../../api/kind.ts'
import type { Store } from '../../store/contract.ts'
import type { Authorizer, Handler, RequestInfo, ServerRequest, ServerResponse } from '../contract.ts'
import {
  createNamespaceGate,
  createResourceTable,
  fromStoreError,
  instrumentStore,
  LeaseBundles,
  methodNotAllowed,
  qualified,
  unauthorizedAccess,
  unknownResource,
  WatchHub,
  type AdmissionPlugin,
  type Resource,
  type ResourceTable,
} from '../registry/index.ts'
import { withWarnings, type Call, type HandlerContext } from './call.ts'
import { deleteCollectionHandler, deleteHandler } from './delete-handlers.ts'
import { patchHandler } from './patch-handler.ts'
import { firstOf, refuseUnknown } from './query-options.ts'
import { getHandler, listHandler } from './read-handlers.ts'
import { parseRequestInfo } from './request-info.ts'
import { createRequestMetrics } from './request-metrics.ts'
import { countStorageObjects } from './storage-metrics.ts'
import { subresourceHandler } from './subresources.ts'
import { watchHandler } from './watch-handler.ts'
import { createHandler, updateHandler } from './write-handlers.ts'

export interface ResourceHandlerDeps {
  readonly store: Store
  readonly kinds: readonly KindDefinition[]
  readonly clock: Clock
  /** For generated names and for spreading the ends of watches. */
  readonly random: Random
  /** A random UUID. */
  readonly uuid: () => string
  readonly log: Logger
  readonly metrics: Metrics
  /** Absent: whoever gets here may do what they ask (the shell has authorized). */
  readonly authorizer?: Authorizer
  /** In the order in which they run. */
  readonly admission?: readonly AdmissionPlugin[]
  /**
   * Handlers of what is not stored, by `<plural>[.<group>]/<subresource>` (`pods/log`, `serviceaccounts/token`), or
   * without the second part for a whole resource (`selfsubjectaccessreviews.authorization.k8s.io`).
   */
  readonly subresources?: Readonly<Record<string, Handler>>
}

export interface ResourceHandler {
  /** Answers every path below `/api/<version>/` and `/apis/<group>/<version>/`. */
  readonly handle: Handler
  /** What is served; kinds may be added and removed at any time. */
  readonly resources: ResourceTable
  /** Ends all watches. */
  close(): Promise<void>
}

/** The API server without its HTTP: paths in, objects and streams out, everything kept in `store`. */
export function createResourceHandler(deps: ResourceHandlerDeps): ResourceHandler {
  const { clock, log, random, uuid } = deps
  const store = instrumentStore(deps.store, deps.metrics, clock)
  const resources = createResourceTable(deps.kinds)
  const hubs = new Map<Resource, WatchHub>()
  const context: HandlerContext = {
    store,
    clock,
    random,
    uuid,
    log,
    resources,
    admission: deps.admission ?? [],
    leases: new LeaseBundles(store.leases, clock),
    namespaces: createNamespaceGate(store, resources.find('', 'v1', 'namespaces')),
    metrics: createRequestMetrics(deps.metrics, clock),
    subresources: deps.subresources ?? {},
    hubOf: (resource) => {
      let hub = hubs.get(resource)
      if (!hub) hubs.set(resource, (hub = new WatchHub({ store, resource, clock, log })))
      return hub
    },
  }
  const counting = countStorageObjects(deps.metrics, store, resources)
  return {
    handle: (request) => handle(context, deps.authorizer, request),
    resources,
    async close() {
      await Promise.all([...hubs.values()].map((hub) => hub.close()))
      await counting.close()
    },
  }
}

async function handle(context: HandlerContext, authorizer: Authorizer | undefined, request: ServerRequest): Promise<ServerResponse> {
  const info = parseRequestInfo(request)
  const startMs = context.clock.monotonic()
  const dryRun = firstOf(request.query, 'dryRun') === 'All'
  try {
    const response = await route(context, authorizer, { request, info })
    context.metrics.record(info, { code: response.status, dryRun, startMs })
    return response
  } catch (thrown) {
    const error = fromStoreError(thrown)
    // names that nobody serves are not labels
    if (context.resources.find(info.group, info.version, info.resource)) {
      context.metrics.record(info, { code: isStatus(error) ? error.code : 500, dryRun, startMs })
    }
    throw error
  }
}

interface Incoming {
  readonly request: ServerRequest
  readonly info: RequestInfo
}

async function route(context: HandlerContext, authorizer: Authorizer | undefined, incoming: Incoming): Promise<ServerResponse> {
  const { request, info } = incoming
  if (!info.isResourceRequest) throw unknownResource()
  if (authorizer) {
    const { allowed, reason } = await authorizer.authorize(request.user, info)
    if (!allowed) throw unauthorizedAccess(request.user, info, reason)
  }
  const hook = context.subresources[hookKey(info)]
  if (hook) return hook(request)
  const resource = context.resources.find(info.group, info.version, info.resource)
  const call = resource ? callOf(context, incoming, resource) : bindingCall(context, incoming)
  const response = await (call.info.subresource === '' ? mainHandler(call) : subresourceHandler(call))
  return withWarnings(response, call.warnings)
}

function hookKey(info: RequestInfo): string {
  const name = qualified({ group: info.group, plural: info.resource })
  return info.subresource === '' ? name : `${name}/${info.subresource}`
}

/** @throws {StatusError} `NotFound` where the path puts a resource inside or outside of a namespace where it is not */
function callOf(context: HandlerContext, incoming: Incoming, resource: Resource): Call {
  const { request, info } = incoming
  const { namespaced } = resource.kind
  const isNamespace = info.group === '' && info.resource === 'namespaces'
  if (!namespaced && info.namespace !== '' && !isNamespace) throw unknownResource()
  if (namespaced && info.namespace === '' && !ACROSS_NAMESPACES.has(info.verb)) {
    throw info.verb === 'create' || info.verb === 'deletecollection' ? methodNotAllowed() : unknownResource()
  }
  const namespace = namespaced ? info.namespace : ''
  return { context, request, info, resource, namespace, name: info.name, warnings: [] }
}

const ACROSS_NAMESPACES = new Set(['list', 'watch'])

/** `POST /api/v1/namespaces/x/bindings` is the old way to say `pods/<name>/binding`. */
function bindingCall(context: HandlerContext, incoming: Incoming): Call {
  const { info } = incoming
  const pods = context.resources.find('', 'v1', 'pods')
  if (!pods || info.group !== '' || info.resource !== 'bindings' || info.subresource !== '' || info.verb !== 'create')
    throw unknownResource()
  return callOf(context, { ...incoming, info: { ...info, resource: 'pods', subresource: 'binding', name: '' } }, pods)
}

const HANDLERS: Readonly<Record<string, (call: Call) => Promise<ServerResponse>>> = {
  get: getHandler,
  list: listHandler,
  watch: watchHandler,
  create: createHandler,
  update: updateHandler,
  patch: patchHandler,
  delete: deleteHandler,
  deletecollection: deleteCollectionHandler,
}

function mainHandler(call: Call): Promise<ServerResponse> {
  const { verb, name } = call.info
  const { verbs } = call.resource.kind
  const handler = HANDLERS[verb]
  // a POST names its object in the body, a PUT or PATCH in the path
  const misplaced = verb === 'create' ? name !== '' : (verb === 'update' || verb === 'patch') && name === ''
  if (!handler || misplaced || (verbs && !verbs.includes(verb))) throw methodNotAllowed()
  refuseUnknown(verb, call.request.query)
  return handler(call)
}
