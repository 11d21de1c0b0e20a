import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../api/meta/object.ts'
import { parseTargets } from './parse-targets.ts'
import { parseWaitCondition, valueAt } from './wait-condition.ts'

test.each<[readonly string[], unknown]>([
  [['pods'], [{ kind: 'pods' }]],
  [['pods,svc'], [{ kind: 'pods' }, { kind: 'svc' }]],
  [
    ['pod', 'a', 'b'],
    [
      { kind: 'pod', name: 'a' },
      { kind: 'pod', name: 'b' },
    ],
  ],
  [
    ['deploy/a', 'svc/b'],
    [
      { kind: 'deploy', name: 'a' },
      { kind: 'svc', name: 'b' },
    ],
  ],
])('%j means', (words, targets) => {
  expect(parseTargets(words)).toEqual(targets)
})

test.each([[[]], [['pod/']], [['/a']], [['a/b/c']], [['pod/a', 'b']]])('%j means nothing', (words) => {
  expect(() => parseTargets(words)).toThrow(expect.objectContaining({ exitCode: 2 }))
})

describe('wait --for', () => {
  const object = (status: object, generation = 1): KubeObject => ({ metadata: { name: 'a', generation }, status }) as KubeObject
  const ready = { conditions: [{ type: 'Ready', status: 'True' }] }

  test.each<[string, KubeObject | undefined, boolean]>([
    ['delete', undefined, true],
    ['delete', object({}), false],
    ['create', object({}), true],
    ['condition=Ready', object(ready), true],
    ['condition=ready', object(ready), true],
    ['condition=Ready=False', object(ready), false],
    ['condition=Ready', object({ ...ready, observedGeneration: 1 }, 2), false],
    ['condition=Ready', undefined, false],
    ['jsonpath={.status.phase}=Running', object({ phase: 'Running' }), true],
    ['jsonpath={.status.phase}=Running', object({ phase: 'Pending' }), false],
    ['jsonpath={.status.conditions[0].type}=Ready', object(ready), true],
    ['jsonpath={.status.ip}', object({}), false],
  ])('%s', (text, at, done) => {
    expect(parseWaitCondition(text).isDone(at)).toBe(done)
  })

  test('anything else is a usage error', () => {
    expect(() => parseWaitCondition('ready')).toThrow(expect.objectContaining({ exitCode: 2 }))
  })

  test('paths end where there is nothing', () => {
    expect(valueAt({ a: [{ b: 1 }] }, '.a[0].b')).toBe(1)
    expect(valueAt({ a: 1 }, '.a.b.c')).toBeUndefined()
  })
})
