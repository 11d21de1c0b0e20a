import { expect, test } from 'vitest'
import type { ContainerState, ContainerStatus, Pod } from '../generated/types.ts'
import { pods } from '../core/v1/pod.ts'
import { tableColumns } from './columns.ts'
import { summarizePod } from './pod-columns.ts'

const NOW = Date.parse('2026-01-01T01:00:00Z')
const running: ContainerState = { running: { startedAt: '2026-01-01T00:00:00Z' } }

function status(name: string, state: ContainerState, more: Partial<ContainerStatus> = {}): ContainerStatus {
  return { name, image: 'i', imageID: '', ready: state.running !== undefined, restartCount: 0, state, ...more }
}

function pod(parts: { init?: object[]; containers?: object[]; status?: Pod['status']; metadata?: object; spec?: object }): Pod {
  return {
    metadata: { name: 'web', namespace: 'default', creationTimestamp: '2026-01-01T00:00:00Z', ...parts.metadata },
    spec: { containers: (parts.containers ?? [{ name: 'a' }]) as never, initContainers: (parts.init ?? []) as never, ...parts.spec },
    status: parts.status,
  }
}

const INIT = { init: [{ name: 'i1' }, { name: 'i2' }] }
const waiting = (reason: string): ContainerState => ({ waiting: { reason } })
const ended = (exitCode: number, more: object = {}): ContainerState => ({ terminated: { exitCode, ...more } })

const cases: [string, Pod, [string, string, string]][] = [
  ['nothing known', pod({ status: { phase: 'Pending' } }), ['0/1', 'Pending', '0']],
  ['running', pod({ status: { phase: 'Running', containerStatuses: [status('a', running)] } }), ['1/1', 'Running', '0']],
  [
    'gated',
    pod({ status: { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] } }),
    ['0/1', 'SchedulingGated', '0'],
  ],
  ['evicted', pod({ status: { phase: 'Failed', reason: 'Evicted' } }), ['0/1', 'Evicted', '0']],
  [
    'creating',
    pod({ status: { phase: 'Pending', containerStatuses: [status('a', waiting('ContainerCreating'))] } }),
    ['0/1', 'ContainerCreating', '0'],
  ],
  [
    'crash loop with the time of the last restart',
    pod({
      status: {
        phase: 'Running',
        containerStatuses: [
          status('a', waiting('CrashLoopBackOff'), {
            restartCount: 3,
            lastState: ended(1, { finishedAt: '2026-01-01T00:55:00Z' }),
          }),
        ],
      },
    }),
    ['0/1', 'CrashLoopBackOff', '3 (5m ago)'],
  ],
  [
    'completed',
    pod({ status: { phase: 'Succeeded', containerStatuses: [status('a', ended(0, { reason: 'Completed' }))] } }),
    ['0/1', 'Completed', '0'],
  ],
  ['exit code', pod({ status: { phase: 'Failed', containerStatuses: [status('a', ended(3))] } }), ['0/1', 'ExitCode:3', '0']],
  ['signal', pod({ status: { phase: 'Failed', containerStatuses: [status('a', ended(137, { signal: 9 }))] } }), ['0/1', 'Signal:9', '0']],
  [
    'one done, one running, ready',
    pod({
      containers: [{ name: 'a' }, { name: 'b' }],
      status: {
        phase: 'Running',
        conditions: [{ type: 'Ready', status: 'True' }],
        containerStatuses: [status('a', ended(0, { reason: 'Completed' })), status('b', running)],
      },
    }),
    ['1/2', 'Running', '0'],
  ],
  [
    'one done, one running, not ready',
    pod({
      containers: [{ name: 'a' }, { name: 'b' }],
      status: { phase: 'Running', containerStatuses: [status('a', ended(0, { reason: 'Completed' })), status('b', running)] },
    }),
    ['1/2', 'NotReady', '0'],
  ],
  [
    'first init container',
    pod({ ...INIT, status: { phase: 'Pending', initContainerStatuses: [status('i1', running)] } }),
    ['0/1', 'Init:0/2', '0'],
  ],
  [
    'second init container',
    pod({
      ...INIT,
      status: { phase: 'Pending', initContainerStatuses: [status('i1', ended(0)), status('i2', waiting('PodInitializing'))] },
    }),
    ['0/1', 'Init:1/2', '0'],
  ],
  [
    'init container crashes',
    pod({ ...INIT, status: { phase: 'Pending', initContainerStatuses: [status('i1', waiting('CrashLoopBackOff'), { restartCount: 2 })] } }),
    ['0/1', 'Init:CrashLoopBackOff', '2'],
  ],
  [
    'init container failed',
    pod({ ...INIT, status: { phase: 'Failed', initContainerStatuses: [status('i1', ended(2))] } }),
    ['0/1', 'Init:ExitCode:2', '0'],
  ],
  [
    'init container failed with a reason',
    pod({ ...INIT, status: { phase: 'Failed', initContainerStatuses: [status('i1', ended(1, { reason: 'Error' }))] } }),
    ['0/1', 'Init:Error', '0'],
  ],
  [
    'initialized, containers not yet made',
    pod({
      ...INIT,
      status: {
        phase: 'Pending',
        initContainerStatuses: [status('i1', ended(0)), status('i2', ended(0))],
        containerStatuses: [status('a', waiting('PodInitializing'))],
      },
    }),
    ['0/1', 'PodInitializing', '0'],
  ],
  [
    'a sidecar counts among the containers',
    pod({
      init: [{ name: 's', restartPolicy: 'Always' }],
      status: {
        phase: 'Running',
        initContainerStatuses: [
          status('s', running, { started: true, restartCount: 1, lastState: ended(1, { finishedAt: '2026-01-01T00:59:00Z' }) }),
        ],
        containerStatuses: [status('a', running)],
      },
    }),
    ['2/2', 'Running', '1 (60s ago)'],
  ],
  [
    'being deleted',
    pod({ metadata: { deletionTimestamp: 'x' }, status: { phase: 'Running', containerStatuses: [status('a', running)] } }),
    ['1/1', 'Terminating', '0'],
  ],
  [
    'being deleted when it has ended',
    pod({
      metadata: { deletionTimestamp: 'x' },
      status: { phase: 'Succeeded', containerStatuses: [status('a', ended(0, { reason: 'Completed' }))] },
    }),
    ['0/1', 'Completed', '0'],
  ],
  [
    'being deleted from a lost node',
    pod({ metadata: { deletionTimestamp: 'x' }, status: { phase: 'Running', reason: 'NodeLost' } }),
    ['0/1', 'Unknown', '0'],
  ],
]

