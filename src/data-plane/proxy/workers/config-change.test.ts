import fc from 'fast-check'
import { expect, it } from 'vitest'
import { EMPTY_SNAPSHOT, type ProxySnapshot } from '../config/index.ts'
import { applyChange, changeBetween, type ConfigChange } from './config-change.ts'

const values = fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__'), fc.record({ of: fc.integer({ min: 0, max: 3 }) }))
const snapshots = fc.record({
  settings: fc.option(fc.record({ name: fc.constantFrom('x', 'y') }), { nil: undefined }),
  ...Object.fromEntries(
    (['listeners', 'routes', 'clusters', 'endpoints', 'secrets'] as const).map((part) => [
      part,
      values.map((all) => new Map(Object.entries(all))),
    ]),
  ),
}) as unknown as fc.Arbitrary<ProxySnapshot>

const sent = (change: ConfigChange): ConfigChange => JSON.parse(JSON.stringify(change)) as ConfigChange
const plain = (snapshot: ProxySnapshot): unknown =>
  Object.entries(snapshot).map(([part, value]) => [
    part,
    value instanceof Map ? [...(value as Map<string, unknown>)].map((entry) => JSON.stringify(entry)).sort() : value,
  ])

it('makes of what was there what is there now, through JSON', () => {
  fc.assert(
    fc.property(fc.array(snapshots, { maxLength: 5 }), (steps) => {
      let [here, there] = [EMPTY_SNAPSHOT, EMPTY_SNAPSHOT]
      for (const step of steps) {
        // as the configuration has it: settings are not taken back
        const next = { ...step, settings: step.settings ?? here.settings }
        there = applyChange(there, sent(changeBetween(here, next)))
        here = next
        expect(plain(there)).toEqual(plain(here))
      }
    }),
  )
})

it('says only what has changed, and leaves the rest the very same', () => {
  const one = { name: 'one' } as never
  const two = { name: 'two' } as never
  const before: ProxySnapshot = { ...EMPTY_SNAPSHOT, clusters: new Map([['one', one]]), routes: new Map([['one', one]]) }
  const after: ProxySnapshot = { ...before, clusters: new Map([...before.clusters, ['two', two]]) }
  const change = changeBetween(before, after)
  expect(change).toEqual({ parts: { clusters: { set: [['two', { name: 'two' }]], gone: [] } } })
  const applied = applyChange(before, change)
  expect(applied.routes).toBe(before.routes)
  expect(applied.clusters.get('one')).toBe(one)
})
