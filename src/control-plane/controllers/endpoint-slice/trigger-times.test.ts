import { expect, test } from 'vitest'
import type { Pod, Service } from '../../../api/generated/types.ts'
import { TriggerTimes } from './trigger-times.ts'

const at = (second: number): string => `2026-01-01T00:00:${String(second).padStart(2, '0')}Z`
const service = (second: number): Service => ({ metadata: { name: 'web', namespace: 'default', creationTimestamp: at(second) } })
const pod = (uid: string, second: number): Pod => ({
  metadata: { name: uid, uid },
  status: { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: at(second) }] },
})

test('the oldest of the changes since the last look', () => {
  const times = new TriggerTimes()
  // whatever was before we came is no news
  expect(times.look(service(1), [pod('a', 2), pod('b', 5)])).toBe(at(5))
  expect(times.look(service(1), [pod('a', 2), pod('b', 5)])).toBeUndefined()
  expect(times.look(service(1), [pod('a', 9), pod('b', 8)])).toBe(at(8))
  expect(times.look(service(1), [pod('a', 9), pod('c', 12)])).toBe(at(12))
  // a pod that goes has no time
  expect(times.look(service(1), [pod('a', 9)])).toBeUndefined()
  expect(times.look(service(20), [pod('a', 9)])).toBe(at(20))
  times.forget('default/web')
  expect(times.look(service(20), [])).toBe(at(20))
})

test('a pod that was never asked counts from its creation', () => {
  const times = new TriggerTimes()
  times.look(service(1), [])
  expect(times.look(service(1), [{ metadata: { name: 'a', creationTimestamp: at(4) } }])).toBe(at(4))
})
