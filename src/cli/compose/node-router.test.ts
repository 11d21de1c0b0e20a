import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { nodes } from '../../api/core/v1/node.ts'
import { routers } from '../../api/routing.biplane.dev/v1alpha1/router.ts'
import { staticRoutes } from '../../api/routing.biplane.dev/v1alpha1/static-route.ts'
import { FakeClock } from '../../base/fake-clock.ts'
import { silentLogger } from '../../base/log.ts'
import { startTestCluster, type TestCluster } from '../../testing/index.ts'
import { dataLayout } from './layout.ts'
import { superviseRouter } from './node-router.ts'
import { openSource } from './packet-sources.ts'

let clock: FakeClock
let cluster: TestCluster
let dataDir: string
let log: string
let stop: AbortController
let running: Promise<unknown>
beforeEach(async () => {
  clock = new FakeClock()
  cluster = await startTestCluster({ clock })
  dataDir = mkdtempSync(join(tmpdir(), 'biplane-router-'))
  const { state } = dataLayout(dataDir).node('n1')
  mkdirSync(state, { recursive: true })
  log = join(state, 'router.log')
  stop = new AbortController()
  await cluster.client.of(nodes).create({ metadata: { name: 'n1', labels: { rack: 'a' } } })
})
afterEach(async () => {
  stop.abort()
  await running
  await cluster.stop()
  rmSync(dataDir, { recursive: true })
})

/** Supervises a router that ends at once. */
async function supervise(): Promise<void> {
  const options = { client: cluster.client, clock, random: () => 0, log: silentLogger, stateDir: dataLayout(dataDir).node('n1').state }
  const source = await openSource(nodes, options)
  const router = superviseRouter(
    { ...options, self: ['/bin/true'], dataDir, name: 'n1', server: 'https://192.0.2.1:6443', caCertificate: 'x', nodes: source, env: {} },
    stop.signal,
  )
  running = Promise.all([source.run(stop.signal), router])
}

/** Whether a router is started, files and all that needs no time having had their turns. */
async function started(rounds = 2_000): Promise<boolean> {
  for (let round = 0; round < rounds && !existsSync(log); round++) {
    await clock.advance(1)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return existsSync(log)
}

describe('a router is started', () => {
  const away = { matchLabels: { rack: 'b' } }

  test.each<[string, () => Promise<unknown>]>([
    ['for a Router of all nodes', () => cluster.client.of(routers).create({ metadata: { name: 'all' }, spec: { asn: 64_512 } })],
    [
      'for a StaticRoute of its rack',
      () =>
        cluster.client.of(staticRoutes).create({
          metadata: { name: 'r' },
          spec: { prefix: '203.0.113.0/24', type: 'Blackhole', nodeSelector: { matchLabels: { rack: 'a' } } },
        }),
    ],
    [
      'when the node moves to the rack of a Router',
      async () => {
        await cluster.client.of(nodes).patch('n1', { metadata: { labels: { rack: 'b' } } }, { type: 'merge' })
      },
    ],
  ])('%s, and not before', async (_name, act) => {
    await cluster.client.of(routers).create({ metadata: { name: 'other' }, spec: { asn: 64_512, nodeSelector: away } })
    await supervise()
    expect(await started(200)).toBe(false)
    await act()
    expect(await started()).toBe(true)
  })

  test('at once, whatever the API says, where an earlier agent had one', async () => {
    writeFileSync(join(dataLayout(dataDir).node('n1').state, 'router.process.json'), '{}')
    await supervise()
    expect(await started()).toBe(true)
  })

  test('never when the agent ends first', async () => {
    await supervise()
    expect(await started(200)).toBe(false)
    stop.abort()
    await running
    expect(existsSync(log)).toBe(false)
  })
})
