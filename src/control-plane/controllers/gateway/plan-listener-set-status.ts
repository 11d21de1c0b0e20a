import type { ListenerSet, ListenerSetStatus } from '../../../api/gateway.networking.k8s.io/v1/listener-set.ts'
import { isNamespaceAllowed, type ObjectIndex, type TranslatedGatewayApi } from '../../../policy/traffic/gateway-api/index.ts'
import { conditionOf, withConditions } from './status-conditions.ts'

/**
 * Status of a ListenerSet for a gateway of ours; undefined for others. Listeners of sets are not served here: a set says so, also where its gateway would
 * allow it, so that nobody waits for it. Source: GEP-1713.
 */
export function planListenerSetStatus(
  set: ListenerSet,
  { judgedGateways }: TranslatedGatewayApi,
  index: ObjectIndex,
  now: string,
): ListenerSetStatus | undefined {
  const own = set.metadata.namespace ?? ''
  const { kind = 'Gateway', namespace = own, name } = set.spec.parentRef
  const judged = kind === 'Gateway' ? judgedGateways.get(`${namespace}/${name}`) : undefined
  if (!judged) return undefined
  const allowed = isNamespaceAllowed(judged.gateway.spec.allowedListeners?.namespaces ?? { from: 'None' }, namespace, own, index)
  const problem = allowed
    ? { reason: 'Invalid', message: 'Listeners of ListenerSets are not served: write them into the Gateway' }
    : { reason: 'NotAllowed', message: `Gateway ${namespace}/${name} takes no listeners of namespace ${own}` }
  const good = { reason: 'Accepted', message: '' }
  const wanted = [conditionOf('Accepted', problem, good), conditionOf('Programmed', { ...problem, reason: 'Invalid' }, good)]
  return { ...set.status, conditions: withConditions(set.status?.conditions, wanted, set.metadata.generation, now) }
}
