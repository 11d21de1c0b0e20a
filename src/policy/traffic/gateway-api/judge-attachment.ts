import { GATEWAY_GROUP, type FromNamespaces, type ParentReference } from '../../../api/gateway.networking.k8s.io/v1/references.ts'
import type { Gateway } from '../../../api/gateway.networking.k8s.io/v1/gateway.ts'
import { labelSelectorMatcher } from '../../../api/meta/selector.ts'
import type { RouteParent } from '../input/route.ts'
import type { Problem } from './gateway-objects.ts'
import { effectiveHostnames } from './hostnames.ts'
import type { ListenerJudgement } from './judge-listeners.ts'
import type { ObjectIndex } from './object-index.ts'

/** A gateway of ours, with what there is to say about its listeners. */
export interface JudgedGateway {
  readonly gateway: Gateway
  readonly listeners: readonly ListenerJudgement[]
}

/** Whether a route is taken at one of its parents. */
export interface ParentJudgement {
  readonly parentRef: ParentReference
  /** Absent: accepted. */
  readonly accepted?: Problem
  /** Where it is attached: a listener each, or the port of a service. */
  readonly parents: readonly RouteParent[]
}

export interface RouteShape {
  readonly kind: string
  readonly namespace: string
  readonly hostnames: readonly string[]
}

/**
 * Judges one parent of a route: undefined where the parent is not ours to judge (another controller's gateway, or one that does not exist).
 * Source: Gateway API, route attachment; GEP-1426 for services.
 */
export function judgeParent(
  route: RouteShape,
  parentRef: ParentReference,
  gateways: ReadonlyMap<string, JudgedGateway>,
  index: ObjectIndex,
): ParentJudgement | undefined {
  const { group = GATEWAY_GROUP, kind = 'Gateway', namespace = route.namespace, name } = parentRef
  if (group === '' && kind === 'Service') return judgeServiceParent(route, parentRef, namespace, index)
  if (group !== GATEWAY_GROUP || kind !== 'Gateway') return undefined
  const judged = gateways.get(`${namespace}/${name}`)
  return judged && judgeGatewayParent(route, parentRef, judged, index)
}

function judgeGatewayParent(
  route: RouteShape,
  parentRef: ParentReference,
  { gateway, listeners }: JudgedGateway,
  index: ObjectIndex,
): ParentJudgement {
  const refuse = (reason: string, message: string): ParentJudgement => ({ parentRef, accepted: { reason, message }, parents: [] })
  const { sectionName, port } = parentRef
  const own = gateway.metadata.namespace ?? ''
  const named = listeners.filter(({ listener }) => (!sectionName || listener.name === sectionName) && (!port || listener.port === port))
  if (named.length === 0) {
    const asked = [sectionName && `name ${sectionName}`, port && `port ${port}`].filter(Boolean).join(' and ')
    return refuse('NoMatchingParent', `Gateway ${own}/${gateway.metadata.name} has no listener with ${asked}`)
  }
  const allowed = named.filter(
    ({ supportedKinds, listener }) =>
      supportedKinds.some(({ kind }) => kind === route.kind) &&
      isNamespaceAllowed(listener.allowedRoutes?.namespaces, own, route.namespace, index),
  )
  if (allowed.length === 0) {
    return refuse('NotAllowedByListeners', `No listener takes routes of kind ${route.kind} from namespace ${route.namespace}`)
  }
  const fitting = allowed.filter(({ listener }) => effectiveHostnames(listener.hostname, route.hostnames).length > 0)
  if (fitting.length === 0) return refuse('NoMatchingListenerHostname', 'No hostname of the route is one of a listener')
  return {
    parentRef,
    parents: fitting.map(({ listener }) => ({ type: 'gateway', namespace: own, name: gateway.metadata.name, section: listener.name })),
  }
}

/** Whether routes of a namespace may attach to a listener of another. Default: only of the same. */
export function isNamespaceAllowed(namespaces: FromNamespaces | undefined, own: string, other: string, index: ObjectIndex): boolean {
  switch (namespaces?.from ?? 'Same') {
    case 'All':
      return true
    case 'Selector':
      return namespaces?.selector !== undefined && labelSelectorMatcher(namespaces.selector)(index.namespaceLabels(other))
    case 'Same':
      return own === other
    default:
      return false
  }
}

function judgeServiceParent(route: RouteShape, parentRef: ParentReference, namespace: string, index: ObjectIndex): ParentJudgement {
  const { name, sectionName, port: asked } = parentRef
  const refuse = (message: string): ParentJudgement => ({ parentRef, accepted: { reason: 'NoMatchingParent', message }, parents: [] })
  const service = index.service(namespace, name)
  if (!service) return refuse(`Service ${namespace}/${name} does not exist`)
  const ports = (service.spec?.ports ?? []).filter(
    (port) => (!asked || port.port === asked) && (!sectionName || port.name === sectionName) && (port.protocol ?? 'TCP') === 'TCP',
  )
  if (ports.length === 0) return refuse(`Service ${namespace}/${name} has no such TCP port`)
  // a route of another namespace changes only what its own clients see
  const consumers = namespace === route.namespace ? {} : { consumers: route.namespace }
  const numbers = asked || sectionName ? ports.map(({ port }) => ({ port })) : [{}]
  return { parentRef, parents: numbers.map((port) => ({ type: 'service', namespace, name, ...port, ...consumers })) }
}
