import { expect, test } from 'vitest'
import { replicationControllers } from '../../core/v1/replication-controller.ts'
import type { KindDefinition } from '../../kind.ts'
import { created, refusals, updateRefusals } from '../../validation/create-as-server.ts'
import { daemonSets } from './daemon-set.ts'
import { deployments } from './deployment.ts'
import { replicaSets } from './replica-set.ts'
import { statefulSets } from './stateful-set.ts'

const template = { metadata: { labels: { app: 'x' } }, spec: { containers: [{ name: 'c', image: 'i' }] } }
const workload = (spec: object = {}): object => ({
  metadata: { name: 'x' },
  spec: { selector: { matchLabels: { app: 'x' } }, template, ...spec },
})

const ALL: [string, KindDefinition<any>][] = [
  ['Deployment', deployments],
  ['ReplicaSet', replicaSets],
  ['StatefulSet', statefulSets],
  ['DaemonSet', daemonSets],
]

test.each(ALL)('a %s of a few lines is accepted, its template defaulted', (_kind, kind) => {
  expect(refusals(kind, workload())).toEqual([])
  const { spec } = created(
    kind,
    workload({ template: { ...template, spec: { ...template.spec, serviceAccountName: 'sa', volumes: [{ name: 'v' }] } } }),
  ) as {
    spec: { template: unknown }
  }
  expect(spec.template).toMatchObject({
    spec: { restartPolicy: 'Always', serviceAccount: 'sa', volumes: [{ emptyDir: {} }], containers: [{ imagePullPolicy: 'Always' }] },
  })
})

test.each(ALL)('a %s needs a selector that matches its template', (_kind, kind) => {
  expect(refusals(kind, workload({ selector: undefined }))).toEqual(['spec.selector: Required value'])
  expect(refusals(kind, workload({ selector: { matchLabels: { app: 'y' } } }))).toEqual([
    'spec.template.metadata.labels: Invalid value: {"app":"x"}: `selector` does not match template `labels`',
  ])
  const [error] = refusals(kind, workload({ selector: {} }))
  expect(error).toMatch(/^spec\.selector: Invalid value: \{\}: empty selector is invalid for /)
})

test.each(ALL)('a %s always restarts its pods', (_kind, kind) => {
  const never = { ...template, spec: { ...template.spec, restartPolicy: 'Never' } }
  expect(refusals(kind, workload({ template: never }))).toEqual([
    'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
  ])
})

test.each(ALL.filter(([kind]) => kind !== 'StatefulSet'))('the selector of a %s never changes', (_kind, kind) => {
  const change = (next: any): void => {
    next.spec.selector = { matchLabels: { app: 'y' } }
    next.spec.template.metadata.labels = { app: 'y' }
  }
  expect(updateRefusals(kind, workload(), change)).toEqual([
    'spec.selector: Invalid value: {"matchLabels":{"app":"y"}}: field is immutable',
  ])
})

test.each([
  [
    { type: 'Recreate', rollingUpdate: { maxSurge: 1 } },
    ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
  ],
  [
    { rollingUpdate: { maxSurge: 0, maxUnavailable: '0%' } },
    ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0'],
  ],
  [
    { rollingUpdate: { maxUnavailable: '101%' } },
    ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%'],
  ],
  [{ type: 'Slow' }, ['spec.strategy.type: Unsupported value: "Slow": supported values: "Recreate", "RollingUpdate"']],
])('the strategy %j of a deployment', (strategy, errors) => {
  expect(refusals(deployments, workload({ strategy }))).toEqual(errors)
})

test('a deployment must have more time than its pods need', () => {
  expect(refusals(deployments, workload({ progressDeadlineSeconds: 10, minReadySeconds: 10 }))).toEqual([
    'spec.progressDeadlineSeconds: Invalid value: 10: must be greater than minReadySeconds',
  ])
  expect(refusals(deployments, workload({ replicas: -1 }))).toEqual([
    'spec.replicas: Invalid value: -1: must be greater than or equal to 0',
  ])
})

test('a daemon set surges or makes room', () => {
  const strategy = (rollingUpdate: object): string[] => refusals(daemonSets, workload({ updateStrategy: { rollingUpdate } }))
  expect(strategy({ maxSurge: 1 })).toEqual([
    'spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero',
  ])
  expect(strategy({ maxSurge: 1, maxUnavailable: 0 })).toEqual([])
  expect(strategy({ maxUnavailable: 0 })).toEqual([
    'spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0',
  ])
})

test('pods of a stateful set may mount the claims of its templates', () => {
  const mounting = { ...template, spec: { containers: [{ name: 'c', image: 'i', volumeMounts: [{ name: 'data', mountPath: '/data' }] }] } }
  const claim = { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } }
  expect(refusals(statefulSets, workload({ template: mounting, volumeClaimTemplates: [claim] }))).toEqual([])
  expect(refusals(statefulSets, workload({ template: mounting }))).toEqual([
    'spec.template.spec.containers[0].volumeMounts[0].name: Not found: "data"',
  ])
})

test('of a stateful set only some fields change', () => {
  const fine = updateRefusals(statefulSets, workload(), ({ spec }) => Object.assign(spec!, { replicas: 5, minReadySeconds: 1 }))
  expect(fine).toEqual([])
  expect(updateRefusals(statefulSets, workload(), ({ spec }) => Object.assign(spec!, { serviceName: 'other' }))).toEqual([
    "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
  ])
})

test('a replication controller takes labels and selector from its template', () => {
  const object = created(replicationControllers, { metadata: { name: 'x' }, spec: { template } })
  expect(object).toMatchObject({
    metadata: { labels: { app: 'x' } },
    spec: { selector: { app: 'x' }, replicas: 1 },
    status: { replicas: 0 },
  })
  expect(refusals(replicationControllers, { metadata: { name: 'x' }, spec: { selector: { a: 'b' }, template } })).toEqual([
    'spec.template.metadata.labels: Invalid value: {"app":"x"}: `selector` does not match template `labels`',
  ])
})
