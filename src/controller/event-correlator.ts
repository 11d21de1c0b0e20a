import type { Event } from '../api/generated/types.ts'
import { LruMap } from './lru-map.ts'
import { TokenBucket } from './rate-limiter.ts'

/** An event as it happened, before it has a name. */
export type EventDraft = Omit<Event, 'metadata' | 'count' | 'firstTimestamp' | 'lastTimestamp' | 'apiVersion' | 'kind'>

/** When it happened: `wallMs` goes into the event, `monotonicMs` measures intervals. */
export interface Moment {
  readonly wallMs: number
  readonly monotonicMs: number
}

/** What to do with an event: nothing, write a new one, or count one more on an event written before. */
export type Correlation =
  | { readonly action: 'drop' }
  | { readonly action: 'create'; readonly key: string; readonly message: string; readonly firstMs: number; readonly count: number }
  | {
      readonly action: 'count'
      readonly key: string
      readonly name: string
      readonly message: string
      readonly firstMs: number
      readonly count: number
    }

/** Keys each of the three tables remembers. Source: client-go record maxLruCacheEntries. */
const MAX_ENTRIES = 4096
/** Different messages of one reason before they are written as one event. */
const MAX_SIMILAR = 10
/** Events this long apart are not the same occurrence. */
const WINDOW_MS = 10 * 60_000
/** Per source and object: 25 at once, then one in five minutes. */
const SPAM = { burst: 25, perSecond: 1 / 300 }

interface Observed {
  name: string
  count: number
  firstMs: number
  seenMs: number
}

/**
 * Folds repeats and floods of events. Equal events count on the first one; more than ten different messages for one
 * object and reason within ten minutes become "(combined from similar events): ..."; a source that floods one object is
 * cut off. Pure but for its memory. Source: k8s.io/client-go/tools/record EventCorrelator.
 */
export class EventCorrelator {
  readonly #observed = new LruMap<string, Observed>(MAX_ENTRIES)
  readonly #similar = new LruMap<string, { readonly messages: Set<string>; seenMs: number }>(MAX_ENTRIES)
  readonly #buckets = new LruMap<string, TokenBucket>(MAX_ENTRIES)

  correlate(event: EventDraft, at: Moment): Correlation {
    const group = groupKey(event)
    const combined = this.#isCombined(group, event.message ?? '', at)
    const message = combined ? `(combined from similar events): ${event.message ?? ''}` : (event.message ?? '')
    const key = combined ? group : `${group}\n${message}`
    const seen = this.#observed.get(key)
    const known = seen && at.monotonicMs - seen.seenMs <= WINDOW_MS ? seen : undefined
    const count = (known?.count ?? 0) + 1
    const firstMs = known?.firstMs ?? at.wallMs
    this.#observed.set(key, { name: known?.name ?? '', count, firstMs, seenMs: at.monotonicMs })
    if (!this.#spamBucket(event, at).tryTake(at.monotonicMs)) return { action: 'drop' }
    if (known?.name) return { action: 'count', key, name: known.name, message, firstMs, count }
    return { action: 'create', key, message, firstMs, count }
  }

  /** The event of `key` now exists as `name`: further ones count on it. */
  written(key: string, name: string): void {
    const seen = this.#observed.get(key)
    if (seen) seen.name = name
  }

  #isCombined(group: string, message: string, at: Moment): boolean {
    let record = this.#similar.get(group)
    if (!record || at.monotonicMs - record.seenMs > WINDOW_MS) record = { messages: new Set(), seenMs: at.monotonicMs }
    record.seenMs = at.monotonicMs
    record.messages.add(message)
    this.#similar.set(group, record)
    if (record.messages.size < MAX_SIMILAR) return false
    // the set stays small: only its size matters
    for (const first of record.messages) {
      record.messages.delete(first)
      break
    }
    return true
  }

  #spamBucket(event: EventDraft, at: Moment): TokenBucket {
    const key = `${event.source?.component ?? ''}\n${event.source?.host ?? ''}\n${objectKey(event)}`
    const bucket = this.#buckets.get(key) ?? new TokenBucket(at.monotonicMs, SPAM)
    this.#buckets.set(key, bucket)
    return bucket
  }
}

function objectKey({ involvedObject: object }: EventDraft): string {
  return [object.apiVersion, object.kind, object.namespace, object.name, object.uid, object.fieldPath].join('\n')
}

function groupKey(event: EventDraft): string {
  return [event.source?.component, event.source?.host, objectKey(event), event.type, event.reason].join('\n')
}
