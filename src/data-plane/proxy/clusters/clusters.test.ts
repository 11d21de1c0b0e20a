import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import type { Cluster, Endpoint, LoadBalancer, OutlierDetection } from '../../../policy/traffic/model/index.ts'
import type { UpstreamEndpoint } from '../contract.ts'
import { MetricTable } from '../telemetry/metric-table.ts'
import { endpoint, seeded } from './cluster-fixture.ts'
import { HealthState } from './health-state.ts'
import { ClusterManager, type Host, type ClusterDeps, type UpstreamCluster } from './index.ts'

const cluster = (parts: Partial<Cluster> = {}): Cluster => ({
  name: 'c',
  discovery: { type: 'eds', name: 'e' },
  protocol: 'http',
  loadBalancer: { type: 'roundRobin' },
  limits: {},
  healthChecks: [],
  ...parts,
})

class World {
  readonly clock = new FakeClock()
  readonly metrics = new MetricTable()
  readonly opened: { readonly name: string; drained: boolean; readonly options: Parameters<ClusterDeps['openEndpoint']>[0] }[] = []
  readonly resolved = new Map<string, readonly string[]>()
  probes: ((ok: boolean) => void)[] = []
  readonly manager: ClusterManager

  constructor(parts: Partial<ClusterDeps> = {}) {
    this.manager = new ClusterManager(
      {
        clock: this.clock,
        random: seeded(),
        place: { zone: 'z1' },
        clientTls: () => undefined,
        resolveHost: async (name) => {
          const addresses = this.resolved.get(name)
          if (!addresses) throw new Error('no such name')
          return { addresses, ttlMs: 10_000 }
        },
        openEndpoint: (options) => {
          const name = 'port' in options.address ? options.address.address : ''
          const record = { name, drained: false, options }
          this.opened.push(record)
          return {
            address: name,
            activeRequests: 0,
            connections: 0,
            drain: () => (record.drained = true),
            destroy() {},
          } as UpstreamEndpoint
        },
        ...parts,
      },
      this.metrics,
    )
  }

  add(parts: Partial<Cluster>, endpoints: readonly Endpoint[]): UpstreamCluster {
    this.manager.setAssignment({ name: 'e', endpoints })
    this.manager.setCluster(cluster(parts))
    return this.manager.get('c') as UpstreamCluster
  }
}

