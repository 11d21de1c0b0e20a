import type { Event } from '../../generated/types.ts'
import { defineKind, type Column, type KindDefinition } from '../../kind.ts'
import { nameColumn } from '../../print/columns.ts'
import { ageSince } from '../../print/human-duration.ts'
import { checkEvent, checkEventUpdate } from '../../validation/event.ts'
import { collectErrors } from '../../validation/field-errors.ts'

/** Events go away by themselves after an hour. */
export const EVENT_TTL_SECONDS = 3600

/** The table of events, in whichever group they are asked for. */
export const eventColumns: readonly Column<Event>[] = [
  { name: 'Last Seen', type: 'string', description: 'Time since it was last seen.', value: lastSeen },
  { name: 'Type', type: 'string', description: 'Normal or Warning.', value: ({ type }) => type ?? '' },
  { name: 'Reason', type: 'string', description: 'Why, in one word.', value: ({ reason }) => reason ?? '' },
  { name: 'Object', type: 'string', description: 'What it is about.', value: objectCell },
  {
    name: 'Subobject',
    type: 'string',
    priority: 1,
    description: 'Which part of the object.',
    value: ({ involvedObject }) => involvedObject?.fieldPath ?? '',
  },
  { name: 'Source', type: 'string', priority: 1, description: 'Who reported it.', value: sourceCell },
  { name: 'Message', type: 'string', description: 'What happened.', value: ({ message }) => (message ?? '').trim() },
  { name: 'First Seen', type: 'string', priority: 1, description: 'Time since it was first seen.', value: firstSeen },
  {
    name: 'Count',
    type: 'string',
    priority: 1,
    description: 'How often it was seen.',
    value: ({ series, count }) => (series ? (series.count ?? 0) : count || 1),
  },
  { ...nameColumn, priority: 1 },
]

export const events: KindDefinition<Event> = defineKind({
  group: '',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
  shortNames: ['ev'],
  schema: 'io.k8s.api.core.v1.Event',
  ttlSeconds: EVENT_TTL_SECONDS,
  ownColumns: true,
  columns: eventColumns,
  fieldSelectors: {
    'involvedObject.kind': (event) => event.involvedObject?.kind ?? '',
    'involvedObject.namespace': (event) => event.involvedObject?.namespace ?? '',
    'involvedObject.name': (event) => event.involvedObject?.name ?? '',
    'involvedObject.uid': (event) => event.involvedObject?.uid ?? '',
    'involvedObject.apiVersion': (event) => event.involvedObject?.apiVersion ?? '',
    'involvedObject.resourceVersion': (event) => event.involvedObject?.resourceVersion ?? '',
    'involvedObject.fieldPath': (event) => event.involvedObject?.fieldPath ?? '',
    reason: ({ reason }) => reason ?? '',
    reportingComponent: ({ reportingComponent }) => reportingComponent ?? '',
    source: ({ source, reportingComponent }) => source?.component || (reportingComponent ?? ''),
    type: ({ type }) => type ?? '',
  },
  strategy: {
    allowCreateOnUpdate: true,
    validate: (event) => collectErrors((errors) => checkEvent(errors, event)),
    validateUpdate: (next, previous) => collectErrors((errors) => checkEventUpdate(errors, next, previous)),
  },
})

function firstSeen(event: Event, nowMs: number): string {
  return ageSince(event.firstTimestamp || event.eventTime, nowMs)
}

function lastSeen(event: Event, nowMs: number): string {
  if (event.series) return ageSince(event.series.lastObservedTime, nowMs)
  return event.lastTimestamp ? ageSince(event.lastTimestamp, nowMs) : firstSeen(event, nowMs)
}

function objectCell({ involvedObject }: Event): string {
  const kind = (involvedObject?.kind ?? '').toLowerCase()
  return involvedObject?.name ? `${kind}/${involvedObject.name}` : kind
}

function sourceCell({ source, reportingComponent, reportingInstance }: Event): string {
  const parts = [source?.component || reportingComponent, source?.component ? source.host : reportingInstance]
  return parts.filter(Boolean).join(', ')
}