test.each(cases)('READY STATUS RESTARTS: %s', (_name, object, row) => {
  const cells = tableColumns(pods).map((column) => column.value(object, NOW))
  expect(cells.slice(0, 5)).toEqual(['web', ...row, '60m'])
})

test('restarts of init containers do not count once the pod runs', () => {
  const object = pod({
    ...INIT,
    status: {
      phase: 'Running',
      initContainerStatuses: [status('i1', ended(0), { restartCount: 4 }), status('i2', ended(0))],
      containerStatuses: [status('a', running, { restartCount: 1 })],
    },
  })
  expect(summarizePod(object).restarts).toBe(1)
})

test('the wide columns', () => {
  const wide = tableColumns(pods).slice(5)
  expect(wide.map((column) => column.name)).toEqual(['IP', 'Node', 'Nominated Node', 'Readiness Gates'])
  const full = pod({
    spec: { nodeName: 'n1', readinessGates: [{ conditionType: 'x/y' }, { conditionType: 'x/z' }] },
    status: { podIPs: [{ ip: '10.0.0.1' }], nominatedNodeName: 'n2', conditions: [{ type: 'x/y', status: 'True' }] },
  })
  expect(wide.map((column) => column.value(full, NOW))).toEqual(['10.0.0.1', 'n1', 'n2', '1/2'])
  expect(wide.map((column) => column.value(pod({}), NOW))).toEqual(['<none>', '<none>', '<none>', '<none>'])
})
