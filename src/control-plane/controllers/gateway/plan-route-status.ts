import type { RouteParentStatus, RouteStatus, ParentReference } from '../../../api/gateway.networking.k8s.io/v1/references.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import { deepEqual } from '../../../api/meta/equality.ts'
import { GATEWAY_CONTROLLER, type RouteJudgement } from '../../../policy/traffic/gateway-api/index.ts'
import type { StatusSources } from './plan-status.ts'
import { conditionOf, withConditions } from './status-conditions.ts'

/** Status of a route: an entry for each parent that is ours, entries of other controllers as they are. Undefined: nothing to say, and nothing was said. */
export function planRouteStatus(
  kind: string,
  route: KubeObject & { status?: RouteStatus | undefined },
  judgement: RouteJudgement | undefined,
  sources: StatusSources,
): RouteStatus | undefined {
  const previous = route.status?.parents ?? []
  const foreign = previous.filter(({ controllerName }) => controllerName !== GATEWAY_CONTROLLER)
  if (!judgement && foreign.length === previous.length) return undefined
  const answer = judgement && sources.programmed(kind, route)
  const own = (judgement?.parents ?? []).map(({ parentRef, accepted }): RouteParentStatus => {
    const old = previous.find((one) => one.controllerName === GATEWAY_CONTROLLER && sameParent(one.parentRef, parentRef))
    const pending = accepted
      ? { reason: 'Invalid', message: accepted.message }
      : answer?.ok
        ? undefined
        : { reason: 'Pending', message: answer?.message ?? '' }
    return {
      parentRef,
      controllerName: GATEWAY_CONTROLLER,
      conditions: withConditions(
        old?.conditions,
        [
          conditionOf('Accepted', accepted, { reason: 'Accepted', message: 'The route is attached' }),
          conditionOf('ResolvedRefs', judgement?.resolvedRefs, { reason: 'ResolvedRefs', message: 'All references are there' }),
          conditionOf('Programmed', pending, { reason: 'Programmed', message: 'Proxies carry out the route' }),
        ],
        route.metadata.generation,
        sources.now,
      ),
    }
  })
  return { ...route.status, parents: [...foreign, ...own] }
}

const sameParent = (a: ParentReference, b: ParentReference): boolean => deepEqual(a, b)
