import type { Event } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const events: KindDefinition<Event> = defineKind({
  group: '',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
  shortNames: ['ev'],
  schema: 'io.k8s.api.core.v1.Event',
})
