import type { CompiledPolicy, DenyAction, Direction, Judges } from './packet-policy.ts'

/** Which policies are for whom: by the selector of their subject. Hands out one object for equal judges, as long as a pod holds it. */
export class JudgeTable {
  readonly #bySubject = new Map<string, Set<CompiledPolicy>>()
  readonly #shared = new Map<string, { readonly judges: Judges; uses: number }>()

  /** Replaces a policy. @returns the selectors whose pods may have other judges now */
  setPolicy(before: CompiledPolicy | undefined, after: CompiledPolicy | undefined): readonly string[] {
    if (before) {
      const policies = this.#bySubject.get(before.subject)
      policies?.delete(before)
      if (policies?.size === 0) this.#bySubject.delete(before.subject)
    }
    if (after) {
      const policies = this.#bySubject.get(after.subject) ?? new Set()
      this.#bySubject.set(after.subject, policies.add(after))
    }
    if (before && after && judgesAlike(before, after)) return []
    return [...new Set([before, after].flatMap((policy) => policy?.subject ?? []))]
  }

  /**
   * The judges of a direction of a pod.
   * @param selecting selectors that select the pod
   * @param fallback how isolation denies where no policy says it
   */
  find(selecting: ReadonlySet<string>, direction: Direction, fallback: DenyAction): Judges | undefined {
    const policies: CompiledPolicy[] = []
    for (const selector of selecting) {
      for (const policy of this.#bySubject.get(selector) ?? []) if (policy[direction]) policies.push(policy)
    }
    if (policies.length === 0) return undefined
    policies.sort((a, b) => a.priority - b.priority || (a.id < b.id ? -1 : 1))
    const network = policies.filter(({ tier }) => tier === 'NetworkPolicy')
    const ids = (tier: CompiledPolicy['tier']): string[] => policies.filter((policy) => policy.tier === tier).map(({ id }) => id)
    const admin = ids('Admin')
    const baseline = network.length > 0 ? [] : ids('Baseline')
    if (admin.length + network.length + baseline.length === 0) return undefined
    // the more silent of two wishes
    const drop = network.length === 0 || network.some(({ denyAction }) => (denyAction ?? fallback) === 'Drop')
    const isolation = drop ? 'Drop' : 'Reject'
    const names = [admin, network.map(({ id }) => id), baseline] as const
    const key = `${direction} ${isolation} ${JSON.stringify(names)}`
    return this.#shared.get(key)?.judges ?? { key, admin, network: names[1], baseline, isolation }
  }

  hold(judges: Judges | undefined): void {
    if (!judges) return
    const shared = this.#shared.get(judges.key)
    if (shared) shared.uses++
    else this.#shared.set(judges.key, { judges, uses: 1 })
  }

  letGo(judges: Judges | undefined): void {
    const shared = judges && this.#shared.get(judges.key)
    if (shared && --shared.uses === 0) this.#shared.delete(judges.key)
  }
}

/** Whether a change of a policy leaves who is judged by it, and in which order, as it was. */
function judgesAlike(a: CompiledPolicy, b: CompiledPolicy): boolean {
  return (
    a.subject === b.subject &&
    a.tier === b.tier &&
    a.priority === b.priority &&
    a.denyAction === b.denyAction &&
    (a.ingress === undefined) === (b.ingress === undefined) &&
    (a.egress === undefined) === (b.egress === undefined)
  )
}
