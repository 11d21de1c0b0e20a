import { removeCondition, setCondition } from '../../../api/conditions.ts'
import type { Condition } from '../../../api/generated/types.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import type { Finding } from '../../../policy/traffic/input/index.ts'
import { programmedOf, wasProgrammed, type ObjectFacts } from './programmed.ts'

/** A policy of the mesh, or a route of Kuma's. */
export type PolicyObject = KubeObject & { readonly status?: { readonly conditions?: readonly Condition[] | undefined } | undefined }

export interface PolicyObjectFacts extends ObjectFacts {
  readonly findings: readonly Finding[]
}

const MAX_MESSAGE = 2_000

/**
 * Conditions of a policy: `Accepted` (it can be carried out as it is written), `Programmed` (it is), and `Conflicted` and `Shadowed` where something of it has no
 * effect. Conditions of others stay. The same array as in the status: there is nothing to write.
 * @param now RFC 3339
 */
export function planConditions(object: PolicyObject, facts: PolicyObjectFacts, now: string): readonly Condition[] {
  let conditions: readonly Condition[] = object.status?.conditions ?? []
  const set = (type: string, ok: boolean, reason: string, message: string): void => {
    const { generation } = object.metadata
    const condition = {
      type,
      status: ok ? 'True' : 'False',
      reason,
      message,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
    }
    conditions = setCondition<Condition>(conditions, condition as Condition, now)
  }
  // of what is not compiled yet nobody knows, and what was found is about what it was before
  if (facts.pending === undefined) {
    const invalid = facts.findings.filter(({ type, reason }) => type === 'Invalid' && reason !== 'Quarantined')
    const [first] = invalid
    if (first) set('Accepted', false, first.reason, textOf(invalid))
    else set('Accepted', true, 'Accepted', 'It can be carried out')
    const programmed = programmedOf(facts, wasProgrammed(object))
    if (first) set('Programmed', false, 'Invalid', 'It cannot be carried out as it is written')
    else set('Programmed', programmed.ok, programmed.reason, programmed.message)
    for (const type of ['Conflicted', 'Shadowed'] as const) {
      const found = facts.findings.filter((finding) => finding.type === type)
      const [one] = found
      if (one) set(type, true, one.reason, textOf(found))
      else conditions = removeCondition(conditions, type)
    }
    return conditions
  }
  set('Programmed', false, 'Pending', facts.pending)
  return conditions
}

function textOf(findings: readonly Finding[]): string {
  const text = [...new Set(findings.map(({ message }) => message))].sort().join('; ')
  return text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}...` : text
}
