import { Buffer } from 'node:buffer'
import type { Store, StoreEvent } from '../../src/control-plane/store/index.ts'

/** A write whose promise was kept: whatever happens afterwards, it must not be lost. */
export interface Ack {
  readonly key: string
  readonly revision: number
  /** null: the key was deleted. */
  readonly value: string | null
}

/** One line of a writer's output. Values have no spaces. */
export function formatAck(ack: Ack): string {
  return `ACK ${ack.key} ${ack.revision} ${ack.value ?? '-'}\n`
}

export function parseAck(line: string): Ack | undefined {
  const match = /^ACK (\S+) (\d+) (\S+)$/.exec(line)
  if (!match) return undefined
  return { key: match[1] as string, revision: Number(match[2]), value: match[3] === '-' ? null : (match[3] as string) }
}

/**
 * Whether a store that has just been opened after a crash holds everything that was acknowledged, and nothing
 * that cannot be.
 *
 * @returns what is wrong, empty when nothing is
 */
export async function findLosses(store: Store, acks: readonly Ack[], leastRevision: number): Promise<string[]> {
  const problems: string[] = []
  const { revision, compactRevision } = await store.status()
  const newestAck = acks.reduce((newest, ack) => Math.max(newest, ack.revision), leastRevision)
  if (Number(revision) < newestAck) problems.push(`revision ${revision} after ${newestAck} had been told`)
  const events = await history(store, revision, compactRevision)
  problems.push(...findGaps(events, Number(compactRevision), Number(revision)))
  const byRevision = new Map(events.map((event) => [`${event.key}@${event.kv.modRevision}`, event]))
  for (const ack of acks) {
    if (ack.revision <= Number(compactRevision)) continue
    const event = byRevision.get(`${ack.key}@${ack.revision}`)
    if (!event || valueOf(event) !== ack.value)
      problems.push(`history lost ${formatAck(ack).trim()}: ${event ? valueOf(event) : 'no event'}`)
  }
  for (const ack of newestPerKey(acks)) {
    const kv = await store.get(ack.key)
    const current = kv ? Number(kv.modRevision) : 0
    const newer = events.findLast((event) => event.key === ack.key && Number(event.kv.modRevision) > ack.revision)
    const isHeld = kv ? current === ack.revision && Buffer.from(kv.value).toString() === ack.value : ack.value === null
    if (!isHeld && !newer) problems.push(`key lost ${formatAck(ack).trim()}: now at ${current}`)
  }
  return problems
}

async function history(store: Store, revision: bigint, compactRevision: bigint): Promise<StoreEvent[]> {
  const events: StoreEvent[] = []
  const watch = store.watch('', { fromRevision: compactRevision + 1n })
  watch.requestProgress()
  for await (const batch of watch) {
    events.push(...batch.events)
    if (batch.revision >= revision) break
  }
  return events
}

/** Every revision above the compaction wrote something, and they come in order. */
function findGaps(events: readonly StoreEvent[], compactRevision: number, revision: number): string[] {
  let last = Math.max(1, compactRevision)
  for (const event of events) {
    const next = Number(event.kv.modRevision)
    if (next !== last && next !== last + 1) return [`revision ${next} follows ${last}`]
    last = next
  }
  return last === Math.max(revision, 1) ? [] : [`the newest event is at ${last}, the store at ${revision}`]
}

function newestPerKey(acks: readonly Ack[]): Iterable<Ack> {
  const newest = new Map<string, Ack>()
  for (const ack of acks) if (ack.revision > (newest.get(ack.key)?.revision ?? 0)) newest.set(ack.key, ack)
  return newest.values()
}

function valueOf(event: StoreEvent): string | null {
  return event.type === 'delete' ? null : Buffer.from(event.kv.value).toString()
}
