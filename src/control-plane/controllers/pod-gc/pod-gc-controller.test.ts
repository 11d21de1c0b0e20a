import { expect, test } from 'vitest'
import { pods } from '../../../api/core/v1/pod.ts'
import type { Pod } from '../../../api/generated/types.ts'
import { FakeClock, startTestCluster } from '../../../testing/index.ts'
import { addPodGc, planPodGc } from './pod-gc-controller.ts'

const pod = (name: string, more: { node?: string; phase?: string; created?: string; deleting?: boolean } = {}): Pod => ({
  metadata: {
    name,
    creationTimestamp: more.created ?? '2026-01-01T00:00:00Z',
    ...(more.deleting ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
  },
  spec: { containers: [], ...(more.node ? { nodeName: more.node } : {}) },
  status: { phase: more.phase ?? 'Running' },
})
const plan = (all: readonly Pod[], threshold = 100): { remove: string[]; lost: string[] } => {
  const { remove, lost } = planPodGc(all, { threshold, missingNodes: new Set(['gone']) })
  return { remove: remove.map(({ metadata }) => metadata.name).sort(), lost: [...lost].map(({ metadata }) => metadata.name).sort() }
}

test('collects what nobody else will', () => {
  const all = [
    pod('fine', { node: 'n1' }),
    pod('waiting'),
    pod('orphan', { node: 'gone' }),
    pod('finished-orphan', { node: 'gone', phase: 'Succeeded' }),
    pod('deleted-unscheduled', { deleting: true }),
    pod('deleted-running', { deleting: true, node: 'n1' }),
  ]
  expect(plan(all)).toEqual({ remove: ['deleted-unscheduled', 'finished-orphan', 'orphan'], lost: ['orphan'] })
})

test('keeps finished pods up to the threshold, the youngest', () => {
  const all = [1, 2, 3, 4].map((day) =>
    pod(`d${day}`, { node: 'n1', phase: day % 2 ? 'Failed' : 'Succeeded', created: `2026-01-0${day}T00:00:00Z` }),
  )
  expect(plan([...all, pod('running', { node: 'n1' })], 2).remove).toEqual(['d1', 'd2'])
  expect(plan(all, 4).remove).toEqual([])
})

test('finished pods beyond the threshold go', async () => {
  const clock = new FakeClock()
  await using cluster = await startTestCluster({ clock })
  const manager = cluster.manager()
  addPodGc(manager, { terminatedThreshold: 1 })
  const stop = new AbortController()
  const done = manager.run(stop.signal)
  for (const name of ['a', 'b', 'c']) {
    await clock.advance(1_000)
    const made = await cluster.client
      .of(pods)
      .create({ metadata: { name, namespace: 'default' }, spec: { containers: [{ name: 'c', image: 'x' }] } })
    await cluster.client.of(pods).updateStatus({ ...made, status: { phase: 'Succeeded' } })
  }
  await clock.advance(30_000)
  expect((await cluster.client.of(pods).list({ namespace: 'default' })).items.map(({ metadata }) => metadata.name)).toEqual(['c'])
  stop.abort()
  await done
})
