import { describe, expect, test } from 'vitest'
import { replicaSets } from '../apps/v1/replica-set.ts'
import { IntOrStringError, percentOf, scaledValue } from './int-or-string.ts'
import { controllerOf, isControlledBy, ownerReference } from './owner.ts'

const OWNER = { metadata: { name: 'web', uid: 'u1' } }

describe('owners', () => {
  test('a reference says all that the garbage collector needs', () => {
    expect(ownerReference(OWNER, replicaSets)).toEqual({
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      name: 'web',
      uid: 'u1',
      controller: true,
      blockOwnerDeletion: true,
    })
    expect(ownerReference(OWNER, replicaSets, { controller: false, blockOwnerDeletion: false })).toMatchObject({
      controller: false,
      blockOwnerDeletion: false,
    })
  })

  test('an owner that was never stored cannot own', () => {
    expect(() => ownerReference({ metadata: { name: 'web' } }, replicaSets)).toThrow('it has no uid')
  })

  test('the controller is the one reference that says so, and is known by its uid', () => {
    const other = ownerReference({ metadata: { name: 'web', uid: 'u2' } }, replicaSets, { controller: false })
    const owned = { metadata: { name: 'p', ownerReferences: [other, ownerReference(OWNER, replicaSets)] } }
    expect(controllerOf(owned)?.uid).toBe('u1')
    expect(isControlledBy(owned, OWNER)).toBe(true)
    expect(isControlledBy(owned, { metadata: { name: 'web', uid: 'u2' } })).toBe(false)
    expect(controllerOf({ metadata: {} })).toBeUndefined()
    expect(isControlledBy({ metadata: {} }, { metadata: { name: 'web' } })).toBe(false)
  })
})

describe('counts and percentages', () => {
  test.each<[number | string, number, 'up' | 'down', number]>([
    [3, 10, 'up', 3],
    ['25%', 10, 'up', 3],
    ['25%', 10, 'down', 2],
    ['0%', 10, 'up', 0],
    ['100%', 7, 'down', 7],
    ['150%', 4, 'up', 6],
    ['7%', 100, 'up', 7],
    ['29%', 100, 'down', 29],
  ])('%s of %d, rounded %s', (value, total, rounding, expected) => {
    expect(scaledValue(value, total, rounding)).toBe(expected)
  })

  test.each(['', '5', '%', '-5%', '1.5%', 'a%', '5% '])('%j is refused', (value) => {
    expect(() => scaledValue(value, 10, 'up')).toThrow(IntOrStringError)
    expect(percentOf(value)).toBeUndefined()
  })
})
