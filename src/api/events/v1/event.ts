import type { EventsEvent } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const eventsEvents: KindDefinition<EventsEvent> = defineKind({
  group: 'events.k8s.io',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
  shortNames: ['ev'],
  schema: 'io.k8s.api.events.v1.Event',
})
