import { expect, test } from 'vitest'
import { configMaps } from '../api/core/v1/config-map.ts'
import { replicaSets } from '../api/apps/v1/replica-set.ts'
import { pods } from '../api/core/v1/pod.ts'
import { FakeClock } from '../base/fake-clock.ts'
import { silentLogger, type Logger } from '../base/log.ts'
import { createMetrics } from '../base/metrics.ts'
import { createClient } from '../client/create-client.ts'
import { FakeApi } from '../client/fake-api.ts'
import { terminal, watchOf, type Manager, type Reconciler } from './contract.ts'
import { createManager, type ManagerOptions } from './create-manager.ts'
import { ownedBy } from './mappers.ts'

interface Bench {
  readonly clock: FakeClock
  readonly api: FakeApi
  readonly manager: Manager
  readonly start: () => Promise<() => Promise<void>>
}

function bench(options: Partial<ManagerOptions> = {}): Bench {
  const clock = new FakeClock()
  const api = new FakeApi(clock)
  const client = createClient(api)
  const manager = createManager({ client, clock, log: silentLogger, metrics: createMetrics(), random: () => 0, ...options })
  return {
    clock,
    api,
    manager,
    async start() {
      const stop = new AbortController()
      const done = manager.run(stop.signal)
      await clock.advance(0)
      return async () => {
        stop.abort(new Error('test over'))
        await done
      }
    },
  }
}

const map = (name: string): { metadata: { name: string; namespace: string } } => ({ metadata: { name, namespace: 'default' } })

test('reconciles what exists at the start, what is added, changed and deleted', async () => {
  const { clock, manager, start } = bench()
  const resource = manager.client.of(configMaps)
  const seen: string[] = []
  const { lister } = manager.informers.informer(configMaps)
  const reconciler: Reconciler = {
    reconcile: async ({ namespace, name }) => void seen.push(`${name}:${lister.get(`${namespace}/${name}`)?.data?.['x'] ?? 'gone'}`),
  }
  await resource.create({ ...map('old'), data: { x: '1' } })
  manager.addController({ name: 'test', watches: [watchOf(configMaps)], reconciler })
  const stop = await start()
  expect(seen.splice(0)).toEqual(['old:1'])
  await resource.create({ ...map('new'), data: { x: '2' } })
  await clock.advance(0)
  expect(seen.splice(0)).toEqual(['new:2'])
  await resource.patch('new', { data: { x: '3' } }, { type: 'merge', namespace: 'default' })
  await clock.advance(0)
  await resource.delete('old', { namespace: 'default' })
  await clock.advance(0)
  expect(seen).toEqual(['new:3', 'old:gone'])
  await stop()
})

test('wakes the managing owner of a child', async () => {
  const { clock, manager, start } = bench()
  const seen: string[] = []
  manager.addController({
    name: 'rs',
    watches: [watchOf(pods, ownedBy(replicaSets))],
    reconciler: { reconcile: async (request) => void seen.push(`${request.namespace}/${request.name}`) },
  })
  const stop = await start()
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'u' }
  const pod = (name: string, references: object[]): any => ({ metadata: { name, namespace: 'default', ownerReferences: references } })
  await manager.client.of(pods).create(pod('a', [{ ...owner, controller: true }]))
  await manager.client.of(pods).create(pod('b', [owner]))
  await manager.client.of(pods).create(pod('c', [{ ...owner, apiVersion: 'other/v1', controller: true }]))
  await clock.advance(0)
  expect(seen).toEqual(['default/web'])
  await stop()
})

test('retries what throws with growing delays, not what is terminal, and counts both', async () => {
  const { clock, manager, start } = bench()
  const attempts: Record<string, number[]> = { broken: [], hopeless: [] }
  manager.addController({
    name: 'test',
    watches: [watchOf(configMaps)],
    reconciler: {
      async reconcile({ name }) {
        attempts[name]?.push(clock.monotonic())
        throw name === 'hopeless' ? terminal(new Error('no')) : new Error('not yet')
      },
    },
  })
  const stop = await start()
  await manager.client.of(configMaps).create(map('broken'))
  await manager.client.of(configMaps).create(map('hopeless'))
  await clock.advance(80)
  expect(attempts).toEqual({ broken: [0, 5, 15, 35, 75], hopeless: [0] })
  const text = manager.metrics.render()
  expect(text).toContain('controller_runtime_reconcile_errors_total{controller="test"} 6')
  expect(text).toContain('controller_runtime_terminal_reconcile_errors_total{controller="test"} 1')
  expect(text).toContain('workqueue_retries_total{name="test"} 5')
  await stop()
})

