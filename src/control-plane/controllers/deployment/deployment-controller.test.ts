import { expect, test } from 'vitest'
import { deployments } from '../../../api/apps/v1/deployment.ts'
import { replicaSets } from '../../../api/apps/v1/replica-set.ts'
import { events } from '../../../api/core/v1/event.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import { findCondition } from '../../../api/conditions.ts'
import { podTemplateHash } from '../../../api/meta/hash.ts'
import type { Deployment, Pod, ReplicaSet } from '../../../api/generated/types.ts'
import { startRunningCluster, template, webDeployment, type RunningCluster } from '../../../testing/running-cluster.ts'

const merge = { type: 'merge', namespace: 'default' } as const
const imageOf = (object: Pod | ReplicaSet): string | undefined =>
  'template' in (object.spec ?? {})
    ? (object as ReplicaSet).spec?.template?.spec?.containers[0]?.image
    : (object as Pod).spec?.containers[0]?.image
const patch = (running: RunningCluster, spec: unknown): Promise<Deployment> => running.client.of(deployments).patch('web', { spec }, merge)
const revision = (object: Deployment | ReplicaSet | undefined): string | undefined =>
  object?.metadata.annotations?.['deployment.kubernetes.io/revision']
const sizes = (sets: readonly ReplicaSet[]): Record<string, number | undefined> =>
  Object.fromEntries(sets.map((set) => [imageOf(set), set.spec?.replicas]))
const progressing = (deployment: Deployment): string | undefined => findCondition(deployment.status?.conditions, 'Progressing')?.reason

test('a deployment comes up, and says so', async () => {
  await using running = await startRunningCluster()
  await running.client.of(deployments).create(webDeployment())
  await running.advance(2_000)
  const found = await running.deployment('web')
  expect(found.status).toMatchObject({
    observedGeneration: 1,
    replicas: 3,
    updatedReplicas: 3,
    readyReplicas: 3,
    availableReplicas: 3,
    unavailableReplicas: 0,
  })
  expect(found.status?.conditions?.map(({ type, status, reason }) => [type, status, reason])).toEqual([
    ['Available', 'True', 'MinimumReplicasAvailable'],
    ['Progressing', 'True', 'NewReplicaSetAvailable'],
  ])
  const [set] = await running.sets()
  const hash = podTemplateHash(found.spec?.template)
  expect(set?.metadata).toMatchObject({
    name: `web-${hash}`,
    labels: { app: 'web', 'pod-template-hash': hash },
    annotations: {
      'deployment.kubernetes.io/revision': '1',
      'deployment.kubernetes.io/desired-replicas': '3',
      'deployment.kubernetes.io/max-replicas': '4',
    },
  })
  expect(revision(found)).toBe('1')
  const told = (await running.client.of(events).list({ namespace: 'default' })).items.filter(
    (event) => event.involvedObject.kind === 'Deployment',
  )
  expect(told.map(({ message }) => message)).toEqual([`Scaled up replica set web-${hash} from 0 to 3`])
})

test('a rolling update never has too few or too many pods', async () => {
  await using running = await startRunningCluster()
  await running.client
    .of(deployments)
    .create(webDeployment({ replicas: 4, strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } } }))
  await running.advance(2_000)
  const seen: [number, number][] = []
  const watch = new AbortController()
  const counting = (async () => {
    try {
      for await (const _event of running.client.of(pods).watch({ namespace: 'default', signal: watch.signal })) {
        const all = (await running.pods()).filter((pod) => !pod.metadata.deletionTimestamp)
        seen.push([all.length, all.filter((pod) => findCondition(pod.status?.conditions, 'Ready')?.status === 'True').length])
      }
    } catch {}
  })()
  await patch(running, { template: template('v2') })
  await running.advance(5_000)
  watch.abort()
  await counting
  expect((await running.pods()).map(imageOf)).toEqual(['v2', 'v2', 'v2', 'v2'])
  expect(sizes(await running.sets())).toEqual({ v1: 0, v2: 4 })
  expect(seen.length).toBeGreaterThan(8)
  expect(Math.max(...seen.map(([total]) => total))).toBeLessThanOrEqual(5)
  expect(Math.min(...seen.map(([, ready]) => ready))).toBeGreaterThanOrEqual(3)
  expect(revision(await running.deployment('web'))).toBe('2')
})

test('recreate waits until the last old pod has gone', async () => {
  await using running = await startRunningCluster({ terminationMs: 5_000 })
  await running.client.of(deployments).create(webDeployment({ strategy: { type: 'Recreate' } }))
  await running.advance(2_000)
  await patch(running, { template: template('v2') })
  await running.advance(3_000)
  expect((await running.pods()).map(imageOf)).toEqual(['v1', 'v1', 'v1'])
  expect(sizes(await running.sets())).toEqual({ v1: 0 })
  await running.advance(4_000)
  expect((await running.pods()).map(imageOf)).toEqual(['v2', 'v2', 'v2'])
  expect(progressing(await running.deployment('web'))).toBe('NewReplicaSetAvailable')
})

test('a paused deployment scales but does not roll; resumed, it rolls', async () => {
  await using running = await startRunningCluster()
  await running.client.of(deployments).create(webDeployment())
  await running.advance(2_000)
  await patch(running, { paused: true, template: template('v2') })
  await running.advance(2_000)
  expect(sizes(await running.sets())).toEqual({ v1: 3 })
  expect(progressing(await running.deployment('web'))).toBe('DeploymentPaused')
  await patch(running, { replicas: 5 })
  await running.advance(2_000)
  expect(sizes(await running.sets())).toEqual({ v1: 5 })
  await patch(running, { paused: false })
  await running.advance(5_000)
  expect(sizes(await running.sets())).toEqual({ v1: 0, v2: 5 })
  expect(progressing(await running.deployment('web'))).toBe('NewReplicaSetAvailable')
})

