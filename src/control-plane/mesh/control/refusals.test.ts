import { expect, test } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import type { Origin } from '../../../policy/traffic/model/index.ts'
import { Quarantine } from './quarantine.ts'
import { Refusals } from './refusals.ts'

const origin = (name: string): Origin => ({ kind: 'MeshTimeout', group: 'kuma.io', namespace: 'shop', name, uid: name, generation: 1 })

test('what thousands of proxies refuse is judged once, and not at all where it is not told any more', async () => {
  const clock = new FakeClock()
  const quarantine = new Quarantine()
  quarantine.observe([origin('a'), origin('b')])
  let looks = 0
  let isRefused = true
  const changes: string[] = []
  const refusals = new Refusals({
    clock,
    quarantine,
    isRefused: () => (looks++, isRefused),
    onChange: ({ kind, reason }) => void changes.push(`${kind} ${reason} ${quarantine.size}`),
  })
  for (let proxies = 0; proxies < 5_000; proxies++) refusals.note({ origins: [origin('a')], kind: 'biplane', reason: `no ${proxies}` })
  expect(looks).toBe(0)
  await clock.advance(50)
  expect([looks, changes]).toEqual([1, ['biplane no 4999 1']])
  // those that come late
  isRefused = false
  refusals.note({ origins: [origin('a')], kind: 'biplane', reason: 'no' })
  refusals.note({ origins: [origin('b')], kind: 'envoy', reason: 'no' })
  await clock.advance(50)
  expect([looks, changes.length, quarantine.size]).toEqual([3, 1, 1])
  refusals.note({ origins: [origin('b')], kind: 'envoy', reason: 'no' })
  refusals.stop()
  await clock.advance(1_000)
  expect(looks).toBe(3)
})
