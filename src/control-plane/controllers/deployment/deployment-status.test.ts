import { expect, test } from 'vitest'
import { findCondition } from '../../../api/conditions.ts'
import type { Deployment, DeploymentCondition, ReplicaSet } from '../../../api/generated/types.ts'
import { deploymentStatus, progressDeadlineInMs, type StatusInput } from './deployment-status.ts'

const T0 = Date.parse('2026-01-01T00:00:00Z')
const at = (seconds: number): string => new Date(T0 + seconds * 1000).toISOString().replace('.000', '')

const condition = (reason: string, status: string, seconds = 0): DeploymentCondition => ({
  type: 'Progressing',
  reason,
  status,
  message: '',
  lastUpdateTime: at(seconds),
  lastTransitionTime: at(seconds),
})
interface Traits {
  readonly paused?: boolean
  readonly deadline?: number
  readonly progressing?: DeploymentCondition
  readonly status?: Deployment['status']
}
const deployment = ({ paused = false, deadline = 60, progressing, status }: Traits = {}): Deployment => ({
  metadata: { name: 'web', generation: 1 },
  spec: {
    replicas: 3,
    paused,
    progressDeadlineSeconds: deadline,
    selector: {},
    template: {},
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
  },
  status: { observedGeneration: 1, ...status, conditions: progressing ? [progressing] : [] },
})
const set = (name: string, replicas: number, ready = replicas): ReplicaSet => ({
  metadata: { name, uid: name },
  spec: { replicas, selector: {} },
  status: { replicas, readyReplicas: ready, availableReplicas: ready, terminatingReplicas: 1 },
})
const judge = (wanted: Deployment, input: Omit<StatusInput, 'nowMs'>, seconds = 100): DeploymentCondition | undefined =>
  findCondition(deploymentStatus(wanted, { ...input, nowMs: T0 + seconds * 1000 }).conditions, 'Progressing')

test('adds up its sets', () => {
  const newSet = set('new', 1, 0)
  expect(deploymentStatus(deployment(), { newSet, sets: [set('old', 3, 2), newSet], nowMs: T0 })).toMatchObject({
    replicas: 4,
    updatedReplicas: 1,
    readyReplicas: 2,
    availableReplicas: 2,
    unavailableReplicas: 2,
    terminatingReplicas: 2,
    observedGeneration: 1,
  })
})

test('is available while enough is', () => {
  const available = (ready: number): string | undefined =>
    findCondition(deploymentStatus(deployment(), { sets: [set('old', 3, ready)], nowMs: T0 }).conditions, 'Available')?.status
  expect([available(3), available(2)]).toEqual(['True', 'False'])
})

