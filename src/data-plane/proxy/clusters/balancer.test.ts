import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Endpoint, LoadBalancer } from '../../../policy/traffic/model/index.ts'
import { makeBalancer } from './balancer.ts'
import { endpoint, seeded } from './cluster-fixture.ts'
import { Host } from './host.ts'
import { priorityLoads } from './priorities.ts'
import { makeMaglev, makeRing } from './tables.ts'

const host = (n: number, parts: Partial<Endpoint> = {}, nowMs = 0): Host => new Host(endpoint(n, parts), nowMs)

describe('balancers', () => {
  const spread = (config: LoadBalancer, hosts: readonly Host[], count = 1000, nowMs = 0): number[] => {
    const balancer = makeBalancer(config, hosts, seeded())
    const counts = new Map(hosts.map((one) => [one, 0]))
    for (let i = 0; i < count; i++) {
      const one = balancer.pick(undefined, nowMs, 0) as Host
      counts.set(one, (counts.get(one) ?? 0) + 1)
    }
    return [...counts.values()]
  }

  it('goes round, smoothly by weight', () => {
    expect(spread({ type: 'roundRobin' }, [host(1), host(2), host(3), host(4)])).toEqual([250, 250, 250, 250])
    const hosts = [host(1, { weight: 5 }), host(2), host(3)]
    const balancer = makeBalancer({ type: 'roundRobin' }, hosts, seeded())
    const order = Array.from({ length: 7 }, () => hosts.indexOf(balancer.pick(undefined, 0, 0) as Host))
    expect(order).toEqual([0, 0, 1, 0, 2, 0, 0])
  })

  it('prefers who has less to do', () => {
    const hosts = [host(1), host(2)]
    ;(hosts[0] as Host).active = 10
    const [busy, idle] = spread({ type: 'leastRequest', choices: 2 }, hosts) as [number, number]
    expect(busy / (busy + idle)).toBeCloseTo(0.25, 1)
    const weighted = [host(1, { weight: 9 }), host(2)]
    ;(weighted[0] as Host).active = 8
    const [heavy] = spread({ type: 'leastRequest', choices: 2 }, weighted) as [number, number]
    expect(heavy).toBeGreaterThan(430)
    expect(heavy).toBeLessThan(570)
    const [unbiased] = spread({ type: 'leastRequest', choices: 2, activeRequestBias: 0 }, weighted) as [number, number]
    expect(unbiased).toBeGreaterThan(850)
  })

  it('warms new endpoints up', () => {
    const hosts = [host(1, {}, -100_000), host(2, {}, 0)]
    const [, cold] = spread({ type: 'roundRobin', slowStartMs: 10_000 }, hosts, 1100, 0) as [number, number]
    expect(cold).toBe(100)
    const [, half] = spread({ type: 'roundRobin', slowStartMs: 10_000 }, hosts, 1500, 5_000) as [number, number]
    expect(half).toBe(500)
    expect(spread({ type: 'roundRobin', slowStartMs: 10_000 }, hosts, 1000, 10_000)).toEqual([500, 500])
  })

  it.each([
    ['ring', (hosts: readonly { name: string; weight: number }[]) => makeRing(hosts, 1024, 8192, 'xxhash'), 0.35],
    ['murmur ring', (hosts: readonly { name: string; weight: number }[]) => makeRing(hosts, 1024, 8192, 'murmur2'), 0.35],
    ['maglev', (hosts: readonly { name: string; weight: number }[]) => makeMaglev(hosts, 10_007), 0.1],
  ])('a %s is fair by weight, and moves little when one goes', (_, make, tolerance) => {
    const hosts = Array.from({ length: 10 }, (_, i) => ({ name: `10.0.0.${i}:80`, weight: i === 0 ? 2 : 1 }))
    const all = make(hosts)
    const fewer = make(hosts.slice(0, 9))
    const random = seeded()
    const counts = Array.from({ length: 10 }, () => 0)
    let moved = 0
    for (let i = 0; i < 20_000; i++) {
      const key = Math.floor(random() * 0x1_0000_0000)
      const owner = all.lookUp(key, 0)
      counts[owner]!++
      if (owner !== 9 && fewer.lookUp(key, 0) !== owner) moved++
    }
    for (const [i, count] of counts.entries()) expect(Math.abs((count / (i === 0 ? 40_000 : 20_000)) * 11 - 1)).toBeLessThan(tolerance)
    expect(moved / 20_000).toBeLessThan(0.15)
  })
})

describe('priorities', () => {
  it.each([
    [
      [
        [10, 10],
        [10, 10],
      ],
      [100, 0],
      [false, false],
    ],
    [
      [
        [8, 10],
        [10, 10],
      ],
      [100, 0],
      [false, false],
    ],
    [
      [
        [5, 10],
        [10, 10],
      ],
      [70, 30],
      [false, false],
    ],
    [
      [
        [0, 10],
        [10, 10],
      ],
      [0, 100],
      [false, false],
    ],
    [
      [
        [0, 10],
        [0, 10],
      ],
      [50, 50],
      [true, true],
    ],
    [
      [
        [3, 10],
        [3, 10],
      ],
      [50, 50],
      [true, true],
    ],
    [
      [
        [0, 0],
        [5, 10],
      ],
      [0, 100],
      [false, false],
    ],
    [[], [], []],
  ])('%j', (counts, loads, panic) => {
    const result = priorityLoads(counts.map(([healthy, total]) => ({ healthy: healthy as number, total: total as number })))
    expect(result.loads.map(Math.round)).toEqual(loads)
    expect(result.panic).toEqual(panic)
  })

  it('always adds up to 100', () => {
    const one = fc.tuple(fc.nat(20), fc.nat(20)).map(([a, b]) => ({ healthy: Math.min(a, b), total: Math.max(a, b) }))
    fc.assert(
      fc.property(fc.array(one, { minLength: 1, maxLength: 4 }), (counts) => {
        const sum = priorityLoads(counts).loads.reduce((a, b) => a + b, 0)
        expect(sum).toBeCloseTo(counts.some(({ total }) => total > 0) ? 100 : 0)
      }),
    )
  })
})
