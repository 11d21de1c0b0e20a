/**
 * The life of the authorities of one trust domain, as a pure function. Trust is a set: a new authority is first trusted by everybody, then signs, and the
 * old one stays trusted until what it has signed has run out. No step is taken because time has passed alone while a proxy has not confirmed the one before.
 */
export interface AuthorityRecord {
  readonly id: string
  /** `trusted`: in all bundles, does not sign yet. `issuing`: signs. `retiring`: signs no more, still trusted. */
  readonly phase: 'trusted' | 'issuing' | 'retiring'
  readonly notBeforeMs: number
  readonly notAfterMs: number
  /** When it came into its phase. */
  readonly sinceMs: number
}

export interface RotationFacts {
  readonly nowMs: number
  /** Life of leaves. */
  readonly leafLifeMs: number
  /** Proxies that have not confirmed that they trust the authority; proxies that are not connected are not waited for longer than a leaf lives. */
  readonly unconfirmed: (id: string) => readonly { readonly proxy: string; readonly lastSeenMs: number }[]
  /** Somebody asked for a new one now (annotation, or a new CA in the Secret with this id). */
  readonly requested?: boolean
  /** Authorities are made here when one is due; false: they come from a Secret. */
  readonly generates: boolean
}

export type RotationStep =
  | { readonly type: 'create' }
  | { readonly type: 'phase'; readonly id: string; readonly phase: AuthorityRecord['phase'] }
  | { readonly type: 'remove'; readonly id: string }

export interface RotationPlan {
  readonly steps: readonly RotationStep[]
  /** For status: where the domain stands and what it waits for. */
  readonly phase: 'Stable' | 'AddingTrust' | 'Retiring'
  readonly waitingFor: readonly string[]
  /** When to plan again though nothing happens. */
  readonly againAtMs?: number
  /** More than 80% of the life of what signs is over. */
  readonly expiresSoon: boolean
}

/** Share of its life after which an authority of our own is replaced. */
const REPLACE_AT = 0.8

export function planRotation(authorities: readonly AuthorityRecord[], facts: RotationFacts): RotationPlan {
  const { nowMs, leafLifeMs, generates } = facts
  const issuing = authorities.find(({ phase }) => phase === 'issuing')
  const next = authorities.find(({ phase }) => phase === 'trusted')
  const retiring = authorities.filter(({ phase }) => phase === 'retiring')
  if (!issuing) {
    // nothing is signed yet: there is nobody to wait for
    if (next) return plan([{ type: 'phase', id: next.id, phase: 'issuing' }], 'Stable')
    return plan(generates ? [{ type: 'create' }] : [], 'Stable', generates ? [] : ['a certificate authority in the Secret'])
  }
  const dueAtMs = issuing.notBeforeMs + (issuing.notAfterMs - issuing.notBeforeMs) * REPLACE_AT
  const expiresSoon = nowMs >= dueAtMs
  if (next) {
    const waitingFor = facts
      .unconfirmed(next.id)
      // a proxy that was away for longer than its leaf lives has to ask for a new one first, and gets the bundle with it
      .filter(({ lastSeenMs }) => nowMs - lastSeenMs < leafLifeMs)
      .map(({ proxy }) => proxy)
    if (waitingFor.length > 0) return { ...plan([], 'AddingTrust', waitingFor), expiresSoon }
    return plan(
      [
        { type: 'phase', id: next.id, phase: 'issuing' },
        { type: 'phase', id: issuing.id, phase: 'retiring' },
      ],
      'Retiring',
    )
  }
  const over = retiring.filter(({ sinceMs, notAfterMs }) => nowMs >= Math.min(sinceMs + leafLifeMs, notAfterMs))
  if (over.length > 0) {
    return {
      ...plan(
        over.map(({ id }) => ({ type: 'remove', id })),
        over.length === retiring.length ? 'Stable' : 'Retiring',
      ),
      expiresSoon,
    }
  }
  // one change at a time: a third authority waits until the second has taken over wholly
  if (generates && retiring.length === 0 && (facts.requested || expiresSoon))
    return { ...plan([{ type: 'create' }], 'AddingTrust'), expiresSoon }
  const ends = [...retiring.map(({ sinceMs }) => sinceMs + leafLifeMs), ...(expiresSoon ? [] : [dueAtMs])]
  return {
    ...plan([], retiring.length > 0 ? 'Retiring' : 'Stable'),
    expiresSoon,
    ...(ends.length > 0 ? { againAtMs: Math.min(...ends) } : {}),
  }
}

function plan(steps: readonly RotationStep[], phase: RotationPlan['phase'], waitingFor: readonly string[] = []): RotationPlan {
  return { steps, phase, waitingFor, expiresSoon: false }
}
