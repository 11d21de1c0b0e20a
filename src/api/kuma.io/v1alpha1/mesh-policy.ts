import { defineKind, type KindDefinition } from '../../kind.ts'
import { collectErrors } from '../../validation/field-errors.ts'
import { targetCell } from './cells.ts'
import { policyDeprecations } from './deprecations.ts'
import type { KumaPolicy } from './kuma-object.ts'
import { checkPolicy } from './policy-checks.ts'
import { POLICY_FRAMES } from './policy-frames.ts'

const policy = (kind: string, plural = `${kind.toLowerCase()}s`): KindDefinition<KumaPolicy> =>
  defineKind<KumaPolicy>({
    group: 'kuma.io',
    version: 'v1alpha1',
    kind,
    plural,
    namespaced: true,
    schema: `io.kuma.v1alpha1.${kind}`,
    status: true,
    columns: [{ name: 'TargetRef', type: 'string', description: 'Whose proxies.', value: ({ spec }) => targetCell(spec?.targetRef) }],
    strategy: {
      validate: ({ spec }) => collectErrors((errors) => checkPolicy(errors, spec ?? {}, POLICY_FRAMES[kind]!)),
      warnings: policyDeprecations,
    },
  })

/** Policies of Kuma that have the common frame; the routes stand in mesh-route.ts. */
export const meshPolicies: readonly KindDefinition<KumaPolicy>[] = [
  policy('MeshTrafficPermission'),
  policy('MeshTLS', 'meshtlses'),
  policy('MeshTimeout'),
  policy('MeshRetry', 'meshretries'),
  policy('MeshCircuitBreaker'),
  policy('MeshHealthCheck'),
  policy('MeshRateLimit'),
  policy('MeshFaultInjection'),
  policy('MeshLoadBalancingStrategy', 'meshloadbalancingstrategies'),
  policy('MeshAccessLog'),
  policy('MeshMetric'),
  policy('MeshTrace'),
  policy('MeshPassthrough'),
  policy('MeshProxyPatch', 'meshproxypatches'),
]
