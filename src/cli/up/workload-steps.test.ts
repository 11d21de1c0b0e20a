import { describe, expect, test } from 'vitest'
import type { Deployment, Pod, PodStatus } from '../../api/generated/types.ts'
import { planWorkloadSteps, problemOf, type Workloads } from './workload-steps.ts'

const NOTHING: Workloads = { deployments: [], statefulSets: [], daemonSets: [], replicaSets: [], pods: [] }
const here = { namespace: 'default' }
const selector = { matchLabels: { app: 'web' } }

function pod(name: string, status: PodStatus, more: object = {}): Pod {
  return { metadata: { name, ...here, labels: { app: 'web' }, ...more }, spec: { containers: [] }, status }
}
const running = (ready: boolean): PodStatus => ({ phase: 'Running', conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] })
const owned = { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-1', uid: 'u', controller: true }] }
const web = (name: string, ready: boolean): Pod => pod(name, running(ready), owned)

function deployment(status: Deployment['status'], generation = 1): Deployment {
  return {
    metadata: { name: 'web', generation, ...here },
    spec: { replicas: 2, selector, template: { metadata: {}, spec: { containers: [] } } },
    status,
  }
}
const all = { observedGeneration: 1, replicas: 2, updatedReplicas: 2, readyReplicas: 2 }

describe('a deployment', () => {
  test.each([
    ['is done when its status and its pods say so', deployment(all), [web('a', true), web('b', true)], '2/2 ready', 'done'],
    ['is not when a pod is ahead of its status', deployment(all), [web('a', true), web('b', false)], '1/2 ready', 'working'],
    ['is not while its status is of an older spec', deployment(all, 2), [web('a', true), web('b', true)], '2/2 ready', 'working'],
    [
      'is not while an old replica is there',
      deployment({ ...all, replicas: 3 }),
      [web('a', true), web('b', true), web('c', true)],
      '2/2 ready',
      'working',
    ],
  ])('%s', (_name, one, pods, detail, state) => {
    const steps = planWorkloadSteps({ ...NOTHING, deployments: [one], pods })
    expect(steps).toEqual([{ id: 'deployment/default/web', title: 'deployment/web', detail, state }])
  })

  test('tells what is wrong with one of its pods', () => {
    const waiting = { state: { waiting: { reason: 'ImageNotRunnableAsProcess', message: 'no recipe' } } }
    const status = {
      phase: 'Pending',
      containerStatuses: [{ name: 'c', image: '', imageID: '', ready: false, restartCount: 0, ...waiting }],
    }
    const [step] = planWorkloadSteps({ ...NOTHING, deployments: [deployment({})], pods: [pod('a', status, owned)] })
    expect(step?.detail).toBe('0/2 ready; a: ImageNotRunnableAsProcess: no recipe')
  })
})

test.each([
  ['Running and Ready', running(true), 'ready', 'done'],
  ['Running, not Ready', running(false), 'Running', 'working'],
  ['Succeeded', { phase: 'Succeeded' }, 'completed', 'done'],
  ['Failed', { phase: 'Failed' }, 'Failed', 'failed'],
])('a pod of nobody has a step of its own: %s', (_name, status, detail, state) => {
  expect(planWorkloadSteps({ ...NOTHING, pods: [pod('a', status)] })).toEqual([{ id: 'pod/default/a', title: 'pod/a', detail, state }])
})

test('why a pod is not scheduled is a problem; that its containers are being made is none', () => {
  const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1 nodes are available' }
  expect(problemOf(pod('a', { phase: 'Pending', conditions: [condition] }))).toBe('a: Unschedulable: 0/1 nodes are available')
  const starting = { name: 'c', image: '', imageID: '', ready: false, restartCount: 0, state: { waiting: { reason: 'ContainerCreating' } } }
  expect(problemOf(pod('a', { phase: 'Pending', containerStatuses: [starting] }))).toBeUndefined()
})
