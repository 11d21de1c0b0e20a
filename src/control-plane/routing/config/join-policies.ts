import type { RoutePolicy } from '../../../api/routing.biplane.dev/v1alpha1/route-policy.ts'
import type { RoutePolicyRule } from '../../../policy/route/route-policy.ts'
import type { PolicyConfig } from './routing-config.ts'

export interface JoinedPolicy {
  readonly policy?: PolicyConfig
  readonly problems: readonly string[]
}

/**
 * The policies of a peer in one direction as one: rules one after another, a policy's default action as a last rule. A policy that does not
 * exist rejects: nothing may pass because a name is wrong.
 */
export function joinPolicies(names: readonly string[] | undefined, policies: ReadonlyMap<string, RoutePolicy>): JoinedPolicy {
  if (!names || names.length === 0) return { problems: [] }
  const rules: RoutePolicyRule[] = []
  const problems: string[] = []
  for (const name of names) {
    const policy = policies.get(name)
    const prefix = names.length === 1 ? '' : `${name}/`
    if (!policy) {
      problems.push(`RoutePolicy "${name}" does not exist: routes that reach it are rejected`)
      rules.push({ name: `${prefix}missing`, action: 'Reject' })
      break
    }
    for (const rule of policy.spec.rules ?? []) rules.push({ ...rule, name: `${prefix}${rule.name}` })
    if (policy.spec.defaultAction) {
      rules.push({ name: `${prefix}default`, action: policy.spec.defaultAction })
      break
    }
  }
  return { policy: { name: names.join('+'), spec: { rules, defaultAction: 'Reject' } }, problems }
}
