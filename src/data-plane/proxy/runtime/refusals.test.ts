import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import { silentLogger } from '../../../base/log.ts'
import { MetricTable } from '../telemetry/index.ts'
import { RefusedConnection, Refusals, type RefusalReason } from './refusals.ts'

function fixture(): { clock: FakeClock; metrics: MetricTable; said: string[]; note: (listener: string, reason: RefusalReason) => void } {
  const clock = new FakeClock()
  const metrics = new MetricTable()
  const said: string[] = []
  const log = {
    ...silentLogger,
    warn: (_: string, fields: object = {}) => void said.push(Object.values(fields).join(' ')),
  }
  const refusals = new Refusals(metrics, clock, log)
  return { clock, metrics, said, note: (listener, reason) => refusals.note(listener, new RefusedConnection(reason, 'why'), '10.0.0.1') }
}

describe('connections that are refused', () => {
  it('are told once in a minute for each listener and reason, with how many there were', async () => {
    const { clock, said, note } = fixture()
    for (let i = 0; i < 5; i++) note('inbound|80', 'noChain')
    note('inbound|80', 'tls')
    note('inbound|81', 'noChain')
    expect(said).toEqual(['inbound|80 noChain 10.0.0.1 why', 'inbound|80 tls 10.0.0.1 why', 'inbound|81 noChain 10.0.0.1 why'])
    await clock.advance(60_000)
    note('inbound|80', 'noChain')
    expect(said.at(-1)).toBe('inbound|80 noChain 10.0.0.1 why 4')
  })

  it('are counted, all of them', () => {
    const { metrics, note } = fixture()
    for (let i = 0; i < 5; i++) note('inbound|80', 'noChain')
    note('inbound|80', 'tls')
    const text = metrics.render()
    expect(text).toContain('envoy_listener_no_filter_chain_match{envoy_listener_address="inbound|80"} 5')
    expect(text).toContain('envoy_listener_ssl_connection_error{envoy_listener_address="inbound|80"} 1')
  })

  it('cost no more memory than listeners have', () => {
    const { said, note } = fixture()
    for (let i = 0; i < 1_500; i++) note(`l${i}`, 'noChain')
    // the first was forgotten, the last was not
    note('l1499', 'noChain')
    note('l0', 'noChain')
    expect(said).toHaveLength(1_501)
  })

  it('for no reason of ours are no news', () => {
    const { said, note } = fixture()
    note('inbound|80', 'other')
    expect(said).toEqual([])
  })
})
