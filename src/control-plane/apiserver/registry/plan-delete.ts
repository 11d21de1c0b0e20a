import type { KubeObject, NamedMeta } from '../../../api/meta/object.ts'
import { timestamp } from './timestamps.ts'

export type PropagationPolicy = 'Orphan' | 'Background' | 'Foreground'

/** What a client says with a DELETE. Source: metav1.DeleteOptions. */
export interface DeleteOptions {
  readonly gracePeriodSeconds?: number
  readonly propagationPolicy?: PropagationPolicy
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string }
}

export type DeletePlan =
  /** Take it out of the store. */
  | { readonly action: 'remove' }
  /** Write this instead; it goes later, by a second delete or with its last finalizer. */
  | { readonly action: 'mark'; readonly object: KubeObject }
  /** It is on its way out already, and this request changes nothing. */
  | { readonly action: 'wait' }

export const FOREGROUND_FINALIZER = 'foregroundDeletion'
export const ORPHAN_FINALIZER = 'orphan'

/**
 * Decides what a DELETE does to `object`. Pure: changes nothing.
 * `graceSeconds` is what the strategy allows for this request, undefined where the kind knows no grace. `held`: something
 * beside metadata.finalizers keeps the object (spec.finalizers of a namespace).
 * Source: k8s.io/apiserver rest.BeforeDelete and registry.Store.updateForGracefulDeletionAndFinalizers.
 */
export function planDelete(
  object: KubeObject,
  options: DeleteOptions,
  context: { readonly nowMs: number; readonly graceSeconds: number | undefined; readonly held?: boolean },
): DeletePlan {
  const finalizers = finalizersAfter(object.metadata.finalizers ?? [], options.propagationPolicy)
  const grace = planGrace(object.metadata, options, context)
  if (grace === 'pending' && finalizers === undefined) return { action: 'wait' }
  const left = finalizers ?? object.metadata.finalizers ?? []
  if (grace === 'now' && left.length === 0 && !context.held) return { action: 'remove' }
  const marked = markedMeta(object.metadata, { grace, nowMs: context.nowMs, finalizers: left })
  return marked ? { action: 'mark', object: { ...object, metadata: marked } } : { action: 'wait' }
}

/** Whether an update leaves nothing that keeps `object` alive: it was deleted before, its grace is over and no finalizer is left. */
export function isReadyToGo(object: KubeObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = object.metadata
  return deletionTimestamp !== undefined && (deletionGracePeriodSeconds ?? 0) === 0 && (finalizers?.length ?? 0) === 0
}

/** `pending`: grace runs and this request does not shorten it. */
type Grace = 'now' | 'pending' | { readonly seconds: number; readonly deletionTimestamp: string }

function planGrace(
  meta: NamedMeta,
  options: DeleteOptions,
  context: { readonly nowMs: number; readonly graceSeconds: number | undefined },
): Grace {
  const { nowMs, graceSeconds } = context
  if (graceSeconds === undefined) return 'now'
  if (meta.deletionTimestamp !== undefined) return planShorterGrace(meta, options)
  if (graceSeconds <= 0) return 'now'
  return { seconds: graceSeconds, deletionTimestamp: timestamp(nowMs + graceSeconds * 1000) }
}

function planShorterGrace(meta: NamedMeta, options: DeleteOptions): Grace {
  const running = meta.deletionGracePeriodSeconds ?? 0
  if (running === 0) return 'now'
  const asked = options.gracePeriodSeconds
  if (asked === undefined || asked >= running) return 'pending'
  if (asked <= 0) return 'now'
  const startMs = Date.parse(meta.deletionTimestamp as string) - running * 1000
  return { seconds: asked, deletionTimestamp: timestamp(startMs + asked * 1000) }
}

/** The finalizers that the policy asks for; undefined when they are as they were. */
function finalizersAfter(present: readonly string[], policy: PropagationPolicy | undefined): readonly string[] | undefined {
  if (policy === undefined) return undefined
  const wanted = policy === 'Orphan' ? ORPHAN_FINALIZER : policy === 'Foreground' ? FOREGROUND_FINALIZER : undefined
  const others = present.filter((finalizer) => finalizer !== ORPHAN_FINALIZER && finalizer !== FOREGROUND_FINALIZER)
  const next = wanted === undefined ? others : [...others, wanted]
  const same = next.length === present.length && next.every((finalizer) => present.includes(finalizer))
  return same ? undefined : next
}

/** Undefined when nothing changes. */
function markedMeta(
  meta: NamedMeta,
  mark: { readonly grace: Grace; readonly nowMs: number; readonly finalizers: readonly string[] },
): NamedMeta | undefined {
  const { grace, nowMs, finalizers } = mark
  const next: NamedMeta = { ...meta }
  if (finalizers.length > 0) next.finalizers = [...finalizers]
  else delete next.finalizers
  if (grace === 'pending') return next
  if (grace === 'now') {
    // only finalizers hold it: the grace is over from the start
    if (meta.deletionTimestamp !== undefined && meta.deletionGracePeriodSeconds === 0 && sameList(meta.finalizers, finalizers))
      return undefined
    next.deletionTimestamp = earliest(meta.deletionTimestamp, nowMs)
    next.deletionGracePeriodSeconds = 0
  } else {
    next.deletionTimestamp = grace.deletionTimestamp
    next.deletionGracePeriodSeconds = grace.seconds
  }
  // whoever looks at the object must look again
  if (meta.deletionTimestamp === undefined && meta.generation !== undefined) next.generation = meta.generation + 1
  return next
}

function earliest(deletionTimestamp: string | undefined, nowMs: number): string {
  return deletionTimestamp !== undefined && Date.parse(deletionTimestamp) <= nowMs ? deletionTimestamp : timestamp(nowMs)
}

function sameList(a: readonly string[] | undefined, b: readonly string[]): boolean {
  return (a?.length ?? 0) === b.length && b.every((item, i) => a?.[i] === item)
}
