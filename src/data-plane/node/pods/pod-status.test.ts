import { describe, expect, test } from 'vitest'
import { podPhase, podStatus } from './pod-status.ts'
import { adoptStatus, mergeStatus } from './merge-status.ts'
import { START_MS, container, sidecar, statusOf, viewOf, type ViewParts } from './view-fixture.ts'

const two = { main: [container('a'), container('b')] }
const context = { hostIPs: ['10.0.0.1'], podIPs: ['127.64.1.1'], runtimeName: 'fake' }
const statusFor = (parts: ViewParts): ReturnType<typeof podStatus> => podStatus(viewOf(parts), context)
const conditions = (parts: ViewParts): Record<string, string> =>
  Object.fromEntries((statusFor(parts).conditions ?? []).map(({ type, status, reason }) => [type, reason ? `${status} ${reason}` : status]))

// the cases of kubernetes/pkg/kubelet kubelet_pods_test.go TestPodPhaseWith*
describe('phase', () => {
  test.each<[string, ViewParts, string]>([
    ['Always: nothing started', two, 'Pending'],
    ['Always: all running', { ...two, states: { a: 'running', b: 'running' } }, 'Running'],
    ['Always: all stopped', { ...two, states: { a: 'exited:0', b: 'exited:1' } }, 'Running'],
    ['Always: one running, one stopped', { ...two, states: { a: 'running', b: 'exited:1' } }, 'Running'],
    ['Always: one running, one not started', { ...two, states: { a: 'running' } }, 'Pending'],
    ['Always: one running, one created', { ...two, states: { a: 'running', b: 'created' } }, 'Pending'],
    [
      'Always: one waits after a crash',
      { ...two, states: { a: 'running', b: 'created#1' }, containers: { b: { previous: statusOf('b', 'exited:1') } } },
      'Running',
    ],
    ['Never: all succeeded', { ...two, restartPolicy: 'Never', states: { a: 'exited:0', b: 'exited:0' } }, 'Succeeded'],
    ['Never: all failed', { ...two, restartPolicy: 'Never', states: { a: 'exited:1', b: 'exited:1' } }, 'Failed'],
    ['Never: one failed', { ...two, restartPolicy: 'Never', states: { a: 'exited:0', b: 'exited:1' } }, 'Failed'],
    ['Never: one running', { ...two, restartPolicy: 'Never', states: { a: 'running', b: 'exited:1' } }, 'Running'],
    ['OnFailure: all succeeded', { ...two, restartPolicy: 'OnFailure', states: { a: 'exited:0', b: 'exited:0' } }, 'Succeeded'],
    ['OnFailure: all failed', { ...two, restartPolicy: 'OnFailure', states: { a: 'exited:1', b: 'exited:1' } }, 'Running'],
    ['init: running', { init: [container('i')], states: { i: 'running' } }, 'Pending'],
    ['init: failed, Always', { init: [container('i')], states: { i: 'exited:1' } }, 'Pending'],
    ['init: failed, Never', { init: [container('i')], restartPolicy: 'Never', states: { i: 'exited:1' } }, 'Failed'],
    ['init: done, main not started', { init: [container('i')], states: { i: 'exited:0' } }, 'Pending'],
    ['sidecar: starting', { init: [sidecar('s')], states: { s: 'running' }, containers: { s: { started: false } } }, 'Pending'],
    [
      'sidecar: still running after the work is done',
      { init: [sidecar('s')], restartPolicy: 'Never', states: { s: 'running', main: 'exited:0' } },
      'Running',
    ],
    [
      'sidecar: ended after the work is done',
      { init: [sidecar('s')], restartPolicy: 'Never', states: { s: 'exited:137', main: 'exited:0' } },
      'Succeeded',
    ],
    ['deleted: ended well', { states: { main: 'exited:0' }, view: { terminating: true } }, 'Succeeded'],
    ['deleted: killed', { states: { main: 'exited:137' }, view: { terminating: true } }, 'Failed'],
    ['ended by the node, still stopping', { states: { main: 'running' }, view: { ended: { reason: 'Evicted', message: '' } } }, 'Running'],
    ['ended by the node', { states: { main: 'exited:0' }, view: { ended: { reason: 'Evicted', message: '' } } }, 'Failed'],
    ['a final phase stays', { states: { main: 'running' }, status: { phase: 'Failed' } }, 'Failed'],
  ])('%s', (_name, parts, want) => expect(podPhase(viewOf(parts))).toBe(want))
})

