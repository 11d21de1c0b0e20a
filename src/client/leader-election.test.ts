import { expect, test } from 'vitest'
import { leases } from '../api/coordination/v1/lease.ts'
import { FakeClock } from '../base/fake-clock.ts'
import { silentLogger } from '../base/log.ts'
import { createClient } from './create-client.ts'
import { FakeApi } from './fake-api.ts'
import { LeadershipLostError, runAsLeader, type LeaderElectionOptions } from './leader-election.ts'
import type { Lease } from '../api/generated/types.ts'

interface Candidate {
  readonly api: FakeApi
  readonly log: string[]
  readonly stop: AbortController
  readonly done: Promise<unknown>
}

/** A candidate with a connection of its own to the shared `api`. */
function candidate(clock: FakeClock, api: FakeApi, identity: string, options: Partial<LeaderElectionOptions> = {}): Candidate {
  const link = new FakeApi(clock)
  link.send = async (request): ReturnType<FakeApi['send']> => {
    if ((await link.intercept?.(request)) === false) throw new Error('connection broken')
    return api.send(request)
  }
  const log: string[] = []
  const stop = new AbortController()
  const lead = async (signal: AbortSignal): Promise<void> => {
    log.push(`leads ${clock.monotonic()}`)
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    log.push(`stops ${clock.monotonic()}`)
  }
  const names = { namespace: 'kube-system', name: 'test', identity }
  const done = runAsLeader(
    { client: createClient(link), clock, random: () => 0, log: silentLogger, ...names, ...options },
    lead,
    stop.signal,
  )
  return { api: link, log, stop, done: done.catch((error: unknown) => error) }
}

function first(): { clock: FakeClock; api: FakeApi; one: Candidate } {
  const clock = new FakeClock()
  const api = new FakeApi(clock)
  return { clock, api, one: candidate(clock, api, 'one') }
}

const read = (api: FakeApi): Promise<Lease> => createClient(api).of(leases).get('test', { namespace: 'kube-system' })

test('one of two leads and renews; the other waits', async () => {
  const { clock, api, one } = first()
  await clock.advance(0)
  const two = candidate(clock, api, 'two')
  await clock.advance(60_000)
  expect(one.log).toEqual(['leads 0'])
  expect(two.log).toEqual([])
  const lease = await read(api)
  expect(lease.spec).toMatchObject({ holderIdentity: 'one', leaseTransitions: 0, leaseDurationSeconds: 15 })
  expect(lease.spec?.renewTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
  for (const { stop, done } of [one, two]) {
    stop.abort()
    expect(await done).toBeUndefined()
  }
  expect(clock.timers).toBe(0)
})

test('a leader that is cut off stops before the other one takes over', async () => {
  const { clock, api, one } = first()
  await clock.advance(0)
  const two = candidate(clock, api, 'two')
  await clock.advance(60_000)
  one.api.intercept = (): boolean => false
  await clock.advance(40_000)
  const stopped = Number(one.log[1]?.split(' ')[1])
  const took = Number(two.log[0]?.split(' ')[1])
  // last renewal at 60 s: deadline after 10 s, expiry seen by the other after 15 s
  expect(stopped).toBe(70_000)
  expect(took).toBeGreaterThanOrEqual(75_000)
  expect(took).toBeLessThanOrEqual(77_500)
  expect(await one.done).toBeInstanceOf(LeadershipLostError)
  expect((await read(api)).spec).toMatchObject({ holderIdentity: 'two', leaseTransitions: 1 })
  two.stop.abort()
  await two.done
})

test('a request that hangs does not keep a leader in office', async () => {
  const { clock, one } = first()
  await clock.advance(60_000)
  one.api.send = ({ signal }): ReturnType<FakeApi['send']> =>
    new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)))
  await clock.advance(10_000)
  expect(one.log).toEqual(['leads 0', 'stops 70000'])
  expect(await one.done).toBeInstanceOf(LeadershipLostError)
})

test('a lease taken away by another holder ends leadership', async () => {
  const { clock, api, one } = first()
  await clock.advance(4_000)
  const lease = await read(api)
  await createClient(api)
    .of(leases)
    .update({ ...lease, spec: { ...lease.spec, holderIdentity: 'thief' } })
  await clock.advance(2_000)
  expect(one.log).toEqual(['leads 0', 'stops 6000'])
  expect(await one.done).toBeInstanceOf(LeadershipLostError)
  expect((await read(api)).spec?.holderIdentity).toBe('thief')
})

test('wall clocks may disagree: a lease from the future expires like any other', async () => {
  const clock = new FakeClock()
  const api = new FakeApi(clock)
  const spec = { holderIdentity: 'gone', leaseDurationSeconds: 15, renewTime: '2099-01-01T00:00:00.000000Z' }
  await createClient(api)
    .of(leases)
    .create({ metadata: { name: 'test', namespace: 'kube-system' }, spec })
  const one = candidate(clock, api, 'one')
  await clock.advance(14_999)
  expect(one.log).toEqual([])
  await clock.advance(2_500)
  expect(one.log).toEqual(['leads 16000'])
  one.stop.abort()
  await one.done
})

test('the lease is given back at the end, so that the next one need not wait', async () => {
  const { clock, api, one } = first()
  await clock.advance(5_000)
  one.stop.abort()
  await one.done
  expect((await read(api)).spec?.holderIdentity).toBe('')
  const two = candidate(clock, api, 'two')
  await clock.advance(0)
  expect(two.log).toEqual(['leads 5000'])
  two.stop.abort()
  await two.done
})
