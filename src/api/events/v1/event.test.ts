import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { events } from '../../core/v1/event.ts'
import type { Event } from '../../generated/types.ts'
import { refusals, updateRefusals } from '../../validation/create-as-server.ts'
import { eventsEvents, fromCoreEvent, toCoreEvent } from './event.ts'

const text = fc.string({ maxLength: 20 })
const time = fc.constantFrom('2026-01-01T00:00:00Z', '2026-01-02T00:00:00.000001Z')
const coreEvent = fc.record(
  {
    apiVersion: fc.constant('v1'),
    kind: fc.constant('Event'),
    metadata: fc.record({ name: text, namespace: text, resourceVersion: text }),
    involvedObject: fc.record({ kind: text, name: text, uid: text }, { requiredKeys: [] }),
    message: text,
    reason: text,
    action: text,
    type: text,
    count: fc.nat(),
    firstTimestamp: time,
    lastTimestamp: time,
    eventTime: time,
    source: fc.record({ component: text, host: text }, { requiredKeys: [] }),
    reportingComponent: text,
    reportingInstance: text,
    related: fc.record({ name: text }),
    series: fc.record({ count: fc.nat(), lastObservedTime: time }),
  },
  { requiredKeys: ['apiVersion', 'kind', 'metadata', 'involvedObject'] },
)

test('an event says the same in both groups', () => {
  fc.assert(
    fc.property(coreEvent, (event) => {
      expect(toCoreEvent(fromCoreEvent(event as Event))).toEqual(event)
      expect(fromCoreEvent(toCoreEvent(fromCoreEvent(event as Event)))).toEqual(fromCoreEvent(event as Event))
    }),
    { numRuns: 200 },
  )
})

test('the fields of events.k8s.io have their own names', () => {
  const event = {
    apiVersion: 'v1',
    metadata: { name: 'e' },
    involvedObject: { name: 'p' },
    message: 'm',
    reportingComponent: 'c',
    source: { component: 's' },
    count: 2,
  } as Event
  expect(fromCoreEvent(event)).toEqual({
    apiVersion: 'events.k8s.io/v1',
    metadata: { name: 'e' },
    regarding: { name: 'p' },
    note: 'm',
    reportingController: 'c',
    deprecatedSource: { component: 's' },
    deprecatedCount: 2,
  })
  expect(eventsEvents.storedAs).toMatchObject({ group: '', plural: 'events' })
})

const core = { metadata: { name: 'e' }, involvedObject: { namespace: 'default', name: 'p' } }
const modern = {
  metadata: { name: 'e' },
  regarding: { namespace: 'default', name: 'p' },
  eventTime: '2026-01-01T00:00:00.000000Z',
  type: 'Normal',
  reason: 'Started',
  action: 'Start',
  reportingController: 'biplane.dev/node',
  reportingInstance: 'n1',
}

test('an event stands in the namespace of its object', () => {
  expect(refusals(events, core)).toEqual([])
  expect(refusals(events, { ...core, involvedObject: { kind: 'Node', name: 'n' } })).toEqual([])
  expect(refusals(events, { ...core, involvedObject: { namespace: 'other' } })).toEqual([
    'involvedObject.namespace: Invalid value: "other": does not match event.namespace',
  ])
})

test.each([
  [{}, []],
  [{ eventTime: undefined }, ['eventTime: Required value']],
  [{ type: 'Odd' }, ['type: Invalid value: "": has invalid value: Odd']],
  [{ reportingController: '' }, ['reportingController: Required value']],
  [{ note: 'x'.repeat(1025) }, ['note: Invalid value: "": can have at most 1024 characters']],
  [{ deprecatedCount: 3 }, ['deprecatedCount: Invalid value: 3: needs to be unset']],
  [{ series: { count: 1, lastObservedTime: '2026-01-01T00:00:00.000000Z' } }, ['series.count: Invalid value: "": should be at least 2']],
])('a new event of events.k8s.io with %j', (change, errors) => {
  expect(refusals(eventsEvents, { ...modern, ...change })).toEqual(errors)
})

test('only the series of an event changes', () => {
  const series = { count: 2, lastObservedTime: '2026-01-01T00:05:00.000000Z' }
  expect(updateRefusals(eventsEvents, modern, (next) => (next.series = series))).toEqual([])
  expect(updateRefusals(eventsEvents, modern, (next) => (next.note = 'other'))).toEqual([
    'message: Invalid value: "other": field is immutable',
  ])
})
