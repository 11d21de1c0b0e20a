import { expect, test } from 'vitest'
import type { ContainerState, Pod } from '../../../api/generated/types.ts'
import { findLog } from './find-log.ts'

const ended = (start: number): ContainerState => ({ terminated: { exitCode: 1, containerID: `process://u1/main/${start}` } })
const running: ContainerState = { running: {} }
const waiting: ContainerState = { waiting: { reason: 'CrashLoopBackOff' } }

const podWith = (state: ContainerState, lastState: ContainerState, start = 1): Pod => ({
  metadata: { name: 'web' },
  status: {
    containerStatuses: [
      { name: 'main', image: '', imageID: '', ready: false, restartCount: 0, state, lastState, containerID: `process://u1/main/${start}` },
    ],
  },
})

test.each<[string, Pod, boolean, string]>([
  ['running', podWith(running, {}), false, 'u1/main/1'],
  ['running, the start before', podWith(running, ended(0)), true, 'u1/main/0'],
  [
    'running for the first time, the start before',
    podWith(running, {}),
    true,
    'previous terminated container "main" in pod "web" not found',
  ],
  ['ended', podWith(ended(1), {}), false, 'u1/main/1'],
  ['backing off', podWith(waiting, ended(1)), false, 'u1/main/1'],
  ['backing off, the start before is the one that crashed', podWith(waiting, ended(1)), true, 'u1/main/1'],
  [
    'never started',
    podWith({ waiting: { reason: 'PodInitializing' } }, {}),
    false,
    'container "main" in pod "web" is waiting to start: PodInitializing',
  ],
  ['not told of yet', { metadata: { name: 'web' } }, false, 'container "main" in pod "web" is not available'],
])('%s', (_name, pod, previous, want) => {
  const found = findLog(pod, 'main', previous)
  expect('id' in found ? found.id : found.problem).toBe(want)
})
