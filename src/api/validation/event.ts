import type { Event, EventsEvent } from '../generated/types.ts'
import { checkQualifiedName } from '../meta/names.ts'
import type { FieldErrors } from './field-errors.ts'
import { semanticEqual } from './semantic-equal.ts'

const MAX_NAME = 128
const MAX_NOTE = 1024
const CHANGEABLE_SERIES = ['count', 'lastObservedTime'] as const

/** An event stands in the namespace of what it is about. Source: k8s.io/kubernetes core/validation.legacyValidateEvent. */
export function checkEvent(errors: FieldErrors, event: Event): void {
  const { namespace } = event.metadata
  const about = event.involvedObject?.namespace ?? ''
  const matches = about === '' ? !namespace || namespace === 'default' || namespace === 'kube-system' : about === namespace
  if (!matches) errors.invalid('involvedObject.namespace', about, 'does not match event.namespace')
}

/** What was said of a thing once stays; only how often and when last may change. */
export function checkEventUpdate(errors: FieldErrors, next: Event, previous: Event): void {
  // events of the old form, without eventTime, may be rewritten as a whole
  if (!previous.eventTime) return
  const fields = ['involvedObject', 'reason', 'message', 'source', 'firstTimestamp', 'eventTime', 'action', 'related', 'type'] as const
  for (const field of fields) errors.immutable(field, next[field], previous[field])
  errors.immutable('reportingController', next.reportingComponent, previous.reportingComponent)
  errors.immutable('reportingInstance', next.reportingInstance, previous.reportingInstance)
}

/** The stricter rules of events.k8s.io. Source: k8s.io/kubernetes core/validation.ValidateEventCreate. */
export function checkEventsEvent(errors: FieldErrors, event: EventsEvent): void {
  const { namespace, resourceVersion } = event.metadata
  checkSeries(errors, event)
  // an update may be of an event that was written in the older form
  if (resourceVersion) return
  const about = event.regarding?.namespace ?? ''
  if (about === '' ? namespace !== 'default' && namespace !== 'kube-system' : about !== namespace) {
    errors.invalid('regarding.namespace', about, 'does not match event.namespace')
  }
  if (!event.eventTime) errors.required('eventTime')
  if (event.type !== 'Normal' && event.type !== 'Warning') errors.invalid('type', '', `has invalid value: ${event.type ?? ''}`)
  if (!event.reportingController) errors.required('reportingController')
  else errors.invalidEach('reportingController', event.reportingController, checkQualifiedName(event.reportingController))
  for (const field of ['reportingInstance', 'action', 'reason'] as const) {
    const value = event[field]
    if (!value) errors.required(field)
    else if (value.length > MAX_NAME) errors.invalid(field, '', `can have at most ${MAX_NAME} characters`)
  }
  if ((event.note?.length ?? 0) > MAX_NOTE) errors.invalid('note', '', `can have at most ${MAX_NOTE} characters`)
  for (const field of ['deprecatedFirstTimestamp', 'deprecatedLastTimestamp', 'deprecatedCount', 'deprecatedSource'] as const) {
    if (!semanticEqual(event[field], undefined)) errors.invalid(field, event[field], 'needs to be unset')
  }
}

function checkSeries(errors: FieldErrors, { series }: EventsEvent): void {
  if (!series) return
  if ((series.count ?? 0) < 2) errors.invalid('series.count', '', 'should be at least 2')
  for (const field of CHANGEABLE_SERIES) if (series[field] === undefined) errors.required(`series.${field}`)
}