test('comes back after requeueAfterMs', async () => {
  const { clock, manager, start } = bench()
  const at: number[] = []
  const reconcile = async (): Promise<{ requeueAfterMs: number }> => {
    at.push(clock.monotonic())
    return { requeueAfterMs: 1000 }
  }
  manager.addController({ name: 'test', watches: [watchOf(configMaps)], reconciler: { reconcile } })
  const stop = await start()
  await manager.client.of(configMaps).create(map('a'))
  await clock.advance(2500)
  expect(at).toEqual([0, 1000, 2000])
  await stop()
})

test('ends only after the reconcile in work has ended, and drops what waits', async () => {
  const { clock, manager, start } = bench()
  const events: string[] = []
  manager.addController({
    name: 'test',
    concurrency: 1,
    watches: [watchOf(configMaps)],
    reconciler: {
      async reconcile({ name }, signal) {
        events.push(`begin ${name}`)
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        events.push(`end ${name}`)
      },
    },
  })
  const stop = await start()
  await manager.client.of(configMaps).create(map('a'))
  await manager.client.of(configMaps).create(map('b'))
  await clock.advance(0)
  await stop()
  expect(events).toEqual(['begin a', 'end a'])
  expect(clock.timers).toBe(0)
})

test('a handler that throws neither stops others nor the informer', async () => {
  const logged: string[] = []
  const log: Logger = { ...silentLogger, error: (message) => void logged.push(message), child: () => log }
  const { clock, manager, start } = bench({ log })
  const seen: string[] = []
  manager.informers.informer(configMaps).addHandler({
    add() {
      throw new Error('bad handler')
    },
  })
  manager.addController({
    name: 'test',
    watches: [watchOf(configMaps)],
    reconciler: { reconcile: async ({ name }) => void seen.push(name) },
  })
  const stop = await start()
  await manager.client.of(configMaps).create(map('a'))
  await manager.client.of(configMaps).create(map('b'))
  await clock.advance(0)
  expect(seen).toEqual(['a', 'b'])
  expect(logged).toEqual(['event handler failed', 'event handler failed'])
  await stop()
})

test('a task that fails is started again, one that returns is not', async () => {
  const { clock, manager, start } = bench()
  const runs: string[] = []
  manager.addTask('fails', async () => {
    runs.push(`fails ${clock.monotonic()}`)
    throw new Error('oh')
  })
  manager.addTask('ends', async () => void runs.push('ends'))
  const stop = await start()
  await clock.advance(3000)
  expect(runs).toEqual(['fails 0', 'ends', 'fails 1000', 'fails 3000'])
  await stop()
})

test('what is added too late is refused, not forgotten', async () => {
  const { manager, start } = bench()
  const stop = await start()
  const code = expect.objectContaining({ code: 'AlreadyRunning' }) as Error
  expect(() => manager.addController({ name: 'late', watches: [], reconciler: { reconcile: async () => {} } })).toThrow(code)
  expect(() => manager.addTask('late', async () => {})).toThrow(code)
  await stop()
})

test('waits for leadership; a second manager takes over when the first one ends', async () => {
  const clock = new FakeClock()
  const api = new FakeApi(clock)
  const log: string[] = []
  const candidate = (identity: string): { stop: AbortController; done: Promise<void> } => {
    const { manager } = bench({ client: createClient(api), clock, leaderElection: { namespace: 'kube-system', name: 'test', identity } })
    manager.addController({
      name: 'test',
      watches: [watchOf(configMaps)],
      reconciler: { reconcile: async ({ name }) => void log.push(`${identity} ${name}`) },
    })
    const stop = new AbortController()
    return { stop, done: manager.run(stop.signal) }
  }
  const first = candidate('one')
  await clock.advance(0)
  const second = candidate('two')
  await createClient(api).of(configMaps).create(map('a'))
  await clock.advance(30_000)
  expect(log.splice(0)).toEqual(['one a'])
  first.stop.abort(new Error('over'))
  await first.done
  await clock.advance(2_100)
  expect(log).toEqual(['two a'])
  second.stop.abort(new Error('over'))
  await second.done
})
