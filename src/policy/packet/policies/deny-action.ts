import type { DenyAction } from './packet-policy.ts'

/** On a policy, or on a namespace for all of its NetworkPolicies: `Drop` (silence) or `Reject` (an answer at once). */
export const DENY_ACTION_ANNOTATION = 'biplane.dev/deny-action'

/** What the annotations of an object ask for; undefined when nothing, or nothing known. */
export function annotatedDenyAction(annotations: Readonly<Record<string, string>> | undefined): DenyAction | undefined {
  const value = annotations?.[DENY_ACTION_ANNOTATION]
  return value === 'Drop' || value === 'Reject' ? value : undefined
}
