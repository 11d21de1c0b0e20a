import { expect, test } from 'vitest'
import type { Pod } from '../../../api/generated/types.ts'
import { decodeContainerLogs, encodeContainerLogs } from '../../../protocols/node-link.ts'
import { parseQuery } from '../http/query.ts'
import { checkStarted, chooseContainer, readLogQuery } from './log-options.ts'

test('all flags of kubectl logs reach the node and are read there as they were', () => {
  const text = 'follow=true&previous=true&timestamps=true&tailLines=0&sinceSeconds=5&limitBytes=10&container=a&pretty=true'
  const query = readLogQuery(parseQuery(text), 'web')
  expect(query).toEqual({ follow: true, previous: true, timestamps: true, tailLines: 0, sinceSeconds: 5, limitBytes: 10 })
  const target = { namespace: 'd', pod: 'web', container: 'a' }
  expect(decodeContainerLogs(encodeContainerLogs(target, query))).toEqual({ target, query })
  const since = readLogQuery(parseQuery('sinceTime=2026-01-01T00:00:00%2B01:00'), 'web')
  expect(decodeContainerLogs(encodeContainerLogs(target, since))).toEqual({ target, query: { sinceTime: '2026-01-01T00:00:00+01:00' } })
  expect(encodeContainerLogs(target, {})).toBe('/containerLogs/d/web/a')
})

test.each([
  '/containerLogs/d/web',
  '/containerLogs/d/web/a/b',
  '/exec/d/web/a',
  '/containerLogs/d/web/a?tailLines=x',
  '/containerLogs/d/web/%',
  '',
])('the agent refuses %j', (target) => {
  expect(decodeContainerLogs(target)).toBeUndefined()
})

test.each([
  ['tailLines=-1', 'PodLogOptions "web" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0'],
  ['limitBytes=0', 'PodLogOptions "web" is invalid: limitBytes: Invalid value: 0: must be greater than 0'],
  ['sinceSeconds=0', 'PodLogOptions "web" is invalid: sinceSeconds: Invalid value: 0: must be greater than 0'],
  [
    'sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z',
    'PodLogOptions "web" is invalid: sinceSeconds: Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified',
  ],
  ['tailLines=many', 'tailLines is not a whole number: "many"'],
  ['tailLines=9223372036854775808', 'tailLines is not a whole number: "9223372036854775808"'],
  ['sinceTime=yesterday', 'sinceTime is not a RFC 3339 time: "yesterday"'],
  ['stream=Stdout', 'PodLogOptions "web" is invalid: stream: Unsupported value: "Stdout": supported values: "All"'],
])('%s: %s', (query, message) => {
  expect(() => readLogQuery(parseQuery(query), 'web')).toThrow(message)
})

const pod = (spec: Pod['spec'], status?: Pod['status']): Pod => ({ metadata: { name: 'web', namespace: 'd' }, spec, status })

test('the container is obvious, named, or asked for', () => {
  const one = pod({ containers: [{ name: 'a' }], initContainers: [{ name: 'i' }] })
  const two = pod({ containers: [{ name: 'a' }, { name: 'b' }], initContainers: [{ name: 'i' }] })
  expect(chooseContainer(one, undefined)).toBe('a')
  expect(chooseContainer(one, '')).toBe('a')
  expect(chooseContainer(two, 'i')).toBe('i')
  expect(() => chooseContainer(one, 'b')).toThrow('container b is not valid for pod web')
  expect(() => chooseContainer(two, undefined)).toThrow(
    'a container name must be specified for pod web, choose one of: [a b] or one of the init containers: [i]',
  )
  expect(() => chooseContainer(pod({ containers: [{ name: 'a' }, { name: 'b' }] }), undefined)).toThrow(
    'a container name must be specified for pod web, choose one of: [a b]',
  )
})

const withStatus = (state: object, lastState: object = {}): Pod =>
  pod(
    { containers: [{ name: 'a' }] },
    { containerStatuses: [{ name: 'a', state, lastState, ready: false, restartCount: 0, image: 'x', imageID: '' }] },
  )
const ENDED = { terminated: { exitCode: 1 } }

test.each<[string, Pod, boolean, string | undefined]>([
  ['running', withStatus({ running: {} }), false, undefined],
  ['ended', withStatus(ENDED), false, undefined],
  ['waiting after a crash', withStatus({ waiting: { reason: 'CrashLoopBackOff' } }, ENDED), false, undefined],
  ['previous after a crash', withStatus({ running: {} }, ENDED), true, undefined],
  ['unknown yet', pod({ containers: [{ name: 'a' }] }), false, undefined],
  [
    'creating',
    withStatus({ waiting: { reason: 'ContainerCreating' } }),
    false,
    'container "a" in pod "web" is waiting to start: ContainerCreating',
  ],
  ['without reason', withStatus({ waiting: {} }), false, 'container "a" in pod "web" is waiting to start - no logs yet'],
  [
    'no image',
    withStatus({ waiting: { reason: 'ErrImagePull' } }),
    false,
    `container "a" in pod "web" is waiting to start: image can't be pulled`,
  ],
  ['previous of a first run', withStatus({ running: {} }), true, 'previous terminated container "a" in pod "web" not found'],
])('%s', (_what, given, previous, message) => {
  const check = (): void => checkStarted(given, 'a', previous)
  if (message === undefined) expect(check).not.toThrow()
  else expect(check).toThrow(message)
})
