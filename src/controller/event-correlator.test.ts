import { expect, test } from 'vitest'
import { EventCorrelator, type Correlation, type EventDraft } from './event-correlator.ts'

const draft = (message: string, more: Partial<EventDraft> = {}): EventDraft => ({
  involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'web', uid: 'u' },
  type: 'Normal',
  reason: 'Pulled',
  message,
  source: { component: 'kubelet' },
  ...more,
})

/** A correlator whose writes all succeed: the n-th event made is called `e<n>`. */
function recording(): { at: (seconds: number, event: EventDraft) => Correlation; brief: (correlation: Correlation) => string } {
  const correlator = new EventCorrelator()
  let made = 0
  return {
    at(seconds, event) {
      const correlation = correlator.correlate(event, { wallMs: seconds * 1000, monotonicMs: seconds * 1000 })
      if (correlation.action === 'create') correlator.written(correlation.key, `e${++made}`)
      return correlation
    },
    brief: (correlation) =>
      correlation.action === 'drop' ? 'drop' : `${correlation.action === 'count' ? correlation.name : 'new'} x${correlation.count}`,
  }
}

test('an equal event counts on the first one while it repeats within ten minutes', () => {
  const { at, brief } = recording()
  expect(brief(at(0, draft('a')))).toBe('new x1')
  expect(brief(at(1, draft('a')))).toBe('e1 x2')
  expect(brief(at(600, draft('a')))).toBe('e1 x3')
  expect(at(1100, draft('a'))).toMatchObject({ action: 'count', firstMs: 0, count: 4 })
  expect(brief(at(1701, draft('a')))).toBe('new x1')
})

test('object, reason, type and message make an event another one', () => {
  const { at, brief } = recording()
  const other = { ...draft('a').involvedObject, uid: 'v' }
  const events = [
    draft('a'),
    draft('b'),
    draft('a', { reason: 'x' }),
    draft('a', { type: 'Warning' }),
    draft('a', { involvedObject: other }),
  ]
  expect(events.map((event) => brief(at(0, event)))).toEqual(Array(5).fill('new x1'))
})

test('from the tenth different message of one reason on they are written as one event', () => {
  const { at, brief } = recording()
  const got = Array.from({ length: 12 }, (_, i) => at(i, draft(`message ${i}`)))
  expect(got.map(brief)).toEqual([...Array(9).fill('new x1'), 'new x1', 'e10 x2', 'e10 x3'])
  expect(got[9]).toMatchObject({ message: '(combined from similar events): message 9' })
  expect(got[11]).toMatchObject({ message: '(combined from similar events): message 11' })
  expect(brief(at(700, draft('message 99')))).toBe('new x1')
})

test('a flood about one object is cut off after 25, and let through again one in five minutes', () => {
  const { at, brief } = recording()
  const flood = Array.from({ length: 30 }, () => brief(at(0, draft('a'))))
  expect(flood.filter((one) => one === 'drop').length).toBe(5)
  expect(brief(at(0, draft('a', { involvedObject: { ...draft('a').involvedObject, name: 'other' } })))).toBe('new x1')
  expect(brief(at(299, draft('a')))).toBe('drop')
  expect(brief(at(301, draft('a')))).toBe('e1 x32')
  expect(brief(at(302, draft('a')))).toBe('drop')
})
