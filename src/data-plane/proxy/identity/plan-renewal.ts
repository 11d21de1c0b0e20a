/** What is known of the certificate in use. */
export interface HeldCertificate {
  readonly notBeforeMs: number
  readonly notAfterMs: number
  readonly spiffeId: string
  /** `ProxySettings.issuer` under which it was signed. */
  readonly issuer: string
}

/** What the control plane wants now; absent while it has not said anything. */
export interface WantedIdentity {
  readonly spiffeId: string
  readonly issuer: string
}

export interface RenewalPlan {
  /** Whether the certificate may be shown to peers. */
  readonly usable: boolean
  /** Milliseconds since 1970 at which a new one is to be asked for; not after now: at once. Undefined: never (no identity is wanted). */
  readonly renewAtMs?: number
}

/** Share of a certificate's life after which it is renewed, and how far proxies spread around it. Source: Istio's practice. */
const RENEW_AT = 0.5
const JITTER = 0.05
/** A new issuer is asked for soon, but not by all proxies in the same moment. */
const SWITCH_WITHIN_MS = 5_000

/** When to ask for the next certificate. Pure. @param jitter 0 <= x < 1, drawn once for each certificate */
export function planRenewal(
  held: HeldCertificate | undefined,
  wanted: WantedIdentity | undefined,
  at: { readonly nowMs: number; readonly jitter: number; readonly issuerSeenAtMs: number },
): RenewalPlan {
  const { nowMs, jitter, issuerSeenAtMs } = at
  const usable = held !== undefined && held.notAfterMs > nowMs && held.notBeforeMs <= nowMs
  if (!wanted) return { usable }
  if (!usable || held.spiffeId !== wanted.spiffeId) return { usable: usable && held.spiffeId === wanted.spiffeId, renewAtMs: nowMs }
  const lifeMs = held.notAfterMs - held.notBeforeMs
  const halfMs = held.notBeforeMs + lifeMs * (RENEW_AT + (jitter - 0.5) * 2 * JITTER)
  const switchMs = held.issuer === wanted.issuer ? Number.POSITIVE_INFINITY : issuerSeenAtMs + jitter * SWITCH_WITHIN_MS
  return { usable, renewAtMs: Math.min(halfMs, switchMs) }
}
