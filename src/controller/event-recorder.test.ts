import { expect, test } from 'vitest'
import { events } from '../api/core/v1/event.ts'
import { StatusError } from '../base/errors.ts'
import { FakeClock } from '../base/fake-clock.ts'
import { silentLogger } from '../base/log.ts'
import { createMetrics, type Metrics } from '../base/metrics.ts'
import { createClient } from '../client/create-client.ts'
import { FakeApi } from '../client/fake-api.ts'
import type { Event } from '../api/generated/types.ts'
import { EventSink } from './event-recorder.ts'

interface Bench {
  readonly clock: FakeClock
  readonly api: FakeApi
  readonly sink: EventSink
  readonly metrics: Metrics
  readonly stop: AbortController
  readonly list: () => Promise<Event[]>
}

function bench(): Bench {
  const clock = new FakeClock(Date.UTC(2026, 0, 1))
  const api = new FakeApi(clock)
  const client = createClient(api)
  const metrics = createMetrics()
  const sink = new EventSink({ client, clock, random: () => 0.5, log: silentLogger, metrics, host: 'n1' })
  return { clock, api, sink, metrics, stop: new AbortController(), list: async () => (await client.of(events).list()).items }
}

const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'shop', uid: 'u', resourceVersion: '5' } }

test('writes an event beside its object, and counts repeats on it', async () => {
  const { clock, sink, stop, list } = bench()
  const done = sink.run(stop.signal)
  const recorder = sink.recorder('kubelet')
  recorder.event(pod, 'Warning', 'BackOff', 'Back-off restarting failed container')
  await clock.advance(5_000)
  recorder.event(pod, 'Warning', 'BackOff', 'Back-off restarting failed container')
  await clock.advance(0)
  const [event, ...more] = await list()
  expect(more).toEqual([])
  expect(event).toMatchObject({
    metadata: { name: expect.stringMatching(/^web\.[0-9a-f]{16}$/) as string, namespace: 'shop' },
    involvedObject: { apiVersion: 'v1', kind: 'Pod', name: 'web', namespace: 'shop', uid: 'u', resourceVersion: '5' },
    type: 'Warning',
    reason: 'BackOff',
    message: 'Back-off restarting failed container',
    source: { component: 'kubelet', host: 'n1' },
    reportingComponent: 'kubelet',
    count: 2,
    firstTimestamp: '2026-01-01T00:00:00Z',
    lastTimestamp: '2026-01-01T00:00:05Z',
  })
  stop.abort()
  await done
})

test('events of cluster-scoped objects go to the default namespace; long names are cut', async () => {
  const { clock, sink, stop, list } = bench()
  const done = sink.run(stop.signal)
  sink.recorder('x').event({ kind: 'Node', metadata: { name: 'n'.repeat(253) } }, 'Normal', 'Starting', 'up')
  await clock.advance(0)
  const [event] = await list()
  expect(event?.metadata.namespace).toBe('default')
  expect(event?.metadata.name.length).toBe(253)
  stop.abort()
  await done
})

test('an event that has expired on the server is written anew with its count', async () => {
  const { clock, api, sink, stop, list } = bench()
  const done = sink.run(stop.signal)
  sink.recorder('x').event(pod, 'Normal', 'A', 'a')
  await clock.advance(1000)
  const [first] = await list()
  await createClient(api)
    .of(events)
    .delete(first?.metadata.name ?? '', { namespace: 'shop' })
  sink.recorder('x').event(pod, 'Normal', 'A', 'a')
  await clock.advance(0)
  expect((await list()).map(({ count, firstTimestamp }) => [count, firstTimestamp])).toEqual([[2, '2026-01-01T00:00:00Z']])
  stop.abort()
  await done
})

test('waits for a server that is away, and drops what does not fit in the queue meanwhile', async () => {
  const { clock, api, sink, metrics, stop, list } = bench()
  api.intercept = (): boolean => false
  const done = sink.run(stop.signal)
  await clock.advance(0)
  for (let i = 0; i < 1_100; i++) sink.recorder('x').event({ ...pod, metadata: { ...pod.metadata, uid: `u${i}` } }, 'Normal', 'A', 'a')
  await clock.advance(20_000)
  api.intercept = undefined
  await clock.advance(10_000)
  // none was taken from the queue before it was full
  expect((await list()).length).toBe(1_000)
  expect(metrics.render()).toContain('biplane_events_dropped_total 100\n')
  stop.abort()
  await done
})

test('an event the server refuses is dropped, and the next one is written', async () => {
  const { clock, api, sink, stop, list } = bench()
  const done = sink.run(stop.signal)
  let refused = 0
  api.intercept = ({ body }): void => {
    if ((body as Event | undefined)?.reason !== 'Bad') return
    refused++
    throw new StatusError('Forbidden', 'no')
  }
  sink.recorder('x').event(pod, 'Normal', 'Bad', 'a')
  sink.recorder('x').event(pod, 'Normal', 'Good', 'a')
  await clock.advance(0)
  expect(refused).toBe(1)
  expect((await list()).map(({ reason }) => reason)).toEqual(['Good'])
  stop.abort()
  await done
})
