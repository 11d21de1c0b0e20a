/** One operation of a concurrent run. `call` and `answer` order it in real time: any rising numbers will do. */
export interface Observed {
  readonly call: number
  /** Absent: no answer came, so it may have happened or not. */
  readonly answer?: number
  readonly revision?: bigint
  readonly key: string
  readonly action:
    | { readonly type: 'write'; readonly value: string; readonly expected?: bigint; readonly succeeded: boolean; readonly found?: bigint }
    | { readonly type: 'read'; readonly value: string | undefined; readonly modRevision: bigint }
}

/** What a watch of everything has seen, in the order of arrival. */
export interface Seen {
  readonly key: string
  readonly value: string
  readonly revision: bigint
}

/**
 * Whether a run can be explained by a single counter of revisions that never went back (linearizability). Because each
 * answer carries its revision, sorting replaces searching:
 *
 * - writes have revisions of their own, rising in real time; reads never show less than what was answered before they were called
 * - played back in the order of revisions, each compare and each read has the outcome that it reported
 * - the watch saw exactly the writes, in order; a write without an answer may be among them
 *
 * Written values must be unique.
 *
 * @returns what is wrong, undefined when nothing is
 */
export function checkHistory(operations: readonly Observed[], seen: readonly Seen[]): string | undefined {
  return checkWatch(seen) ?? checkWrites(operations, seen) ?? checkRealTime(operations) ?? checkOutcomes(operations, seen)
}

function checkWatch(seen: readonly Seen[]): string | undefined {
  for (let i = 1; i < seen.length; i++) {
    const [before, event] = [seen[i - 1] as Seen, seen[i] as Seen]
    if (event.revision <= before.revision) return `watch: revision ${event.revision} after ${before.revision}`
  }
  return undefined
}

function checkWrites(operations: readonly Observed[], seen: readonly Seen[]): string | undefined {
  const bySeen = new Map(seen.map((event) => [event.value, event]))
  const known = new Set<string>()
  for (const { key, action, revision, answer } of operations) {
    if (action.type !== 'write') continue
    known.add(action.value)
    const event = bySeen.get(action.value)
    if (answer === undefined) continue
    if (!action.succeeded && event) return `write ${action.value} failed but happened at ${event.revision}`
    if (action.succeeded && !event) return `write ${action.value} was answered at ${revision} but the watch never saw it`
    if (event && (event.revision !== revision || event.key !== key))
      return `write ${action.value} at ${revision} was seen at ${event.revision}`
  }
  const stranger = seen.find((event) => !known.has(event.value))
  return stranger && `value ${stranger.value} at ${stranger.revision} was written by nobody`
}

function checkRealTime(operations: readonly Observed[]): string | undefined {
  const answered = operations.filter((one) => one.answer !== undefined && one.revision !== undefined)
  const byCall = [...answered].sort((a, b) => a.call - b.call)
  const byAnswer = [...answered].sort((a, b) => (a.answer as number) - (b.answer as number))
  let newest = 0n
  let done = 0
  for (const operation of byCall) {
    for (; done < byAnswer.length && ((byAnswer[done] as Observed).answer as number) < operation.call; done++) {
      const { revision } = byAnswer[done] as Observed
      if ((revision as bigint) > newest) newest = revision as bigint
    }
    const isWrite = operation.action.type === 'write' && operation.action.succeeded
    const revision = operation.revision as bigint
    if (revision < newest || (isWrite && revision === newest))
      return `answered ${revision} although ${newest} had been answered before the call`
  }
  return undefined
}

function checkOutcomes(operations: readonly Observed[], seen: readonly Seen[]): string | undefined {
  const versions = new Map<string, Seen[]>()
  for (const event of seen) versions.set(event.key, [...(versions.get(event.key) ?? []), event])
  const at = (key: string, revision: bigint): Seen | undefined => versions.get(key)?.findLast((event) => event.revision <= revision)
  for (const { key, action, revision, answer } of operations) {
    if (answer === undefined || revision === undefined) continue
    if (action.type === 'read') {
      const event = at(key, revision)
      if (event?.value !== action.value || (event?.revision ?? 0n) !== action.modRevision)
        return `read of ${key} at ${revision} gave ${action.value}@${action.modRevision} instead of ${event?.value}@${event?.revision}`
    } else {
      const before = at(key, action.succeeded ? revision - 1n : revision)?.revision ?? 0n
      if (action.expected !== undefined && (before === action.expected) !== action.succeeded)
        return `compare of ${key} with ${action.expected} at ${revision} ${action.succeeded ? 'held' : 'failed'} though the key was at ${before}`
      if (action.found !== undefined && action.found !== before)
        return `compare of ${key} at ${revision} showed ${action.found} instead of ${before}`
    }
  }
  return undefined
}
