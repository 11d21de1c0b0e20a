import type { BackendTLSPolicy, PolicyAncestorStatus } from '../../../api/gateway.networking.k8s.io/v1/backend-tls-policy.ts'
import { GATEWAY_GROUP } from '../../../api/gateway.networking.k8s.io/v1/references.ts'
import { GATEWAY_CONTROLLER, type BackendTlsJudgement, type TranslatedGatewayApi } from '../../../policy/traffic/gateway-api/index.ts'
import type { StatusSources } from './plan-status.ts'
import { conditionOf, withConditions } from './status-conditions.ts'

/** Ancestors that a status may have. Source: GEP-713. */
const MAX_ANCESTORS = 16

/** Status of a BackendTLSPolicy: an entry for each gateway of ours from which a route leads to a target. */
export function planPolicyStatus(
  { policy, accepted, resolvedRefs }: BackendTlsJudgement,
  translated: TranslatedGatewayApi,
  sources: StatusSources,
): BackendTLSPolicy['status'] {
  const previous = policy.status?.ancestors ?? []
  const foreign = previous.filter(({ controllerName }) => controllerName !== GATEWAY_CONTROLLER)
  const own = gatewaysOf(policy, translated).map((ancestor): PolicyAncestorStatus => {
    const old = previous.find(
      ({ controllerName, ancestorRef }) =>
        controllerName === GATEWAY_CONTROLLER && ancestorRef.name === ancestor.name && ancestorRef.namespace === ancestor.namespace,
    )
    return {
      ancestorRef: { group: GATEWAY_GROUP, kind: 'Gateway', ...ancestor },
      controllerName: GATEWAY_CONTROLLER,
      conditions: withConditions(
        old?.conditions,
        [
          conditionOf('Accepted', accepted, { reason: 'Accepted', message: 'The policy is carried out' }),
          conditionOf('ResolvedRefs', resolvedRefs, { reason: 'ResolvedRefs', message: 'All references are there' }),
        ],
        policy.metadata.generation,
        sources.now,
      ),
    }
  })
  if (own.length === 0 && previous.length === 0) return policy.status
  return { ...policy.status, ancestors: [...foreign, ...own].slice(0, MAX_ANCESTORS) }
}

function gatewaysOf({ metadata, spec }: BackendTLSPolicy, { routes }: TranslatedGatewayApi): { namespace: string; name: string }[] {
  const targets = new Set(spec.targetRefs.filter(({ group, kind }) => group === '' && kind === 'Service').map(({ name }) => name))
  const found = new Map<string, { namespace: string; name: string }>()
  for (const { parents, rules } of routes) {
    const leads = rules.some(({ backends, mirrors = [] }) =>
      [...backends, ...mirrors.map(({ backend }) => backend)].some(
        ({ kind, namespace, name }) => kind === 'Service' && namespace === metadata.namespace && targets.has(name),
      ),
    )
    if (!leads) continue
    for (const parent of parents) {
      if (parent.type === 'gateway') found.set(`${parent.namespace}/${parent.name}`, { namespace: parent.namespace, name: parent.name })
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, gateway]) => gateway)
}
