import { findCondition } from '../../../api/conditions.ts'
import type { Condition } from '../../../api/generated/types.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import type { Refused } from '../control/index.ts'
import type { OriginAcks } from '../xds/index.ts'

/** What is known of one object, as it is now. */
export interface ObjectFacts {
  /** Why it is not compiled yet in this form; undefined: it is. */
  readonly pending?: string
  /** Costs a look at all proxies that have been told anything since it was asked last. */
  readonly acks: () => OriginAcks
  /** Proxies have refused something, this or another, since it was programmed. */
  readonly mayBeRefused: boolean
  /** For which clients it is left out, because they have refused it. */
  readonly quarantined: readonly Refused[]
}

export interface Programmed {
  readonly ok: boolean
  /** CamelCase. */
  readonly reason: 'Programmed' | 'Pending' | 'Refused'
  /** Says nothing that changes with every proxy that confirms. */
  readonly message: string
}

/** Refusals that are told; the rest is counted. */
const TOLD = 3
const MAX_REASON = 500

/**
 * Whether proxies carry out an object as it is now: all that are connected and concerned have confirmed it. Once they have, one that has just come and is still
 * being told makes no difference: it begins with the whole.
 * @param before whether this generation was programmed already
 */
export function programmedOf({ pending, acks, quarantined, mayBeRefused }: ObjectFacts, before: boolean): Programmed {
  if (pending !== undefined) return { ok: false, reason: 'Pending', message: pending }
  if (quarantined.length > 0) {
    const kinds = quarantined.map(({ kind, reason }) => `proxies of kind ${kind} have refused it: ${cut(reason)}`).join('; ')
    return { ok: false, reason: 'Refused', message: `It is left out until it changes, because ${kinds}` }
  }
  if (before && !mayBeRefused) return PROGRAMMED
  const { total, acked, refused } = acks()
  if (refused.length > 0) {
    const told = refused.slice(0, TOLD).map(({ proxy, reason }) => `${proxy}: ${cut(reason)}`)
    const more = refused.length > TOLD ? `; and ${refused.length - TOLD} more` : ''
    return { ok: false, reason: 'Refused', message: `Refused by ${told.join('; ')}${more}` }
  }
  if (acked === total || before) return PROGRAMMED
  return { ok: false, reason: 'Pending', message: 'Not all proxies concerned have confirmed it yet' }
}

const PROGRAMMED: Programmed = { ok: true, reason: 'Programmed', message: 'All proxies that are connected and concerned have it in force' }

const cut = (text: string): string => (text.length > MAX_REASON ? `${text.slice(0, MAX_REASON)}...` : text)

interface StatusOfAnyKind {
  readonly conditions?: readonly Condition[]
  readonly parents?: readonly { readonly conditions?: readonly Condition[] }[]
}

/** Whether a status says that its object was programmed in its present generation. */
export function wasProgrammed(object: KubeObject & { readonly status?: unknown }): boolean {
  const { conditions = [], parents = [] } = (object.status ?? {}) as StatusOfAnyKind
  return [conditions, ...parents.map((parent) => parent.conditions ?? [])].some((list) => {
    const found = findCondition(list, 'Programmed')
    return found?.status === 'True' && found.observedGeneration === object.metadata.generation
  })
}
