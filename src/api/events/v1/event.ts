import { EVENT_TTL_SECONDS, eventColumns } from '../../core/v1/event.ts'
import type { Event, EventsEvent, ObjectReference } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import type { KubeObject } from '../../meta/object.ts'
import { checkEventsEvent, checkEventUpdate } from '../../validation/event.ts'
import { collectErrors } from '../../validation/field-errors.ts'

// events.k8s.io is the core Event in other words: one store, two views. Source: k8s.io/kubernetes pkg/apis/events/v1.

/** Name of a field here -> name of the same field in a core Event. Fields that are not listed are called the same. */
const CORE_NAMES: Readonly<Record<string, string>> = {
  note: 'message',
  regarding: 'involvedObject',
  reportingController: 'reportingComponent',
  deprecatedCount: 'count',
  deprecatedFirstTimestamp: 'firstTimestamp',
  deprecatedLastTimestamp: 'lastTimestamp',
  deprecatedSource: 'source',
}
const OWN_NAMES: Readonly<Record<string, string>> = Object.fromEntries(Object.entries(CORE_NAMES).map(([own, core]) => [core, own]))

export const eventsEvents: KindDefinition<EventsEvent> = defineKind({
  group: 'events.k8s.io',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
  shortNames: ['ev'],
  schema: 'io.k8s.api.events.v1.Event',
  ttlSeconds: EVENT_TTL_SECONDS,
  ownColumns: true,
  columns: eventColumns.map(({ value, ...column }) => ({
    ...column,
    value: (event: EventsEvent, nowMs: number) => value(toCoreEvent(event), nowMs),
  })),
  fieldSelectors: {
    'regarding.kind': about('kind'),
    'regarding.namespace': about('namespace'),
    'regarding.name': about('name'),
    'regarding.uid': about('uid'),
    'regarding.apiVersion': about('apiVersion'),
    'regarding.resourceVersion': about('resourceVersion'),
    'regarding.fieldPath': about('fieldPath'),
    reason: ({ reason }) => reason ?? '',
    reportingController: ({ reportingController }) => reportingController ?? '',
    type: ({ type }) => type ?? '',
  },
  storedAs: {
    group: '',
    plural: 'events',
    decode: (stored) => fromCoreEvent(stored as Event),
    encode: (event) => toCoreEvent(event as EventsEvent),
  },
  strategy: {
    allowCreateOnUpdate: true,
    validate: (event) => collectErrors((errors) => checkEventsEvent(errors, event)),
    validateUpdate: (next, previous) => collectErrors((errors) => checkEventUpdate(errors, toCoreEvent(next), toCoreEvent(previous))),
  },
})

/** The core Event that says the same. */
export function toCoreEvent(event: EventsEvent): Event {
  return { ...rename(event, CORE_NAMES), apiVersion: 'v1' } as unknown as Event
}

/** The events.k8s.io Event that says the same. */
export function fromCoreEvent(event: Event): EventsEvent {
  return { ...rename(event, OWN_NAMES), apiVersion: 'events.k8s.io/v1' } as unknown as EventsEvent
}

function rename(object: KubeObject, names: Readonly<Record<string, string>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [names[key] ?? key, value]))
}

function about(key: keyof ObjectReference): (event: EventsEvent) => string {
  return ({ regarding }) => regarding?.[key] ?? ''
}
