/**
 * What a node has made of the policy it was given: each component (services, policies, routes, dns) says which revision of the store is in force,
 * and which one it has refused and why. The node publishes this with each heartbeat, as annotations of its Lease: nobody watches Leases but the
 * control plane, so that a change of one service does not become a change of every Node.
 */

export interface AppliedReport {
  /** Lower-case word: `services`, `policies`, `routes`. */
  readonly component: string
  /** Revision of the store that is in force; absent before the first. */
  readonly revision?: string
  /** A newer one that is not in force. */
  readonly refused?: { readonly revision: string; readonly reason: string }
}

export const APPLIED_PREFIX = 'biplane.dev/applied-'
/** Longest reason that is published. */
const MAX_REASON = 512

/** Reports as annotations: `biplane.dev/applied-services: "120"`, or `"120; refused 123: <reason>"`. */
export function appliedAnnotations(reports: readonly AppliedReport[]): Record<string, string> {
  return Object.fromEntries(reports.map((report) => [APPLIED_PREFIX + report.component, textOf(report)]))
}

/** The way back; other annotations, and texts of another form, are left out. */
export function parseApplied(annotations: Readonly<Record<string, string>> | undefined): readonly AppliedReport[] {
  return Object.entries(annotations ?? {}).flatMap(([key, text]) => {
    const match = key.startsWith(APPLIED_PREFIX) ? /^(\d+|none)(?:; refused (\S+): ([^]*))?$/.exec(text) : null
    if (!match) return []
    const [, revision = 'none', refused, reason = ''] = match
    return [
      {
        component: key.slice(APPLIED_PREFIX.length),
        ...(revision === 'none' ? {} : { revision }),
        ...(refused === undefined ? {} : { refused: { revision: refused, reason } }),
      },
    ]
  })
}

/** What is wrong, in one text; undefined when everything is in force. */
export function refusalsOf(reports: readonly AppliedReport[]): string | undefined {
  const texts = reports.flatMap(({ component, refused }) =>
    refused ? [`${component}: revision ${refused.revision} was refused: ${shortened(refused.reason)}`] : [],
  )
  return texts.length === 0 ? undefined : texts.join('; ')
}

function textOf({ revision = 'none', refused }: AppliedReport): string {
  return refused ? `${revision}; refused ${refused.revision}: ${shortened(refused.reason)}` : revision
}

const shortened = (reason: string): string => (reason.length > MAX_REASON ? `${reason.slice(0, MAX_REASON - 3)}...` : reason)