const picks = (from: UpstreamCluster, count: number, hash?: number): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (let i = 0; i < count; i++) {
    const name = from.pick({ hash })?.endpoint.address.address.slice(7) ?? 'none'
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

describe('a cluster', () => {
  it('keeps connections of endpoints that stay, and drains the others', () => {
    const world = new World()
    const one = world.add({}, [endpoint(1), endpoint(2)])
    for (const member of one.hosts) one.connect(member)
    world.manager.setAssignment({ name: 'e', endpoints: [endpoint(2, { weight: 7 }), endpoint(3)] })
    expect(world.opened.map(({ name, drained }) => [name, drained])).toEqual([
      ['10.0.0.1', true],
      ['10.0.0.2', false],
    ])
    for (const member of one.hosts) one.connect(member)
    expect(world.opened.map(({ name }) => name)).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3'])
    world.manager.setCluster(cluster({ limits: { maxRequests: 1 }, loadBalancer: { type: 'random' } }))
    expect(world.opened.filter(({ drained }) => drained)).toHaveLength(1)
    world.manager.setCluster(cluster({ protocol: 'http2' }))
    expect(world.opened.every(({ drained }) => drained)).toBe(true)
    world.manager.removeCluster('c')
    expect(one.pick()).toBeUndefined()
    expect(world.metrics.series).toBe(0)
  })

  it('keeps counting for connections that outlive their cluster', async () => {
    const world = new World()
    const one = world.add({}, [endpoint(1)])
    one.circuit.connectionOpening()
    world.manager.removeCluster('c')
    expect(world.metrics.series).toBeGreaterThan(0)
    one.circuit.connectionClosed()
    await world.clock.advance(30_000)
    expect(world.metrics.series).toBe(0)
  })

  it('leaves out who drains or is not well, panics when too few are left', () => {
    const world = new World()
    const one = world.add({}, [endpoint(1), endpoint(2), endpoint(3, { state: 'draining' }), endpoint(4, { state: 'unhealthy' })])
    expect(picks(one, 10)).toEqual({ 1: 5, 2: 5 })
    world.manager.setAssignment({ name: 'e', endpoints: [1, 2, 3, 4].map((n) => endpoint(n, n > 1 ? { state: 'unhealthy' } : {})) })
    expect(picks(one, 8)).toEqual({ 1: 2, 2: 2, 3: 2, 4: 2 })
    world.manager.setAssignment({ name: 'e', endpoints: [endpoint(1, { state: 'draining' })] })
    expect(one.pick()).toBeUndefined()
    world.manager.removeAssignment('e')
    expect(one.pick()).toBeUndefined()
  })

  it('refuses in panic where that is asked for', () => {
    const check = {
      type: 'tcp',
      intervalMs: 1,
      timeoutMs: 1,
      healthyThreshold: 1,
      unhealthyThreshold: 1,
      failTrafficOnPanic: true,
    } as const
    const one = new World().add(
      { healthChecks: [check] },
      [1, 2, 3].map((n) => endpoint(n, { state: 'unhealthy' })),
    )
    expect(one.pick()).toBeUndefined()
  })

  it('stays near, and goes further when nobody near is left', () => {
    const world = new World()
    const loadBalancer: LoadBalancer = { type: 'roundRobin', locality: { affinity: [{ key: 'topology.kubernetes.io/zone', weight: 99 }] } }
    const one = world.add({ loadBalancer }, [endpoint(1, { zone: 'z1' }), endpoint(2, { zone: 'z2' })])
    const counts = picks(one, 2000)
    expect(counts['1']).toBeGreaterThan(1950)
    expect(counts['2']).toBeGreaterThan(0)
    world.manager.setAssignment({ name: 'e', endpoints: [endpoint(2, { zone: 'z2' })] })
    expect(picks(one, 10)).toEqual({ 2: 10 })
  })

  it('keeps sessions and hashes to their endpoints, and retries elsewhere', () => {
    const world = new World()
    const one = world.add(
      { loadBalancer: { type: 'maglev', tableSize: 1009 } },
      [1, 2, 3].map((n) => endpoint(n)),
    )
    expect(Object.keys(picks(one, 20, 12345))).toHaveLength(1)
    expect(one.pick({ session: '10.0.0.2:80' })?.name).toBe('10.0.0.2:80')
    const first = one.pick({ hash: 7 }) as Host
    const second = one.pick({ hash: 7, tried: [first], attempts: 20 }) as Host
    expect(second).not.toBe(first)
  })

  it('ejects who fails, lets come back, ejects longer the next time', async () => {
    const outlier: OutlierDetection = {
      intervalMs: 1_000,
      baseEjectionMs: 5_000,
      maxEjectionMs: 60_000,
      maxEjectionPercent: 50,
      splitLocalErrors: false,
      consecutive5xx: 3,
    }
    const world = new World()
    const one = world.add(
      { outlierDetection: outlier },
      [1, 2, 3, 4].map((n) => endpoint(n)),
    )
    const [a, b, c] = one.hosts as [Host, Host, Host]
    const fail = (target: Host, times = 3): void => {
      for (let i = 0; i < times; i++) one.report(target, i === 0 ? 'local' : 500)
    }
    fail(a, 2)
    one.report(a, 200)
    fail(a, 2)
    expect(a.outlier.ejected).toBe(false)
    fail(a)
    expect(a.outlier.ejected).toBe(true)
    expect(picks(one, 60)).not.toHaveProperty('1')
    fail(b)
    fail(c)
    expect([b.outlier.ejected, c.outlier.ejected]).toEqual([true, false])
    expect(world.metrics.values[one.stats.ejectionsOverflow]).toBe(1)
    expect(world.metrics.values[one.stats.ejectionsActive]).toBe(2)
    await world.clock.advance(4_000)
    expect(a.outlier.ejected).toBe(true)
    await world.clock.advance(1_001)
    expect(a.outlier.ejected).toBe(false)
    expect(picks(one, 60)).toHaveProperty('1')
    fail(a)
    await world.clock.advance(6_000)
    expect(a.outlier.ejected).toBe(true)
    await world.clock.advance(5_000)
    expect(a.outlier.ejected).toBe(false)
  })

  it('ejects who stands out from the others', async () => {
    const base = { intervalMs: 1_000, baseEjectionMs: 5_000, maxEjectionMs: 60_000, maxEjectionPercent: 50, splitLocalErrors: true }
    for (const detector of [
      { successRate: { minHosts: 5, minRequests: 10, stdevFactor: 1.9 } },
      { failurePercentage: { minHosts: 5, minRequests: 10, threshold: 30 } },
    ]) {
      const world = new World()
      const one = world.add(
        { outlierDetection: { ...base, ...detector } },
        [1, 2, 3, 4, 5].map((n) => endpoint(n)),
      )
      for (const [i, member] of one.hosts.entries()) for (let n = 0; n < 20; n++) one.report(member, i === 2 && n % 2 === 0 ? 500 : 200)
      await world.clock.advance(1_000)
      expect(one.hosts.map(({ outlier }) => outlier.ejected)).toEqual([false, false, true, false, false])
    }
  })

  it('checks actively', async () => {
    const world = new World({ probe: (_, __, done) => void world.probes.push(done) })
    const check = {
      type: 'tcp',
      intervalMs: 1_000,
      timeoutMs: 500,
      healthyThreshold: 2,
      unhealthyThreshold: 2,
      noTrafficIntervalMs: 1_000,
    } as const
    const one = world.add({ healthChecks: [check] }, [endpoint(1)])
    const answer = async (ok: boolean): Promise<boolean> => {
      await world.clock.advance(1_000)
      expect(world.probes).toHaveLength(1)
      world.probes.pop()?.(ok)
      return (one.hosts[0] as Host).health.healthy
    }
    const results: boolean[] = []
    for (const ok of [true, false, false, true, true]) results.push(await answer(ok))
    expect(results).toEqual([true, true, false, false, true])
    world.manager.removeCluster('c')
    await world.clock.advance(5_000)
    expect(world.probes).toHaveLength(0)
    expect(world.clock.timers).toBe(0)
    expect(new HealthState().healthy).toBe(true)
  })

  it('resolves names again, and keeps what it had when that fails', async () => {
    const world = new World()
    world.resolved.set('x.org', ['10.0.0.2', '10.0.0.1'])
    world.manager.setCluster(cluster({ discovery: { type: 'dns', hosts: [{ host: 'x.org', port: 80 }] } }))
    const one = world.manager.get('c') as UpstreamCluster
    await world.clock.advance(0)
    expect(one.hosts.map(({ name }) => name)).toEqual(['10.0.0.1:80', '10.0.0.2:80'])
    world.resolved.delete('x.org')
    await world.clock.advance(10_000)
    expect(one.hosts).toHaveLength(2)
    world.resolved.set('x.org', ['10.0.0.9'])
    await world.clock.advance(5_000)
    expect(one.hosts.map(({ name }) => name)).toEqual(['10.0.0.9:80'])
  })

  it('goes where the connection was going', () => {
    const world = new World()
    world.manager.setCluster(cluster({ discovery: { type: 'originalDestination' } }))
    const one = world.manager.get('c') as UpstreamCluster
    expect(one.pick()).toBeUndefined()
    const found = one.pick({ original: { address: '192.0.2.1', port: 9 } })
    expect(found?.name).toBe('192.0.2.1:9')
    expect(one.pick({ original: { address: '192.0.2.1', port: 9 } })).toBe(found)
    for (let i = 0; i < 3000; i++) one.pick({ original: { address: '192.0.2.1', port: i } })
    expect(one.hosts.length).toBeLessThanOrEqual(1024)
  })

  it('goes where the connection was going with TLS of the mesh, where it knows who is there', () => {
    const world = new World()
    const tls = { mode: 'mesh', identities: ['spiffe://mesh.test/ns/a/sa/cart'] } as const
    world.manager.setCluster(cluster({ discovery: { type: 'originalDestination', meshPort: 15_008 }, protocol: 'http', tls }))
    const one = world.manager.get('c') as UpstreamCluster
    const found = one.pick({ original: { address: '127.0.4.2', port: 8080 } })
    expect(found?.endpoint).toMatchObject({ identity: 'spiffe://mesh.test/ns/a/sa/cart', meshPort: 15_008, address: { port: 8080 } })
    expect(found && one.wireOf(found, 'http1')).toBe('http2')
  })

  it('breaks circuits, and keeps retries in their budget', () => {
    const one = new World().add({ limits: { maxConnections: 1, maxPendingRequests: 1, maxRequests: 10, maxRetries: 1 } }, [endpoint(1)])
    const { circuit } = one
    expect([circuit.connectionOpening(), circuit.connectionOpening()]).toEqual([true, false])
    circuit.connectionClosed()
    expect(circuit.connectionOpening()).toBe(true)
    expect([circuit.requestPending(), circuit.requestPending()]).toEqual([true, false])
    expect(Array.from({ length: 11 }, () => circuit.requestStarting()).filter(Boolean)).toHaveLength(10)
    expect([circuit.retryStarting(undefined), circuit.retryStarting(undefined)]).toEqual([true, false])
    const budget = { percent: 30, minConcurrent: 0 }
    expect([circuit.retryStarting(budget), circuit.retryStarting(budget), circuit.retryStarting(budget)]).toEqual([true, true, false])
  })
})
