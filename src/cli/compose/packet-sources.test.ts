import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { namespaces } from '../../api/core/v1/namespace.ts'
import { pods } from '../../api/core/v1/pod.ts'
import type { Namespace } from '../../api/generated/types.ts'
import { FakeClock } from '../../base/fake-clock.ts'
import { silentLogger } from '../../base/log.ts'
import { startTestCluster, type TestCluster } from '../../testing/index.ts'
import { freshOrKept, openPacketSources, openSource, type PacketSourcesOptions, type Source } from './packet-sources.ts'

let clock: FakeClock
let cluster: TestCluster
let options: PacketSourcesOptions
let stop: AbortController
beforeEach(async () => {
  clock = new FakeClock()
  cluster = await startTestCluster({ clock, namespaces: ['default'] })
  stop = new AbortController()
  options = { client: cluster.client, stateDir: mkdtempSync(join(tmpdir(), 'biplane-sources-')), clock, random: () => 0, log: silentLogger }
})
afterEach(async () => {
  stop.abort()
  await cluster.stop()
  rmSync(options.stateDir, { recursive: true })
})

const names = (source: Source<Namespace>): readonly string[] => source.list.list().map(({ metadata }) => metadata.name)
/** Whether a promise has settled, all that can happen by now having happened. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  let is = false
  void promise.then(() => (is = true))
  await clock.advance(0)
  return is
}

describe('a source', () => {
  test('without a copy is known when the API has told all of it', async () => {
    const source = await openSource(namespaces, options)
    expect(await settled(source.known)).toBe(false)
    const running = source.run(stop.signal)
    expect(await settled(source.known)).toBe(true)
    expect(names(source)).toEqual(['default'])
    stop.abort()
    await running
  })

  test('writes the last changes when it ends; the next one is known from them, and fresh once the API has told more', async () => {
    const first = await openSource(namespaces, options)
    const running = first.run(stop.signal)
    await clock.advance(0)
    stop.abort()
    await running
    await cluster.client.of(namespaces).create({ metadata: { name: 'late' } })
    const second = await openSource(namespaces, options)
    expect([await settled(second.known), await settled(second.fresh), names(second)]).toEqual([true, false, ['default']])
    stop = new AbortController()
    const again = second.run(stop.signal)
    expect([await settled(second.fresh), names(second).toSorted()]).toEqual([true, ['default', 'late']])
    stop.abort()
    await again
  })
})

test('of the pods of the cluster is kept what policies look at, and no more', async () => {
  await cluster.client.of(pods).create({
    metadata: { name: 'p', namespace: 'default', labels: { app: 'p' }, annotations: { note: 'long' } },
    spec: {
      nodeName: 'n1',
      hostNetwork: true,
      initContainers: [
        { name: 'setup', image: 'i', ports: [{ name: 'none', containerPort: 1 }] },
        { name: 'sidecar', image: 'i', restartPolicy: 'Always', ports: [{ name: 'metrics', containerPort: 9 }] },
      ],
      containers: [{ name: 'main', image: 'i', env: [{ name: 'SECRET', value: 'x' }] }],
    },
  })
  const sources = await openPacketSources(options)
  const running = Promise.all(Object.values(sources).map((source: Source<never>) => source.run(stop.signal)))
  await clock.advance(0)
  const [pod] = sources.pods.list.list()
  expect(pod).toMatchObject({
    metadata: { name: 'p', namespace: 'default', labels: { app: 'p' } },
    spec: {
      nodeName: 'n1',
      hostNetwork: true,
      containers: [{ name: 'main' }],
      initContainers: [{ name: 'sidecar', restartPolicy: 'Always', ports: [{ name: 'metrics', containerPort: 9 }] }],
    },
    status: { phase: 'Pending' },
  })
  expect(JSON.stringify(pod)).not.toMatch(/note|SECRET|setup|image/)
  stop.abort()
  await running
  const file = join(options.stateDir, 'cluster-pods.json')
  expect(existsSync(file) && JSON.parse(readFileSync(file, 'utf8'))).toHaveLength(1)
})

describe('lists that policies are made of', () => {
  const source = (known: boolean, fresh: boolean): Pick<Source<never>, 'known' | 'fresh'> => {
    const when = (is: boolean): Promise<void> => (is ? Promise.resolve() : new Promise(() => {}))
    return { known: when(known), fresh: when(fresh) }
  }

  test.each<[string, readonly Pick<Source<never>, 'known' | 'fresh'>[], boolean, boolean]>([
    ['at once when the API has told all', [source(true, true), source(true, true)], true, true],
    ['in the end when there are copies of what it has not', [source(true, true), source(true, false)], false, true],
    ['never while one is missing', [source(true, true), source(false, false)], false, false],
  ])('are there %s', async (_name, sources, soon, late) => {
    const done = freshOrKept(sources, { clock, withinMs: 3_000 })
    expect(await settled(done)).toBe(soon)
    await clock.advance(3_000)
    expect(await settled(done)).toBe(late)
  })
})
