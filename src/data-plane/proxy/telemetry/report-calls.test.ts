import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import type { CallReport, SeenConnections } from '../../../protocols/mesh-link.ts'
import type { Downstream } from '../contract.ts'
import { reportCalls } from './report-calls.ts'
import { SeenCalls } from './seen-calls.ts'

const from = (address: string, peer?: string): Downstream => ({
  remote: { address, port: 1 },
  local: { address: '10.0.0.1', port: 8080 },
  protocol: 'tcp',
  ...(peer === undefined ? {} : { tls: { peer, version: '', cipher: '' } }),
  drain() {},
  destroy() {},
})
const told = (connections: readonly SeenConnections[]): string[] =>
  connections.map(({ caller, address, port, transport, count }) => `${caller ?? address}:${port} ${transport} ${count}`)

describe('connections that came in', () => {
  it('are counted by caller: whoever has an identity is one, wherever it comes from', () => {
    const seen = new SeenCalls()
    for (const address of ['10.0.0.2', '10.0.0.3']) seen.note(from(address, 'spiffe://d/a'), 80, 'mesh')
    for (const address of ['::ffff:10.0.0.2', '10.0.0.2', '10.0.0.3']) seen.note(from(address), 80, 'plaintext')
    const expected = ['spiffe://d/a:80 mesh 2', '10.0.0.2:80 plaintext 2', '10.0.0.3:80 plaintext 1']
    const report = seen.report(false)
    expect(told(report.connections)).toEqual(expected)
    // not told yet
    expect(told(seen.report(false).connections)).toEqual(expected)
    seen.note(from('10.0.0.3'), 80, 'plaintext')
    report.told()
    expect(told(seen.report(false).connections)).toEqual(['10.0.0.3:80 plaintext 1'])
    expect(told(seen.report(true).connections)).toEqual(['spiffe://d/a:80 mesh 2', '10.0.0.2:80 plaintext 2', '10.0.0.3:80 plaintext 2'])
  })

  it('may be counted elsewhere, and are told once', () => {
    const [here, there] = [new SeenCalls(), new SeenCalls()]
    here.note(from('a'), 80, 'plaintext')
    for (let times = 0; times < 2; times++) {
      there.note(from('a'), 80, 'plaintext')
      const { connections, told: done } = there.report(false)
      for (const one of connections) here.add(one)
      done()
    }
    expect(told(here.report(false).connections)).toEqual(['a:80 plaintext 3'])
  })

  it('are of so many callers at most', () => {
    const seen = new SeenCalls(2)
    for (const address of ['1', '2', '3', '1']) seen.note(from(address), 80, 'plaintext')
    expect(told(seen.report(false).connections)).toEqual(['1:80 plaintext 2', '2:80 plaintext 1'])
  })
})

describe('reports to the control plane', () => {
  let clock: FakeClock
  let seen: SeenCalls
  let reports: CallReport[]
  let epoch: string | Error
  let stop: AbortController
  let done: Promise<void>
  beforeEach(() => {
    clock = new FakeClock()
    seen = new SeenCalls()
    reports = []
    epoch = 'one'
    stop = new AbortController()
    const tell = (report: CallReport): Promise<unknown> => {
      reports.push(report)
      return epoch instanceof Error ? Promise.reject(epoch) : Promise.resolve({ epoch })
    }
    done = reportCalls({ seen, tell, clock, random: () => 0.5 }, stop.signal)
  })
  afterEach(async () => {
    stop.abort()
    await done
  })
  const texts = (): string[] => reports.splice(0).map((report) => `${report.epoch ?? '-'}: ${told(report.connections).join(', ')}`)

  it('come soon, then where there is something to tell, and now and then in any case', async () => {
    await clock.advance(2_000)
    expect(texts()).toEqual(['-: '])
    seen.note(from('a'), 80, 'plaintext')
    await clock.advance(15_000)
    expect(texts()).toEqual(['one: a:80 plaintext 1'])
    await clock.advance(45_000)
    expect(texts()).toEqual([])
    await clock.advance(30_000)
    expect(texts()).toEqual(['one: '])
  })

  it('tell again what could not be told, and everything to a control plane that was started anew', async () => {
    await clock.advance(2_000)
    texts()
    epoch = new Error('away')
    seen.note(from('a'), 80, 'plaintext')
    await clock.advance(15_000)
    seen.note(from('a'), 80, 'plaintext')
    await clock.advance(15_000)
    expect(texts()).toEqual(['one: a:80 plaintext 1', 'one: a:80 plaintext 2'])
    epoch = 'one'
    await clock.advance(15_000)
    expect(texts()).toEqual(['one: a:80 plaintext 2'])
    epoch = 'two'
    seen.note(from('b'), 80, 'plaintext')
    await clock.advance(15_000)
    expect(texts()).toEqual(['one: b:80 plaintext 1', '-: a:80 plaintext 2, b:80 plaintext 1'])
    seen.note(from('b'), 80, 'plaintext')
    await clock.advance(15_000)
    expect(texts()).toEqual(['two: b:80 plaintext 1'])
  })
})