describe('conditions', () => {
  test('of a running pod', () => {
    expect(conditions({ states: { main: 'running' } })).toEqual({
      PodReadyToStartContainers: 'True',
      Initialized: 'True',
      Ready: 'True',
      ContainersReady: 'True',
      PodScheduled: 'True',
    })
  })
  test('of one whose containers are not ready', () => {
    const { conditions } = statusFor({ ...two, states: { a: 'running', b: 'running' }, containers: { b: { ready: false } } })
    expect(conditions?.find(({ type }) => type === 'Ready')).toMatchObject({
      status: 'False',
      reason: 'ContainersNotReady',
      message: 'containers with unready status: [b]',
    })
  })
  test('of one that initializes', () => {
    const parts = { init: [container('i')], states: { i: 'running' } }
    expect(conditions(parts)['Initialized']).toBe('False ContainersNotInitialized')
    expect(statusFor(parts).containerStatuses?.[0]?.state).toEqual({ waiting: { reason: 'PodInitializing' } })
  })
  test('of one that is done', () => {
    expect(conditions({ restartPolicy: 'Never', states: { main: 'exited:0' } })).toMatchObject({
      PodReadyToStartContainers: 'False',
      Initialized: 'True PodCompleted',
      Ready: 'False PodCompleted',
      ContainersReady: 'False PodCompleted',
    })
  })
  test('readiness gates hold Ready back, not ContainersReady', () => {
    const gated = { spec: { readinessGates: [{ conditionType: 'x/ready' }] }, states: { main: 'running' } }
    expect(conditions(gated)).toMatchObject({ Ready: 'False ReadinessGatesNotReady', ContainersReady: 'True' })
    const open = { ...gated, status: { conditions: [{ type: 'x/ready', status: 'True' }] } }
    expect(conditions(open)).toMatchObject({ Ready: 'True', 'x/ready': 'True' })
  })
  test('keep their transition time until their status changes', () => {
    const before = '2025-12-31T00:00:00Z'
    const status = {
      startTime: before,
      conditions: [
        { type: 'Ready', status: 'False', lastTransitionTime: before },
        { type: 'Initialized', status: 'True', lastTransitionTime: before },
      ],
    }
    const after = statusFor({ states: { main: 'running' }, status })
    const times = Object.fromEntries((after.conditions ?? []).map(({ type, lastTransitionTime }) => [type, lastTransitionTime]))
    expect(times).toMatchObject({ Ready: '2026-01-01T00:00:00Z', Initialized: before })
    expect(after.startTime).toBe(before)
  })
})

describe('container status', () => {
  const one = (parts: ViewParts): unknown => statusFor(parts).containerStatuses?.[0]
  test('of a running container with a start before', () => {
    expect(one({ states: { main: 'running#2' }, containers: { main: { previous: statusOf('main', 'exited:1#1') } } })).toEqual({
      name: 'main',
      image: 'host',
      imageID: 'fake://host',
      containerID: 'fake://u1/main/2',
      ready: true,
      started: true,
      restartCount: 2,
      state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
      lastState: {
        terminated: {
          exitCode: 1,
          reason: 'Error',
          startedAt: '2026-01-01T00:00:00Z',
          finishedAt: '2026-01-01T00:00:01Z',
          containerID: 'fake://u1/main/1',
        },
      },
    })
  })
  test.each([
    [10_000, '10s'],
    [80_000, '1m20s'],
    [300_000, '5m0s'],
  ])('crash back-off of %i ms: waiting, the crash is the last state, the text does not count down', (backOffMs, text) => {
    const at = (monotonicMs: number): unknown =>
      one({ states: { main: 'exited:1' }, containers: { main: { backOffMs, notBeforeMs: backOffMs } }, view: { monotonicMs } })
    expect(at(0)).toMatchObject({
      state: { waiting: { reason: 'CrashLoopBackOff', message: `back-off ${text} restarting failed container=main pod=web_default(u1)` } },
      lastState: { terminated: { exitCode: 1 } },
    })
    expect(at(5_000)).toEqual(at(0))
    expect(at(backOffMs)).toMatchObject({ state: { terminated: { exitCode: 1 } }, lastState: {} })
  })
  test('a start that fails for a missing ConfigMap says so', () => {
    const failure = { reason: 'CreateContainerConfigError', message: 'configmap "c" not found' }
    expect(one({ containers: { main: { failure } } })).toMatchObject({
      state: { waiting: failure },
      ready: false,
      started: false,
      restartCount: 0,
    })
  })
  test('a program that cannot start backs off as a crash', () => {
    const failure = { reason: 'RunContainerError', message: 'no such program' }
    const main = { failure, backOffMs: 10_000, notBeforeMs: 10_000 }
    expect(one({ states: { main: 'exited:128' }, containers: { main } })).toMatchObject({
      state: { waiting: { reason: 'CrashLoopBackOff' } },
    })
    expect(one({ states: { main: 'exited:128' }, containers: { main: { failure } } })).toMatchObject({ state: { waiting: failure } })
  })
  test('a pod that is over shows how its containers ended', () => {
    expect(one({ states: { main: 'exited:0' }, status: { phase: 'Failed', reason: 'DeadlineExceeded' } })).toMatchObject({
      state: { terminated: { exitCode: 0 } },
    })
    expect(statusFor({ states: { main: 'exited:0' }, status: { phase: 'Failed', reason: 'DeadlineExceeded' } })).toMatchObject({
      reason: 'DeadlineExceeded',
    })
  })
})

test('our status wins over what comes back, but for what others own', () => {
  const server = {
    phase: 'Pending',
    qosClass: 'Burstable',
    conditions: [
      { type: 'Ready', status: 'False' },
      { type: 'x/ready', status: 'True' },
    ],
  }
  const own = {
    phase: 'Running',
    conditions: [
      { type: 'Ready', status: 'True' },
      { type: 'x/ready', status: 'False' },
    ],
  }
  expect(mergeStatus(server, own)).toEqual({
    phase: 'Running',
    qosClass: 'Burstable',
    conditions: [
      { type: 'Ready', status: 'True' },
      { type: 'x/ready', status: 'True' },
    ],
  })
  expect(mergeStatus(server, {})).toBe(server)
})

test('after an adoption the published status is the base, but a pod that is over stays over', () => {
  const at = (ms: number): string => new Date(START_MS + ms).toISOString()
  const server = { phase: 'Running', startTime: at(1) }
  expect(adoptStatus(server, { phase: 'Pending', startTime: at(2) })).toBe(server)
  expect(adoptStatus(server, { phase: 'Failed', startTime: at(0) })).toMatchObject({ phase: 'Failed' })
  expect(adoptStatus({}, { phase: 'Running', startTime: at(2) })).toMatchObject({ startTime: at(2) })
})