test('going back to an old template reuses its set and keeps the history', async () => {
  await using running = await startRunningCluster()
  await running.client.of(deployments).create(webDeployment())
  await running.advance(2_000)
  await patch(running, { template: template('v2') })
  await running.advance(5_000)
  await patch(running, { template: template('v1') })
  await running.advance(5_000)
  const sets = await running.sets()
  expect(sizes(sets)).toEqual({ v1: 3, v2: 0 })
  const old = sets.find((set) => imageOf(set) === 'v1')
  expect(revision(old)).toBe('3')
  expect(old?.metadata.annotations?.['deployment.kubernetes.io/revision-history']).toBe('1')
  expect(revision(await running.deployment('web'))).toBe('3')
  expect(progressing(await running.deployment('web'))).toBe('NewReplicaSetAvailable')
})

test('a rollout that gets nowhere exceeds its deadline, is scaled in proportion, and recovers', async () => {
  await using running = await startRunningCluster({ isReady: (pod) => imageOf(pod) !== 'bad' })
  await running.client
    .of(deployments)
    .create(webDeployment({ replicas: 10, progressDeadlineSeconds: 60, strategy: { rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } } }))
  await running.advance(3_000)
  await patch(running, { template: template('bad') })
  await running.advance(3_000)
  expect(sizes(await running.sets())).toEqual({ v1: 8, bad: 5 })
  expect(progressing(await running.deployment('web'))).toBe('ReplicaSetUpdated')
  await running.advance(70_000)
  expect(findCondition((await running.deployment('web')).status?.conditions, 'Progressing')).toMatchObject({
    status: 'False',
    reason: 'ProgressDeadlineExceeded',
  })
  await patch(running, { replicas: 15 })
  await running.advance(3_000)
  // the example of upstream's documentation, "Proportional scaling"
  expect(sizes(await running.sets())).toEqual({ v1: 11, bad: 7 })
  await patch(running, { template: template('v1') })
  await running.advance(10_000)
  expect(sizes(await running.sets())).toEqual({ v1: 15, bad: 0 })
  expect(progressing(await running.deployment('web'))).toBe('NewReplicaSetAvailable')
})

test('a pod that dies after the rollout is no progress of it', async () => {
  await using running = await startRunningCluster()
  await running.client.of(deployments).create(webDeployment())
  await running.advance(2_000)
  const before = findCondition((await running.deployment('web')).status?.conditions, 'Progressing')
  const [victim] = await running.pods()
  await running.client.of(pods).delete(victim!.metadata.name, { namespace: 'default' })
  await running.advance(5_000)
  expect((await running.pods()).length).toBe(3)
  expect(findCondition((await running.deployment('web')).status?.conditions, 'Progressing')).toEqual(before)
})

test('old sets beyond the history limit are forgotten, but only once the rollout is complete', async () => {
  await using running = await startRunningCluster({ isReady: (pod) => imageOf(pod) !== 'bad' })
  await running.client.of(deployments).create(webDeployment({ revisionHistoryLimit: 1 }))
  await running.advance(2_000)
  for (const image of ['v2', 'v3']) {
    await patch(running, { template: template(image) })
    await running.advance(5_000)
  }
  expect(sizes(await running.sets())).toEqual({ v2: 0, v3: 3 })
  await patch(running, { template: template('bad') })
  await running.advance(5_000)
  expect(Object.keys(sizes(await running.sets())).sort()).toEqual(['bad', 'v2', 'v3'])
})

test('a set of another template under the same name is a collision: the next name is taken', async () => {
  await using running = await startRunningCluster()
  const draft = webDeployment()
  const dry = await running.client.of(deployments).create(draft, { dryRun: true })
  const name = `web-${podTemplateHash(dry.spec?.template)}`
  await running.client.of(replicaSets).create({
    metadata: { name, namespace: 'default' },
    spec: {
      replicas: 0,
      selector: { matchLabels: { app: 'other' } },
      template: { metadata: { labels: { app: 'other' } }, spec: template('x')!.spec! },
    },
  })
  await running.client.of(deployments).create(draft)
  await running.advance(3_000)
  const found = await running.deployment('web')
  expect(found.status).toMatchObject({ collisionCount: 1, availableReplicas: 3 })
  expect((await running.sets()).map((set) => set.metadata.name)).toContain(`web-${podTemplateHash(found.spec?.template, 1)}`)
})

test('an orphaned set that matches is adopted, one that stops matching is released', async () => {
  await using running = await startRunningCluster()
  await running.client.of(deployments).create(webDeployment())
  await running.advance(2_000)
  const [set] = await running.sets()
  await running.client.of(replicaSets).patch(set!.metadata.name, { metadata: { ownerReferences: null } }, merge)
  await running.advance(2_000)
  expect((await running.sets()).map((one) => one.metadata.ownerReferences?.[0]?.name)).toEqual(['web'])
  await running.client.of(replicaSets).patch(set!.metadata.name, { metadata: { labels: { app: 'else' } } }, merge)
  await running.advance(3_000)
  const released = (await running.sets()).find((one) => one.metadata.uid === set!.metadata.uid)
  expect(released?.metadata.ownerReferences ?? []).toEqual([])
})
