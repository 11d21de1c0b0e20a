import type { Event } from '../../api/generated/types.ts'
import { events } from '../../api/core/v1/event.ts'
import type { KubeObject } from '../../api/meta/object.ts'
import { ageSince } from '../../api/print/human-duration.ts'
import type { Session } from '../connect.ts'
import { formatTable } from '../print/table.ts'

/** The events about an object, oldest first. */
export async function eventsOf(session: Session, { kind, metadata }: KubeObject): Promise<readonly Event[]> {
  // those about a node, which has no namespace, carry its name as uid
  const uid = kind === 'Node' ? '' : `,involvedObject.uid=${metadata.uid ?? ''}`
  const fieldSelector = `involvedObject.name=${metadata.name},involvedObject.kind=${kind ?? ''}${uid}`
  const { items } = await session.client.of(events).listAll({ namespace: metadata.namespace, fieldSelector })
  return items.sort((a, b) => timeOf(a) - timeOf(b))
}

/** The lines of the part `Events:`. */
export function eventLines(list: readonly Event[], nowMs: number): readonly string[] {
  if (list.length === 0) return ['Events:  <none>']
  const rows = list.map((event) => [
    `  ${event.type ?? ''}`,
    event.reason ?? '',
    ageOf(event, nowMs),
    event.source?.component ?? event.reportingComponent ?? '',
    (event.message ?? '').trim().replaceAll('\n', ' '),
  ])
  const table = formatTable([['  Type', 'Reason', 'Age', 'From', 'Message'], ['  ----', '------', '----', '----', '-------'], ...rows])
  return ['Events:', ...table.trimEnd().split('\n')]
}

function ageOf(event: Event, nowMs: number): string {
  const last = ageSince(event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp, nowMs)
  const count = event.count ?? 1
  return count > 1 ? `${last} (x${count} over ${ageSince(event.firstTimestamp, nowMs)})` : last
}

function timeOf(event: Event): number {
  return Date.parse(event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp ?? '') || 0
}
