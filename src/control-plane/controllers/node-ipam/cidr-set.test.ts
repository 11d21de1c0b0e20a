import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parsePrefix, prefixContains } from '../../../base/ip.ts'
import { CidrSet } from './cidr-set.ts'
import { parseClusterCidrs } from './cluster-cidrs.ts'

const setOf = (text: string, length: number): CidrSet => new CidrSet(parseClusterCidrs(text, { ipv4: length, ipv6: length })[0]!)
const overlaps = (a: string, b: string): boolean =>
  prefixContains(parsePrefix(a)!, parsePrefix(b)!) || prefixContains(parsePrefix(b)!, parsePrefix(a)!)

test('parts come in turn, and one that came back rests as long as it can', () => {
  const set = setOf('10.244.0.0/22', 24)
  expect([set.allocate(), set.allocate()]).toEqual(['10.244.0.0/24', '10.244.1.0/24'])
  set.release('10.244.0.0/24')
  expect([set.allocate(), set.allocate(), set.allocate(), set.allocate()]).toEqual([
    '10.244.2.0/24',
    '10.244.3.0/24',
    '10.244.0.0/24',
    undefined,
  ])
  expect(setOf('fd00:10:244::/48', 64).size).toBe(65_536)
})

test('what was set by hand, in whatever size, is left alone', () => {
  const set = setOf('10.244.0.0/21', 24)
  set.occupy('10.244.0.0/22')
  set.occupy('10.244.5.64/26')
  set.occupy('192.0.2.0/24')
  expect([set.allocate(), set.allocate(), set.allocate(), set.allocate()]).toEqual([
    '10.244.4.0/24',
    '10.244.6.0/24',
    '10.244.7.0/24',
    undefined,
  ])
  set.release('10.244.0.0/22')
  expect(set.allocate()).toBe('10.244.0.0/24')
  const whole = setOf('10.244.0.0/21', 24)
  whole.occupy('10.0.0.0/8')
  expect(whole.allocate()).toBeUndefined()
})

test('never overlaps anything in use, and finds a part while there is one', () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.constant({ what: 'allocate' as const }) },
    fc.record({ what: fc.constant('occupy' as const), slot: fc.nat(15), length: fc.integer({ min: 25, max: 30 }) }),
    fc.record({ what: fc.constant('release' as const), pick: fc.nat(20) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const set = setOf('10.0.0.0/24', 28)
      const all = Array.from({ length: 16 }, (_, i) => `10.0.0.${i * 16}/28`)
      const used: string[] = []
      for (const one of steps) {
        if (one.what === 'allocate') {
          const free = all.filter((part) => !used.some((other) => overlaps(part, other)))
          const got = set.allocate()
          if (got === undefined) expect(free).toEqual([])
          else {
            expect(free).toContain(got)
            used.push(got)
          }
        } else if (one.what === 'occupy') {
          const cidr = `10.0.0.${one.slot * 16}/${one.length}`
          set.occupy(cidr)
          used.push(cidr)
        } else if (used.length > 0) set.release(used.splice(one.pick % used.length, 1)[0]!)
      }
    }),
  )
})
