import type { PoliciesAnswer, PolicyStatusView } from '../../../protocols/mesh-view.ts'
import { compareText } from '../../../policy/traffic/gateway-api/index.ts'
import type { Finding, MeshWorld } from '../../../policy/traffic/input/index.ts'
import { originName, type Origin } from '../../../policy/traffic/model/index.ts'
import type { OriginAcks } from '../xds/index.ts'

/** What is known of policies and routes besides the world. */
export interface PolicyFacts {
  readonly findings: readonly Finding[]
  /** How far an object has come. */
  acks(origin: Origin): OriginAcks
  /** Why it is not carried out for some kinds of client, where one has refused it. */
  quarantined(origin: Origin): readonly { readonly kind: string; readonly reason: string }[]
}

/** Policies and routes that somebody has written, by name, and how far each has come. Kinds that make neither are not among them unless there is a finding. */
export function policiesAnswer({ policies, routes }: Pick<MeshWorld, 'policies' | 'routes'>, facts: PolicyFacts): PoliciesAnswer {
  const origins = new Map<string, Origin>()
  const findings = new Map<string, Finding[]>()
  for (const { origin } of [...policies, ...routes]) if (origin.uid !== undefined) origins.set(originName(origin), origin)
  for (const finding of facts.findings) {
    const name = originName(finding.origin)
    if (!origins.has(name)) origins.set(name, finding.origin)
    const list = findings.get(name)
    if (list) list.push(finding)
    else findings.set(name, [finding])
  }
  return {
    policies: [...origins]
      .sort(([a], [b]) => compareText(a, b))
      .map(([name, origin]): PolicyStatusView => {
        const { total, acked, refused } = facts.acks(origin)
        const quarantined = facts.quarantined(origin)
        return {
          policy: name,
          proxies: total,
          // what is told in its place may be in force, but not what its author has written
          programmed: quarantined.length > 0 ? 0 : acked,
          refused: [...refused, ...quarantined.map(({ kind, reason }) => ({ proxy: `all of kind ${kind}`, reason }))],
          findings: (findings.get(name) ?? []).map(({ type, reason, message }) => ({ type, reason, message })),
        }
      }),
  }
}