const done = set('new', 3)
const stuck = set('new', 1, 0)
test.each<[string, Traits, Omit<StatusInput, 'nowMs'>, string | undefined, string | undefined]>([
  ['complete', {}, { newSet: done, sets: [done] }, 'NewReplicaSetAvailable', 'True'],
  [
    'old pods left',
    { progressing: condition('NewReplicaSetCreated', 'True', 90) },
    { newSet: done, sets: [done, set('old', 1)] },
    'ReplicaSetUpdated',
    'True',
  ],
  [
    'nothing moved, in time',
    {
      progressing: condition('ReplicaSetUpdated', 'True', 50),
      status: { replicas: 4, updatedReplicas: 1, readyReplicas: 3, availableReplicas: 3 },
    },
    { newSet: stuck, sets: [stuck, set('old', 3)] },
    'ReplicaSetUpdated',
    'True',
  ],
  [
    'nothing moved for too long',
    {
      progressing: condition('ReplicaSetUpdated', 'True', 40),
      status: { replicas: 4, updatedReplicas: 1, readyReplicas: 3, availableReplicas: 3 },
    },
    { newSet: stuck, sets: [stuck, set('old', 3)] },
    'ProgressDeadlineExceeded',
    'False',
  ],
  [
    'moved after too long',
    {
      progressing: condition('ReplicaSetUpdated', 'True', 0),
      status: { replicas: 4, updatedReplicas: 0, readyReplicas: 3, availableReplicas: 3 },
    },
    { newSet: stuck, sets: [stuck, set('old', 3)] },
    'ReplicaSetUpdated',
    'True',
  ],
  [
    'a rollout that has ended has no deadline',
    { progressing: condition('NewReplicaSetAvailable', 'True', 0), status: { replicas: 3, updatedReplicas: 3 } },
    { newSet: set('new', 3, 1), sets: [set('new', 3, 1)] },
    'NewReplicaSetAvailable',
    'True',
  ],
  ['paused', { paused: true }, { newSet: done, sets: [done] }, 'DeploymentPaused', 'Unknown'],
  [
    'paused after its deadline',
    { paused: true, progressing: condition('ProgressDeadlineExceeded', 'False') },
    { newSet: stuck, sets: [stuck] },
    'ProgressDeadlineExceeded',
    'False',
  ],
  [
    'resumed',
    {
      progressing: condition('DeploymentPaused', 'Unknown', 0),
      status: { replicas: 3, updatedReplicas: 1, readyReplicas: 2, availableReplicas: 2 },
    },
    { newSet: stuck, sets: [stuck, set('old', 2)] },
    'DeploymentResumed',
    'Unknown',
  ],
  [
    'a new set was made',
    {},
    { newSet: stuck, sets: [stuck], rolled: { reason: 'NewReplicaSetCreated', name: 'new' } },
    'NewReplicaSetCreated',
    'True',
  ],
  ['a new set could not be made', {}, { sets: [], createError: 'quota' }, 'ReplicaSetCreateError', 'False'],
  [
    'no deadline, no condition',
    { deadline: 2_147_483_647, progressing: condition('ReplicaSetUpdated', 'True') },
    { newSet: stuck, sets: [stuck] },
    undefined,
    undefined,
  ],
])('progress: %s', (_name, traits, input, reason, status) => {
  const found = judge(deployment(traits), input)
  expect([found?.reason, found?.status]).toEqual([reason, status])
})

test('lastUpdateTime moves with progress, lastTransitionTime with the status', () => {
  const wanted = deployment({ progressing: condition('ReplicaSetUpdated', 'True', 10), status: { replicas: 3, updatedReplicas: 0 } })
  expect(judge(wanted, { newSet: stuck, sets: [stuck, set('old', 3)] })).toMatchObject({
    lastUpdateTime: at(100),
    lastTransitionTime: at(10),
  })
})

test("the failure of a set is the deployment's", () => {
  const failed = set('new', 1, 0)
  failed.status = {
    ...failed.status,
    replicas: 1,
    conditions: [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'quota' }],
  }
  const { conditions } = deploymentStatus(deployment(), { newSet: failed, sets: [failed], nowMs: T0 })
  expect(findCondition(conditions, 'ReplicaFailure')).toMatchObject({ status: 'True', reason: 'FailedCreate', message: 'quota' })
  const healed = deploymentStatus({ ...deployment(), status: { conditions: conditions ?? [] } }, { newSet: done, sets: [done], nowMs: T0 })
  expect(findCondition(healed.conditions, 'ReplicaFailure')).toBeUndefined()
})

test('knows when its deadline is due', () => {
  const wanted = deployment()
  const due = (reason: string, status: string, seconds: number): number | undefined =>
    progressDeadlineInMs(wanted, { conditions: [condition(reason, status)] }, T0 + seconds * 1000)
  expect([
    due('ReplicaSetUpdated', 'True', 10),
    due('ReplicaSetUpdated', 'True', 60),
    due('ProgressDeadlineExceeded', 'False', 70),
  ]).toEqual([50_000, 1_000, undefined])
  expect(progressDeadlineInMs(deployment({ paused: true }), { conditions: [condition('DeploymentPaused', 'Unknown')] }, T0)).toBeUndefined()
})
