import { expect, test } from 'vitest'
import type { Origin } from '../../../policy/traffic/model/index.ts'
import { Quarantine } from './quarantine.ts'

const origin = (name: string, generation = 1, createdAtMs = 0): Origin => ({
  kind: 'MeshTimeout',
  group: 'kuma.io',
  namespace: 'shop',
  name,
  uid: `uid-${name}`,
  generation,
  createdAtMs,
})
const BUILT_IN: Origin = { kind: 'MeshTimeout', group: 'kuma.io', namespace: '', name: 'default' }
const names = (quarantine: Quarantine, kind: 'biplane' | 'envoy' | 'grpc' = 'biplane'): string[] =>
  [...quarantine.namesFor(kind)].map((name) => name.split('/')[2] ?? '')

test('the one object that somebody has written is left out, for clients of that kind alone, until it changes', () => {
  const quarantine = new Quarantine()
  quarantine.observe([origin('a'), BUILT_IN])
  expect(quarantine.refused([BUILT_IN, origin('a')], 'envoy', 'no such filter')).toBe(true)
  expect([names(quarantine, 'envoy'), names(quarantine)]).toEqual([['a'], []])
  expect(quarantine.of(origin('a'))).toEqual([{ kind: 'envoy', reason: 'no such filter' }])
  const before = quarantine.namesFor('envoy')
  quarantine.observe([origin('a'), origin('b')])
  expect(quarantine.namesFor('envoy')).toBe(before)
  quarantine.observe([origin('a', 2)])
  expect([names(quarantine, 'envoy'), quarantine.size]).toEqual([[], 0])
})

test('what has gone is forgotten, and what has come under its name is another', () => {
  const quarantine = new Quarantine()
  quarantine.observe([origin('a')])
  quarantine.refused([origin('a')], 'biplane', 'no')
  quarantine.observe([])
  quarantine.observe([origin('a')])
  expect(names(quarantine)).toEqual([])
})

test('objects that are not known, or not as they are now, are nobody to blame', () => {
  const quarantine = new Quarantine()
  quarantine.observe([origin('a', 2)])
  expect(quarantine.refused([origin('a', 1), origin('gone'), BUILT_IN], 'biplane', 'no')).toBe(false)
  expect(quarantine.size).toBe(0)
})

test('of several, the one that came last is the one: the others were taken before', () => {
  const quarantine = new Quarantine()
  quarantine.observe([origin('a'), origin('b')])
  quarantine.observe([origin('a', 2), origin('b')])
  expect(quarantine.refused([origin('a', 2), origin('b')], 'biplane', 'no')).toBe(true)
  expect(names(quarantine)).toEqual(['a'])
  // found: what else is refused is another's
  quarantine.observe([origin('a', 2), origin('b'), origin('c')])
  quarantine.refused([origin('a', 2), origin('b'), origin('c')], 'biplane', 'no')
  expect(names(quarantine).sort()).toEqual(['a', 'c'])
})

test('of several that came together, one after the other is left out, youngest first', () => {
  const quarantine = new Quarantine()
  const all = [origin('a', 1, 1), origin('b', 1, 3), origin('c', 1, 2)]
  quarantine.observe(all)
  const tried = all.map(() => {
    quarantine.refused(all, 'biplane', 'no')
    return names(quarantine)
  })
  expect(tried).toEqual([['b'], ['c'], ['a']])
  // in vain, all of them: clients keep what they took before
  expect(quarantine.refused(all, 'biplane', 'no')).toBe(true)
  expect(names(quarantine)).toEqual([])
  expect(quarantine.refused(all, 'biplane', 'no')).toBe(false)
  // one has changed, and with it everything that was found out about it
  quarantine.observe([origin('a', 2, 1), ...all.slice(1)])
  quarantine.refused([origin('a', 2, 1), ...all.slice(1)], 'biplane', 'no')
  expect(names(quarantine)).toEqual(['a'])
})
